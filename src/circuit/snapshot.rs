//! Snapshots and totals of a circuit.

use super::counters::Counter;
use super::locked::Locked;
use super::shell::Circuit;
use crate::snapshot::{Snapshot, Totals};
use crate::state::State;
use std::sync::Arc;

impl Circuit {
    /// Returns a snapshot, all of whose values are as of one moment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.context.clock.now();
        let mut locked = self.locked.lock();
        self.flush_buffer(&mut locked);
        let view = self.consistent_read();
        let state = view.state(now);
        let open = view.word.state() == State::Open && state == State::Open;
        let trials = (state == State::HalfOpen && view.word.state() == State::HalfOpen)
            .then(|| u32::from(view.word.trials().in_flight));
        let snapshot = Snapshot {
            name: self.name.clone(),
            state,
            since: if state == view.word.state() {
                now.since(locked.since)
            } else {
                // The circuit is half-open because its deadline has passed.
                now.since(view.deadline)
            },
            cause: locked.cause().cloned(),
            failure_count: view.failures,
            last_failure: locked
                .last_failure()
                .filter(|_| view.failures > 0)
                .map(Arc::from),
            open_remaining: open.then(|| now.until(view.deadline)),
            attempt: locked.recovery_attempt(view.word.state(), now).unwrap_or(0),
            ramp_up_share: self.ramp_up_share(view.word, now),
            totals: self.totals_with(&locked),
            in_flight: trials.or_else(|| {
                let timed = locked.config().slower_than().is_some();
                timed.then(|| self.counters.current(Counter::InFlight))
            }),
            rules: locked.rules(now, view.failures),
        };
        drop(locked);
        snapshot
    }

    /// Returns the totals without waiting for the lock, or `None` if another thread holds the lock.
    ///
    /// Holds the lock while the counters are read: no longer than a failing call does.
    pub(crate) fn try_totals(&self) -> Option<Totals> {
        let mut locked = self.locked.try_lock()?;
        self.flush_buffer(&mut locked);
        Some(self.totals_with(&locked))
    }

    /// Returns the transitions since the circuit was created.
    #[cfg(feature = "metrics")]
    pub(crate) fn transition_counts(&self) -> super::TransitionCounts {
        self.locked.lock().transition_counts()
    }

    /// Returns the totals, including the calls that the windows counted. The caller has flushed the
    /// buffer.
    fn totals_with(&self, locked: &Locked) -> Totals {
        let (successes, failures) = locked.counted();
        let totals = self.counters.totals(locked.config().count_successes());
        Totals {
            success: totals.success.map(|counted| counted + successes),
            failure: totals.failure + failures,
            ..totals
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
impl Circuit {
    /// Calls `read` while the lock is held.
    pub(crate) fn with_lock<T>(&self, read: impl FnOnce() -> T) -> T {
        let _locked = self.locked.lock();
        read()
    }
}
