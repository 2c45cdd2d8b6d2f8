//! Real threads, and tasks on them: what must hold however they meet, and proof that they met.
//!
//! Also run under the thread sanitizer, by `.ci/sanitize`. That knows nothing of what happens inside the
//! standard library, which is not built with it: so threads are joined one by one, and what they share
//! is held by who started them until they have ended.
#![cfg(not(any(loom, shuttle)))]
#![allow(missing_docs)]

mod dependencies;
mod names;
mod slots;
mod tasks;
mod totals;
mod trials;
mod windows;

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{Cause, Event, Refusal, Totals};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

const RECOVERY: Duration = Duration::from_millis(1);
const THREADS: usize = 4;

/// How many are inside at once, and the most there ever were.
#[derive(Default)]
struct Crowd {
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    fn enter(&self) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// The state changes of a breaker, checked as they arrive.
#[derive(Clone, Default)]
struct Chain(Arc<Mutex<Changes>>);

#[derive(Default)]
struct Changes {
    last: Option<State>,
    broken: Option<(State, State)>,
    opened: u64,
    half_opened: u64,
    closed: u64,
    /// Dropped events. The queue may be full after the thread that delivers was interrupted.
    missed: u64,
}

impl Chain {
    fn heard_by(&self, settings: BreakerBuilder) -> BreakerBuilder {
        let chain = self.0.clone();
        settings.on_event(move |event| {
            let mut changes = chain.lock().expect("no poison");
            if let Event::Missed { events, .. } = event {
                changes.missed += events;
                changes.last = None;
            }
            let Event::StateChanged { from, to, .. } = event else {
                return;
            };
            let first = if changes.missed == 0 {
                State::Closed
            } else {
                *from
            };
            if *from != changes.last.unwrap_or(first) || from == to {
                changes.broken.get_or_insert((*from, *to));
            }
            changes.last = Some(*to);
            match to {
                State::Open => changes.opened += 1,
                State::HalfOpen => changes.half_opened += 1,
                State::Closed => changes.closed += 1,
                _ => {}
            }
        })
    }

    fn finish(&self, breaker: &CircuitBreaker) -> Changes {
        // Each delivers some of the changes that are left in the queue, and records nothing.
        for _ in 0..40 {
            breaker.configure(|same| same).expect("the same settings");
        }
        let changes = std::mem::take(&mut *self.0.lock().expect("no poison"));
        assert_eq!(
            changes.broken, None,
            "each begins where the one before ended"
        );
        changes
    }
}

impl Changes {
    /// Asserts how often each state was entered. Changes that were missed may be any of them.
    #[track_caller]
    fn assert_counts(&self, opened: u64, half_opened: u64, closed: u64) {
        let counts = [self.opened, self.half_opened, self.closed];
        let expected = [opened, half_opened, closed];
        let mut pairs = counts.iter().zip(&expected);
        assert!(
            pairs.all(|(count, expected)| count <= expected),
            "{counts:?}, {expected:?}"
        );
        let all = counts.iter().sum::<u64>() + self.missed;
        assert_eq!(
            all,
            expected.iter().sum::<u64>(),
            "{counts:?}, {expected:?}"
        );
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::SeqCst)
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

fn settings(clock: &ManualClock) -> BreakerBuilder {
    CircuitBreaker::builder()
        .recovery_timeout(RECOVERY)
        .trial_timeout(Duration::MAX)
        .clock(clock.clone())
}

fn on_threads(work: impl Fn(usize) + Sync) {
    let work = &work;
    thread::scope(|scope| {
        let start = |number| scope.spawn(move || work(number));
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        // The scope would join them as well, but in a way that the thread sanitizer does not see.
        for thread in threads {
            thread.join().expect("a thread that ends");
        }
    });
}

/// Every call that was let in, in whatever way it ended.
fn ended(totals: &Totals) -> u64 {
    let success = totals.success.expect("they are counted");
    success + totals.failure + totals.ignored + totals.cancelled + totals.late
}
