//! Stress tests on real threads, and on tasks of a multi-threaded runtime. Each test fails unless its calls
//! ran concurrently.
//!
//! `.ci/sanitize` also runs these tests under the thread sanitizer. The sanitizer does not see the
//! synchronization inside the standard library, which is not instrumented. Therefore, threads are joined
//! one by one, and the test owns all shared data until they have ended.
#![cfg(not(any(loom, shuttle)))]
#![allow(missing_docs)]

mod aborted_trials;
mod count_windows;
mod dependencies;
mod names;
mod tasks;
mod totals;
mod trials;

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{Cause, Event, Refusal, Totals};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

const RECOVERY: Duration = Duration::from_millis(1);
const THREADS: usize = 4;

/// Counts how many calls run, and how many ran at once at most.
#[derive(Default)]
struct Concurrency {
    current: AtomicUsize,
    peak: AtomicUsize,
}

impl Concurrency {
    fn enter(&self) {
        let current = self.current.fetch_add(1, Ordering::SeqCst) + 1;
        if self.peak.fetch_max(current, Ordering::SeqCst).max(current) == 1 {
            // On one busy core a thread would rarely be interrupted within a call.
            thread::yield_now();
        }
    }

    fn leave(&self) {
        self.current.fetch_sub(1, Ordering::SeqCst);
    }

    fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }
}

/// A listener that checks and counts the state changes of a breaker.
#[derive(Clone, Default)]
struct TransitionLog(Arc<Mutex<TransitionCounts>>);

#[derive(Default)]
struct TransitionCounts {
    last: Option<State>,
    broken: Option<(State, State)>,
    opened: u64,
    half_opened: u64,
    closed: u64,
    /// Dropped events. The queue fills up while the delivering thread is descheduled.
    missed: u64,
}

impl TransitionLog {
    fn observe(&self, settings: BreakerBuilder) -> BreakerBuilder {
        let transitions = self.0.clone();
        settings.on_event(move |event| {
            let mut changes = transitions.lock().expect("not poisoned");
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

    fn assert_contiguous(&self, breaker: &CircuitBreaker) -> TransitionCounts {
        // Each `configure` delivers some of the queued changes, and records nothing.
        for _ in 0..40 {
            breaker.configure(|same| same).expect("valid settings");
        }
        let changes = std::mem::take(&mut *self.0.lock().expect("not poisoned"));
        assert_eq!(
            changes.broken, None,
            "each change should begin in the state where the previous one ended"
        );
        changes
    }
}

impl TransitionCounts {
    /// Asserts how often each state was entered. A missed change may be of any kind.
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

/// Runs `work` on all threads at once. Its argument is the number of the thread.
fn on_threads(work: impl Fn(usize) + Sync) {
    let work = &work;
    thread::scope(|scope| {
        let start = |number| scope.spawn(move || work(number));
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        // The scope also joins the threads, but the thread sanitizer does not see that join.
        for thread in threads {
            thread.join().expect("the thread should not panic");
        }
    });
}

/// Returns the number of admitted calls that have ended.
fn ended(totals: &Totals) -> u64 {
    let success = totals.success.expect("successes are counted");
    success + totals.failure + totals.ignored + totals.cancelled + totals.late
}
