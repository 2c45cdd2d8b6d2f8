//! [`Judge`]: judges calls, and imputes the outcomes that are unknown.
//!
//! A log that was taken through an open breaker does not know what the refused calls would have
//! returned. The judge imputes their outcomes from the nearest calls of the same name that ran within a
//! few seconds. Every figure is also computed for the two extremes: all of them succeed, all of them fail.

use crate::call::Outcome;
use crate::fact::Fact;
use crate::fate::{Fate, Fates};
use crate::nanos::{from_nanos, nanos};
use crate::random::unit_at;
use crate::survey::is_bad;
use std::collections::VecDeque;
use std::time::Duration;

/// Judges calls, and imputes outcomes.
#[derive(Debug)]
pub(crate) struct Judge {
    bad_from: Option<Duration>,
    within: u64,
    is_needed: bool,
    seed: u64,
    names: Vec<Neighbours>,
}

impl Judge {
    /// Creates a judge that imputes outcomes from the calls within `within` of a call.
    pub(crate) fn new(
        bad_from: Option<Duration>,
        within: Duration,
        is_needed: bool,
        seed: u64,
    ) -> Self {
        Self {
            bad_from,
            within: nanos(within),
            is_needed,
            seed,
            names: Vec::new(),
        }
    }

    /// Returns `true` if outcomes have to be imputed.
    pub(crate) fn is_needed(&self) -> bool {
        self.is_needed
    }

    pub(crate) fn within(&self) -> u64 {
        self.within
    }

    #[inline]
    pub(crate) fn fates(&self, outcome: Outcome, duration: u64) -> Fates {
        if outcome == Outcome::Refused {
            return Fates::Unknown(Fate::GOOD);
        }
        let is_bad = is_bad(outcome, Some(from_nanos(duration)), self.bad_from);
        Fates::Known(Fate { outcome, is_bad })
    }

    /// Adds a call to the calls by which others are judged.
    pub(crate) fn add(&mut self, fact: &Fact) {
        let at = fact.name as usize;
        if at >= self.names.len() {
            self.names.resize_with(at + 1, Neighbours::default);
        }
        if let Fates::Known(fate) = fact.fates {
            if matches!(fate.outcome, Outcome::Success | Outcome::Failure) {
                self.names[at].add(fact, fate);
            }
        }
    }

    /// Imputes the outcome and the duration of a call, the call at `line` of the traffic.
    pub(crate) fn judge(&mut self, fact: &mut Fact, line: u64) {
        let neighbours = &mut self.names[fact.name as usize];
        neighbours.forget_before(fact.start.saturating_sub(self.within));
        if let Fates::Unknown(_) = fact.fates {
            let Judgement { failing, durations } = neighbours.judgement(fact.start);
            let fails = unit_at(self.seed, line) < failing;
            fact.duration = durations[usize::from(fails)];
            fact.fates = Fates::Unknown(if fails { Fate::BAD } else { Fate::GOOD });
        }
    }
}

/// How many of the calls around it a call is judged by: the nearest.
const NEAREST: usize = 8;

/// The calls of one name that ran within the time by which a call is judged, in order.
#[derive(Debug, Default)]
struct Neighbours {
    calls: VecDeque<Neighbour>,
    /// The judgement by the calls that were forgotten last.
    latest: Judgement,
}

#[derive(Clone, Copy, Debug)]
struct Neighbour {
    start: u64,
    duration: u64,
    failed: bool,
}

/// The share of calls that failed, and the mean durations of successes and failures.
#[derive(Clone, Copy, Debug, Default)]
struct Judgement {
    failing: f64,
    durations: [u64; 2],
}

impl Judgement {
    #[allow(clippy::cast_precision_loss)] // a share of a few calls
    fn by(calls: &[Neighbour]) -> Self {
        let mean = |failed: bool| {
            let durations = calls.iter().filter(|call| call.failed == failed);
            let (count, sum) = durations.fold((0, 0_u64), |(count, sum), call| {
                (count + 1, sum.saturating_add(call.duration))
            });
            sum.checked_div(count)
        };
        let (good, bad) = (mean(false), mean(true));
        let failed = calls.iter().filter(|call| call.failed).count();
        Self {
            failing: failed as f64 / calls.len().max(1) as f64,
            durations: [good.or(bad).unwrap_or(0), bad.or(good).unwrap_or(0)],
        }
    }
}

impl Neighbours {
    fn add(&mut self, fact: &Fact, fate: Fate) {
        self.calls.push_back(Neighbour {
            start: fact.start,
            duration: fact.duration,
            failed: fate.outcome == Outcome::Failure,
        });
    }

    fn forget_before(&mut self, start: u64) {
        if self.calls.back().is_some_and(|last| last.start < start) {
            self.latest = self.judgement(start);
        }
        while self.calls.front().is_some_and(|first| first.start < start) {
            self.calls.pop_front();
        }
    }

    /// Judges a call that starts at `at` by the nearest calls, or by the latest ones if none is near.
    fn judgement(&self, at: u64) -> Judgement {
        let mut after = self.calls.partition_point(|call| call.start < at);
        let mut before = after;
        let mut nearest = Vec::with_capacity(NEAREST);
        while nearest.len() < NEAREST {
            let earlier = before.checked_sub(1).and_then(|at| self.calls.get(at));
            let later = self.calls.get(after);
            let is_earlier = match (earlier, later) {
                (Some(earlier), Some(later)) => at - earlier.start <= later.start - at,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            let next = if is_earlier { earlier } else { later };
            nearest.extend(next.copied());
            before -= usize::from(is_earlier);
            after += usize::from(!is_earlier);
        }
        if nearest.is_empty() {
            self.latest
        } else {
            Judgement::by(&nearest)
        }
    }
}
