//! What the tasks saw, to compare with what the breakers say.
//!
//! Standard atomics and locks: they are no part of what is explored.

use breakerbox::prelude::*;
use breakerbox::{CircuitOpen, Event, Totals};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// What happened in any schedule of a test: one in which it never happens shows nothing.
#[derive(Clone, Default)]
pub(crate) struct Happened(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Happened {
    pub(crate) fn note(&self, what: &'static str, times: u64) {
        let mut all = self.0.lock().expect("no poison");
        *all.entry(what).or_default() += times;
    }

    pub(crate) fn finish(&self, test: &str) {
        let all = self.0.lock().expect("no poison");
        println!("{test}: {all:?}");
        let never = all.iter().find(|(_, times)| **times == 0);
        assert!(never.is_none(), "never in any schedule: {never:?}");
        assert!(!all.is_empty(), "nothing was looked for");
    }
}

/// How many are inside at once, and the most there ever were.
#[derive(Default)]
pub(crate) struct Crowd {
    inside: AtomicU64,
    most: AtomicU64,
    entered: AtomicU64,
}

impl Crowd {
    pub(crate) fn most(&self) -> u64 {
        self.most.load(SeqCst)
    }
}

#[derive(Clone, Default)]
pub(crate) struct Books(Arc<Accounts>);

#[derive(Default)]
struct Accounts {
    crowd: Crowd,
    ok: AtomicU64,
    err: AtomicU64,
    panicked: AtomicU64,
    timed_out: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
}

pub(crate) struct Inside(Books);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.crowd.inside.fetch_sub(1, SeqCst);
    }
}

impl Books {
    pub(crate) fn crowd(&self) -> &Crowd {
        &self.0.crowd
    }

    /// The guarded code runs.
    pub(crate) fn enter(&self) -> Inside {
        let crowd = self.crowd();
        crowd.entered.fetch_add(1, SeqCst);
        let inside = crowd.inside.fetch_add(1, SeqCst) + 1;
        crowd.most.fetch_max(inside, SeqCst);
        Inside(self.clone())
    }

    pub(crate) fn entered(&self) -> u64 {
        self.crowd().entered.load(SeqCst)
    }

    pub(crate) fn ended(
        &self,
        how: Result<Result<(), BreakerError<std::fmt::Error>>, Box<dyn Any + Send>>,
    ) {
        let books = &self.0;
        match how {
            Ok(Ok(())) => &books.ok,
            Ok(Err(BreakerError::Open(open))) => return self.refused(&open),
            Ok(Err(BreakerError::TimedOut(_))) => &books.timed_out,
            Ok(Err(_)) => &books.err,
            Err(_) => &books.panicked,
        }
        .fetch_add(1, SeqCst);
    }

    pub(crate) fn refused(&self, open: &CircuitOpen) {
        // What it says was so at one moment.
        if open.reason() == breakerbox::Refusal::Open {
            assert!(open.retry_after().is_some());
        }
        self.0.refused.fetch_add(1, SeqCst);
    }

    pub(crate) fn dropped(&self) {
        self.0.dropped.fetch_add(1, SeqCst);
    }

    /// Every admitted call is in one total, and every refused one in another.
    pub(crate) fn agree_with(&self, totals: &Totals) {
        let success = totals.success.expect("they are counted");
        let ended = success + totals.failure + totals.ignored + totals.cancelled + totals.late;
        assert_eq!(ended, self.entered(), "{totals:?}");
        assert_eq!(totals.refused, self.0.refused.load(SeqCst));
        let read = |counter: &AtomicU64| counter.load(SeqCst);
        let books = &self.0;
        assert!(success <= read(&books.ok));
        // One that is out of time as it returns, and is late, was timed out all the same.
        assert_eq!(totals.timed_out, read(&books.timed_out));
        assert!(totals.cancelled <= read(&books.dropped));
        assert_eq!(self.crowd().inside.load(SeqCst), 0);
    }

    pub(crate) fn tell(&self, happened: &Happened, totals: &Totals) {
        let books = &self.0;
        for (what, counter) in [
            ("ok", &books.ok),
            ("errors", &books.err),
            ("panics", &books.panicked),
            ("timeouts", &books.timed_out),
            ("dropped", &books.dropped),
            ("refused", &books.refused),
        ] {
            happened.note(what, counter.load(SeqCst));
        }
        happened.note("cancelled", totals.cancelled);
        happened.note("late", totals.late);
        happened.note("two inside", u64::from(self.crowd().most() > 1));
    }
}

/// The state changes of a breaker, in the order in which they were told.
#[derive(Clone, Default)]
pub(crate) struct Chain(Arc<Mutex<Vec<(State, State)>>>);

impl Chain {
    pub(crate) fn heard_by(&self, settings: BreakerBuilder) -> BreakerBuilder {
        let chain = self.0.clone();
        settings.on_event(move |event| {
            if let Event::StateChanged { from, to, .. } = event {
                chain.lock().expect("no poison").push((*from, *to));
            }
        })
    }

    /// All of them, of which each begins where the one before ended.
    pub(crate) fn unbroken(&self, breaker: &CircuitBreaker) -> Vec<(State, State)> {
        // Delivers what the tasks have left in the queue.
        breaker.configure(|same| same).expect("the same settings");
        let chain = self.0.lock().expect("no poison").clone();
        let mut last = State::Closed;
        for (from, to) in &chain {
            assert!(*from == last && from != to, "{chain:?}");
            last = *to;
        }
        chain
    }
}
