//! The results of all calls, and the figures that follow from them.

use breakerbox::State;
use std::time::Duration;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Answered,
    Failed,
    Refused,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) phase: &'static str,
    /// The state of the circuit just before the call.
    pub(crate) state: State,
    pub(crate) ended: Ended,
    pub(crate) took: Duration,
}

/// All calls, in the order in which they were made.
pub(crate) struct Tally(Vec<Report>);

impl Tally {
    pub(crate) fn new(reports: Vec<Report>) -> Self {
        Self(reports)
    }

    pub(crate) fn reports(&self) -> &[Report] {
        &self.0
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn refused(&self) -> usize {
        self.times(Ended::Refused).len()
    }

    pub(crate) fn count(&self, phase: &str, ended: Ended) -> usize {
        let in_phase = self.0.iter().filter(|report| report.phase == phase);
        in_phase.filter(|report| report.ended == ended).count()
    }

    pub(crate) fn median(&self, ended: Ended) -> Duration {
        let times = self.times(ended);
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    pub(crate) fn slowest(&self, ended: Ended) -> Duration {
        self.times(ended).last().copied().unwrap_or_default()
    }

    /// The durations of the calls that ended like this, in ascending order.
    fn times(&self, ended: Ended) -> Vec<Duration> {
        let calls = self.0.iter().filter(|report| report.ended == ended);
        let mut times: Vec<_> = calls.map(|report| report.took).collect();
        times.sort_unstable();
        times
    }
}
