//! [`Tried`]: what a candidate did in each segment.

use super::tuned::TriedCandidate;
use crate::figures::Figures;
use crate::spread::Spread;

/// What a candidate did in each segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Tried {
    /// For each segment, the figures of each shift.
    segments: Vec<Vec<Figures>>,
}

impl Tried {
    /// Adds what the candidate did in the next segment.
    pub(super) fn push(&mut self, shifts: Vec<Figures>) {
        self.segments.push(shifts);
    }

    /// Returns the figures of the shift in the middle, whose recovery times are those of the settings.
    pub(super) fn figures(&self, segment: usize) -> &Figures {
        let shifts = &self.segments[segment];
        &shifts[shifts.len() / 2]
    }

    /// Returns what the candidate cost in its worst shift, where a good call that is refused costs
    /// `cost`, and a bad one that is let through costs 1.
    pub(super) fn worst(&self, segment: usize, cost: f64) -> f64 {
        let shifts = self.segments[segment].iter();
        shifts.map(|it| cost_of(it, cost)).fold(0.0, f64::max)
    }

    /// Returns the sums over all segments.
    pub(super) fn total(&self) -> Figures {
        self.total_of(|shifts| shifts.len() / 2)
    }

    /// Returns what is shown of the candidate.
    pub(super) fn summary(&self, label: String, cost: f64) -> TriedCandidate {
        let shifts = self.segments.iter().map(Vec::len).min().unwrap_or(0);
        let nets = (0..shifts).map(|shift| self.total_of(|_| shift).net_percent(cost));
        let total = self.total();
        TriedCandidate {
            label,
            net_percent: Spread::of(nets).unwrap_or(Spread {
                min: 0.0,
                median: 0.0,
                max: 0.0,
            }),
            bad_admitted: total.bad_admitted,
            good_refused: total.good_refused(),
            detected: total.detected,
        }
    }

    fn total_of(&self, shift: impl Fn(&[Figures]) -> usize) -> Figures {
        let mut total = Figures::default();
        for shifts in &self.segments {
            total.add(&shifts[shift(shifts)]);
        }
        total
    }
}

#[allow(clippy::cast_precision_loss)] // at most two million calls
fn cost_of(figures: &Figures, cost: f64) -> f64 {
    figures.bad_admitted as f64 + cost * figures.good_refused() as f64
}

/// Returns the positions of the candidates that no other one beats in both costs, by bad calls let
/// through.
pub(super) fn front(tried: &[Tried]) -> Vec<usize> {
    let totals: Vec<Figures> = tried.iter().map(Tried::total).collect();
    let mut sorted: Vec<usize> = (0..tried.len()).collect();
    sorted.sort_by_key(|at| (totals[*at].bad_admitted, totals[*at].good_refused()));
    let mut least = u64::MAX;
    sorted.retain(|at| {
        let refused = totals[*at].good_refused();
        let is_better = refused < least;
        least = least.min(refused);
        is_better
    });
    sorted
}
