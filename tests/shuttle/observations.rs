//! Observations of the tasks, which the tests compare with the totals and events of the breakers.
//!
//! These types use the atomics and locks of the standard library, so shuttle does not schedule at
//! them.

use breakerbox::prelude::*;
use breakerbox::{CircuitOpen, Event, Totals};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// Counts the cases that occurred in the schedules of a test. A case that never occurs is untested.
#[derive(Clone, Default)]
pub(crate) struct CaseCounts(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl CaseCounts {
    pub(crate) fn count(&self, what: &'static str, times: u64) {
        let mut all = self.0.lock().expect("not poisoned");
        *all.entry(what).or_default() += times;
    }

    pub(crate) fn assert_all_occurred(&self, test: &str) {
        let all = self.0.lock().expect("not poisoned");
        println!("{test}: {all:?}");
        let missing = all.iter().find(|(_, times)| **times == 0);
        assert!(
            missing.is_none(),
            "a case occurred in no schedule: {missing:?}"
        );
        assert!(!all.is_empty(), "the test counted no cases");
    }
}

/// Counts how many calls run, and how many ran at once at most.
#[derive(Default)]
pub(crate) struct Concurrency {
    current: AtomicU64,
    peak: AtomicU64,
    entered: AtomicU64,
}

impl Concurrency {
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(SeqCst)
    }
}

/// Counts the calls of a breaker by the way they ended.
#[derive(Clone, Default)]
pub(crate) struct CallCounts(Arc<Counts>);

#[derive(Default)]
struct Counts {
    concurrency: Concurrency,
    ok: AtomicU64,
    err: AtomicU64,
    panicked: AtomicU64,
    timed_out: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
}

/// A call whose guarded code runs, until this value is dropped.
pub(crate) struct RunningCall(CallCounts);

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.0.0.concurrency.current.fetch_sub(1, SeqCst);
    }
}

impl CallCounts {
    pub(crate) fn concurrency(&self) -> &Concurrency {
        &self.0.concurrency
    }

    /// Counts a call whose guarded code starts.
    pub(crate) fn enter(&self) -> RunningCall {
        let concurrency = self.concurrency();
        concurrency.entered.fetch_add(1, SeqCst);
        let current = concurrency.current.fetch_add(1, SeqCst) + 1;
        concurrency.peak.fetch_max(current, SeqCst);
        RunningCall(self.clone())
    }

    pub(crate) fn entered(&self) -> u64 {
        self.concurrency().entered.load(SeqCst)
    }

    pub(crate) fn record_result(
        &self,
        result: Result<Result<(), BreakerError<std::fmt::Error>>, Box<dyn Any + Send>>,
    ) {
        let counts = &self.0;
        match result {
            Ok(Ok(())) => &counts.ok,
            Ok(Err(BreakerError::Open(open))) => return self.record_refused(&open),
            Ok(Err(BreakerError::TimedOut(_))) => &counts.timed_out,
            Ok(Err(_)) => &counts.err,
            Err(_) => &counts.panicked,
        }
        .fetch_add(1, SeqCst);
    }

    pub(crate) fn record_refused(&self, open: &CircuitOpen) {
        // The reason and the deadline must belong together.
        if open.reason() == breakerbox::Refusal::Open {
            assert!(open.retry_after().is_some());
        }
        self.0.refused.fetch_add(1, SeqCst);
    }

    pub(crate) fn record_dropped(&self) {
        self.0.dropped.fetch_add(1, SeqCst);
    }

    /// Asserts that each admitted call is in one total, and each refused call in the total of refusals.
    pub(crate) fn assert_agree_with(&self, totals: &Totals) {
        let success = totals.success.expect("successes are counted");
        let recorded = success + totals.failure + totals.ignored + totals.cancelled + totals.late;
        assert_eq!(recorded, self.entered(), "{totals:?}");
        assert_eq!(totals.refused, self.0.refused.load(SeqCst));
        let read = |counter: &AtomicU64| counter.load(SeqCst);
        let counts = &self.0;
        assert!(success <= read(&counts.ok));
        // Timeouts of late calls are counted, too.
        assert_eq!(totals.timed_out, read(&counts.timed_out));
        assert!(totals.cancelled <= read(&counts.dropped));
        assert_eq!(self.concurrency().current.load(SeqCst), 0);
    }

    pub(crate) fn count_cases(&self, cases: &CaseCounts, totals: &Totals) {
        let counts = &self.0;
        for (what, counter) in [
            ("ok", &counts.ok),
            ("errors", &counts.err),
            ("panics", &counts.panicked),
            ("timeouts", &counts.timed_out),
            ("dropped", &counts.dropped),
            ("refused", &counts.refused),
        ] {
            cases.count(what, counter.load(SeqCst));
        }
        cases.count("cancelled", totals.cancelled);
        cases.count("late", totals.late);
        cases.count("two at once", u64::from(self.concurrency().peak() > 1));
    }
}

/// The state changes of a breaker, in the order of their events.
#[derive(Clone, Default)]
pub(crate) struct TransitionLog(Arc<Mutex<Vec<(State, State)>>>);

impl TransitionLog {
    pub(crate) fn observe(&self, settings: BreakerBuilder) -> BreakerBuilder {
        let transitions = self.0.clone();
        settings.on_event(move |event| {
            if let Event::StateChanged { from, to, .. } = event {
                transitions.lock().expect("not poisoned").push((*from, *to));
            }
        })
    }

    /// Returns all state changes. Asserts that each begins in the state where the previous one ended.
    pub(crate) fn assert_contiguous(&self, breaker: &CircuitBreaker) -> Vec<(State, State)> {
        // `configure` delivers the events that are still queued.
        breaker.configure(|same| same).expect("valid settings");
        let transitions = self.0.lock().expect("not poisoned").clone();
        let mut last = State::Closed;
        for (from, to) in &transitions {
            assert!(*from == last && from != to, "{transitions:?}");
            last = *to;
        }
        transitions
    }
}
