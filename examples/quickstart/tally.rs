//! What became of the calls, added up.

use std::time::Duration;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Answered,
    Failed,
    Refused,
}

/// What became of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) phase: &'static str,
    pub(crate) ended: Ended,
    pub(crate) took: Duration,
}

pub(crate) struct Tally(Vec<Report>);

impl Tally {
    pub(crate) fn new(mut reports: Vec<Report>) -> Self {
        reports.sort_unstable_by_key(|report| report.took);
        Self(reports)
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn refused(&self) -> usize {
        self.refusals().count()
    }

    pub(crate) fn slowest_refusal(&self) -> Duration {
        self.refusals().last().unwrap_or_default()
    }

    pub(crate) fn count(&self, phase: &str, ended: Ended) -> usize {
        self.times(phase, ended).count()
    }

    pub(crate) fn median(&self, phase: &str, ended: Ended) -> Duration {
        let middle = self.count(phase, ended) / 2;
        self.times(phase, ended).nth(middle).unwrap_or_default()
    }

    fn refusals(&self) -> impl Iterator<Item = Duration> {
        let refused = self.0.iter().filter(|report| report.ended == Ended::Refused);
        refused.map(|report| report.took)
    }

    /// How long those calls took, in ascending order.
    fn times(&self, phase: &str, ended: Ended) -> impl Iterator<Item = Duration> {
        let wanted = move |report: &&Report| report.phase == phase && report.ended == ended;
        self.0.iter().filter(wanted).map(|report| report.took)
    }
}
