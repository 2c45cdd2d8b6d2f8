//! [`Series`]: the traffic in bins of ten seconds.

use crate::call::Outcome;
use crate::fate::{Assumption, Fates};
use crate::outage::BIN;
use crate::timeline::{Kind, Step};

/// The calls that start in ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeriesBin {
    /// The start, divided by [`BIN`].
    pub(crate) index: u64,
    pub(crate) calls: u32,
    pub(crate) bad: u32,
}

/// The traffic in bins of ten seconds. Bins without calls are missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    pub(crate) bins: Vec<SeriesBin>,
    /// The calls whose outcome is unknown.
    pub(crate) unknown: u64,
    pub(crate) bad: u64,
    /// The first and the last time.
    pub(crate) first: Option<u64>,
    pub(crate) last: u64,
}

impl Series {
    pub(crate) fn add(&mut self, step: &Step) {
        self.first.get_or_insert(step.at);
        self.last = self.last.max(step.at);
        if step.kind == Kind::End {
            return;
        }
        let index = step.at / BIN;
        if self.bins.last().is_none_or(|bin| bin.index != index) {
            self.bins.push(SeriesBin {
                index,
                ..SeriesBin::default()
            });
        }
        let fate = step.fact.fates.under(Assumption::Imputed);
        let is_bad = fate.is_bad || fate.outcome == Outcome::Failure;
        self.unknown += u64::from(matches!(step.fact.fates, Fates::Unknown(_)));
        self.bad += u64::from(is_bad);
        if let Some(bin) = self.bins.last_mut() {
            bin.calls += 1;
            bin.bad += u32::from(is_bad);
        }
    }
}
