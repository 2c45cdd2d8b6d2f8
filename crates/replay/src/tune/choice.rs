//! [`Choice`]: which of the candidates are chosen, given some of the segments.

use super::grid::Point;
use super::segment::Segment;
use super::tried::Tried;
use std::time::Duration;

/// How much worse a neighbour is beyond a cliff, as a share of what outages cost without a breaker.
const CLIFF: f64 = 0.1;
/// The number of candidates of a shortlist.
const SHORT: usize = 3;

/// By what candidates are chosen.
pub(super) struct Choice<'a> {
    pub(super) points: &'a [Point],
    pub(super) segments: &'a [Segment],
    pub(super) cost: f64,
    pub(super) detect_within: Option<Duration>,
}

/// The cheapest candidates.
#[derive(Debug)]
pub(super) struct Shortlist {
    /// Their positions among all candidates, the best first. At least one.
    pub(super) candidates: Vec<usize>,
    pub(super) caveats: Vec<String>,
}

impl Choice<'_> {
    /// Returns the candidates that cost least together with their neighbours, given the segments
    /// `of`.
    ///
    /// A candidate counts as much as the most expensive of itself and its neighbours. A cheap one at
    /// the edge of a cliff therefore comes after others, but not after those that cost as much as
    /// the bottom of the cliff.
    pub(super) fn shortlist(&self, tried: &[Tried], of: &[usize]) -> Shortlist {
        let mut caveats = Vec::new();
        let costs: Vec<f64> = tried.iter().map(|tried| self.cost(tried, of)).collect();
        let bad = of.iter().map(|segment| self.segments[*segment].bad_inside);
        let slack = CLIFF * f64::from(bad.sum::<u32>().max(10));
        let with_neighbours: Vec<f64> = (0..tried.len())
            .map(|at| self.most_expensive_near(at, &costs))
            .collect();
        let has_cliff = |at: usize| with_neighbours[at] > costs[at] + slack;
        let mut order: Vec<usize> = (0..tried.len()).collect();
        let compare = |costs: &[f64], a: &usize, b: &usize| costs[*a].total_cmp(&costs[*b]);
        order.sort_by(|a, b| {
            let by_neighbours = compare(&with_neighbours, a, b);
            by_neighbours
                .then_with(|| compare(&costs, a, b))
                .then(a.cmp(b))
        });
        if let Some(limit) = self.detect_within {
            let is_soon = |at: &&usize| self.detects_within(limit, &tried[**at], of);
            let soon: Vec<usize> = order.iter().filter(is_soon).copied().collect();
            if soon.is_empty() {
                caveats.push(format!("no candidate detects all outages within {limit:?}"));
            } else {
                order = soon;
            }
        }
        if let Some(best) = order.first() {
            let cheaper = order.iter().filter(|at| costs[**at] < costs[*best]);
            caveats.extend(passed_over(cheaper.filter(|at| has_cliff(**at)).count()));
            if has_cliff(*best) {
                caveats.push("a slightly different setting would have been much worse".to_owned());
            }
        }
        order.truncate(SHORT);
        Shortlist {
            candidates: order,
            caveats,
        }
    }

    /// Returns the greatest cost of a candidate and its neighbours.
    fn most_expensive_near(&self, at: usize, costs: &[f64]) -> f64 {
        let others = self.points.iter().zip(costs);
        let neighbours = others.filter(|(other, _)| self.points[at].is_next_to(other));
        neighbours.map(|(_, cost)| *cost).fold(costs[at], f64::max)
    }

    /// Returns the sum of what the candidate cost in its worst shift of each segment.
    pub(super) fn cost(&self, tried: &Tried, of: &[usize]) -> f64 {
        let costs = of.iter().map(|segment| tried.worst(*segment, self.cost));
        costs.sum()
    }

    fn detects_within(&self, limit: Duration, tried: &Tried, of: &[usize]) -> bool {
        let mut severe = of
            .iter()
            .filter(|segment| self.segments[**segment].is_severe());
        severe.all(|segment| tried.figures(*segment).detected <= limit)
    }
}

fn passed_over(skipped: usize) -> Option<String> {
    let (candidates, neighbours) = match skipped {
        0 => return None,
        1 => (
            "a cheaper candidate was".to_owned(),
            "one of its neighbours is",
        ),
        _ => (
            format!("{skipped} cheaper candidates were"),
            "their neighbours are",
        ),
    };
    Some(format!(
        "{candidates} passed over, because {neighbours} much worse"
    ))
}
