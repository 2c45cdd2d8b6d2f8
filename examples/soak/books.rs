//! What the dependency saw of the calls, kept without asking the breaker.

use breakerbox::Totals;
use breakerbox::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

/// How a call ended, as the dependency and its caller see it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Success,
    Failure,
    Ignored,
    Cancelled,
}

/// A caller has one call in flight at most.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// Calls that came through to the dependency.
    pub(crate) began: AtomicU64,
    ended: [AtomicU64; 4],
    pub(crate) panicked: AtomicU64,
    timed_out: AtomicU64,
    refused_open: AtomicU64,
    refused_trials: AtomicU64,
    /// How often the circuit opened, as a listener heard.
    opened: Arc<AtomicU64>,
    trials: AtomicU64,
    most_trials: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, SeqCst) + 1
}

impl Books {
    pub(crate) fn new(opened: Arc<AtomicU64>) -> Self {
        Self {
            opened,
            ..Self::default()
        }
    }

    pub(crate) fn end(&self, end: End) {
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
        self.most_trials.fetch_max(count(&self.trials), SeqCst);
    }

    pub(crate) fn end_trial(&self) {
        self.trials.fetch_sub(1, SeqCst);
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused_open.load(SeqCst) + self.refused_trials.load(SeqCst)
    }

    /// While calls run: none has ended that did not begin, and no more are missing than may be in flight.
    pub(crate) fn glance(
        &self,
        snapshot: impl FnOnce() -> Snapshot,
        callers: u64,
    ) -> Option<String> {
        let before = self.began.load(SeqCst);
        let snapshot = snapshot();
        let after = self.began.load(SeqCst);
        let ended = ended(&snapshot.totals);
        let sound = ended <= after && before.saturating_sub(ended) <= callers;
        (!sound).then(|| format!("{ended} ended of {before} to {after}: {snapshot}"))
    }

    /// When no call runs any more: every one is there once, and where it belongs unless it came late.
    pub(crate) fn compare(&self, snapshot: &Snapshot, callers: u64) -> Vec<String> {
        let mut findings = Vec::new();
        let mut check = |holds: bool, claim: &str| {
            if !holds {
                findings.push(format!("not so: {claim}; {self:?}, but {snapshot}"));
            }
        };
        let began = self.began.load(SeqCst);
        let seen = self.ended.each_ref().map(|counter| counter.load(SeqCst));
        check(seen.iter().sum::<u64>() == began, "all that began ended");

        let totals = &snapshot.totals;
        let success = totals.success.unwrap_or_default();
        let counted = [success, totals.failure, totals.ignored, totals.cancelled];
        check(ended(totals) == began, "no outcome was lost");
        check(
            counted
                .iter()
                .zip(seen)
                .all(|(counted, seen)| *counted <= seen),
            "each outcome was taken for what it was, or came late",
        );
        check(
            snapshot.in_flight.is_none_or(|calls| calls == 0),
            "nothing is in flight",
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
            self.most_trials.load(SeqCst) <= 1,
            "there was one trial at a time",
        );
        // Who is refused by an open circuit comes back when told to, so once an opening at most.
        let opened = self.opened.load(SeqCst);
        check(
            self.refused_open.load(SeqCst) <= opened * callers,
            "nobody was refused twice by one opening",
        );
        // Otherwise nothing was tried.
        check(
            opened > 0 && seen.iter().all(|seen| *seen > 0),
            "everything happened",
        );
        check(self.panicked.load(SeqCst) > 0, "something panicked");
        check(self.most_trials.load(SeqCst) > 0, "a trial was seen");
        findings
    }
}

fn ended(totals: &Totals) -> u64 {
    let success = totals.success.unwrap_or_default();
    success + totals.failure + totals.ignored + totals.cancelled + totals.late
}
