//! Counts of the calls as the dependency sees them, independent of the breaker.

use breakerbox::Totals;
use breakerbox::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

/// The end of a call, as the dependency and its caller see it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Success,
    Failure,
    Ignored,
    Cancelled,
}

/// The counts of one dependency. Each caller has at most one call in flight.
#[derive(Debug, Default)]
pub(crate) struct CallCounts {
    /// Calls that reached the dependency.
    pub(crate) began: AtomicU64,
    ended: [AtomicU64; 4],
    pub(crate) panicked: AtomicU64,
    timed_out: AtomicU64,
    refused_open: AtomicU64,
    refused_trials: AtomicU64,
    /// Openings of the circuit, counted by a listener.
    opened: Arc<AtomicU64>,
    trials: AtomicU64,
    max_trials: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, SeqCst) + 1
}

impl CallCounts {
    pub(crate) fn new(opened: Arc<AtomicU64>) -> Self {
        Self {
            opened,
            ..Self::default()
        }
    }

    pub(crate) fn end(&self, end: Ending) {
        count(&self.ended[end as usize]);
    }

    pub(crate) fn refuse(&self, open: &CircuitOpen) {
        count(match open.reason() {
            Refusal::Open => &self.refused_open,
            _ => &self.refused_trials,
        });
    }

    pub(crate) fn time_out(&self) {
        count(&self.timed_out);
    }

    pub(crate) fn begin_trial(&self) {
        self.max_trials.fetch_max(count(&self.trials), SeqCst);
    }

    pub(crate) fn end_trial(&self) {
        self.trials.fetch_sub(1, SeqCst);
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused_open.load(SeqCst) + self.refused_trials.load(SeqCst)
    }

    /// Checks the totals while calls run, and returns a finding. No more calls may have ended than
    /// began, and at most `callers` calls may be in flight.
    pub(crate) fn check_running(
        &self,
        snapshot: impl FnOnce() -> Snapshot,
        callers: u64,
    ) -> Option<String> {
        let before = self.began.load(SeqCst);
        let snapshot = snapshot();
        let after = self.began.load(SeqCst);
        let ended = ended(&snapshot.totals);
        let consistent = ended <= after && before.saturating_sub(ended) <= callers;
        (!consistent).then(|| format!("{ended} ended of {before} to {after}: {snapshot}"))
    }

    /// Compares the totals after all calls have ended, and returns the findings. Each call must be
    /// counted once, with its own outcome or as late.
    pub(crate) fn check_final(&self, snapshot: &Snapshot, callers: u64) -> Vec<String> {
        let mut findings = Vec::new();
        let mut check = |condition: bool, claim: &str| {
            if !condition {
                findings.push(format!("violated: {claim}; {self:?}, but {snapshot}"));
            }
        };
        let began = self.began.load(SeqCst);
        let expected = self.ended.each_ref().map(|counter| counter.load(SeqCst));
        check(
            expected.iter().sum::<u64>() == began,
            "each call that began has ended",
        );

        let totals = &snapshot.totals;
        let success = totals.success.unwrap_or_default();
        let counted = [success, totals.failure, totals.ignored, totals.cancelled];
        check(ended(totals) == began, "no outcome was lost");
        check(
            counted
                .iter()
                .zip(expected)
                .all(|(counted, expected)| *counted <= expected),
            "each outcome was recorded as it was, or as late",
        );
        check(
            snapshot.in_flight.is_none_or(|calls| calls == 0),
            "no call is in flight",
        );
        check(
            totals.refused == self.refused(),
            "each refusal was counted once",
        );
        check(
            totals.timed_out == self.timed_out.load(SeqCst),
            "each timeout was counted once",
        );
        check(
            self.max_trials.load(SeqCst) <= 1,
            "at most one trial ran at a time",
        );
        // A refused caller waits for `retry_after`, so an opening refuses each caller at most once.
        let opened = self.opened.load(SeqCst);
        check(
            self.refused_open.load(SeqCst) <= opened * callers,
            "an opening refused each caller at most once",
        );
        // The other checks prove nothing about outcomes that did not occur.
        check(
            opened > 0 && expected.iter().all(|expected| *expected > 0),
            "each kind of outcome occurred",
        );
        check(self.panicked.load(SeqCst) > 0, "a call panicked");
        check(self.max_trials.load(SeqCst) > 0, "a trial ran");
        findings
    }
}

fn ended(totals: &Totals) -> u64 {
    let success = totals.success.unwrap_or_default();
    success + totals.failure + totals.ignored + totals.cancelled + totals.late
}
