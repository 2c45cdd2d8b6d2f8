//! [`Choice`]: which of the candidates are chosen, given some of the segments.

use super::grid::Point;
use super::segment::Segment;
use super::tried::Tried;
use std::time::Duration;

/// How much worse neighbours may be, as a share of what the outages cost without a breaker.
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
    /// Their positions among all candidates, the cheapest first. At least one.
    pub(super) candidates: Vec<usize>,
    pub(super) caveats: Vec<String>,
}

impl Choice<'_> {
    /// Returns the cheapest candidates whose neighbours are nearly as good, given the segments `of`.
    pub(super) fn shortlist(&self, tried: &[Tried], of: &[usize]) -> Shortlist {
        let mut caveats = Vec::new();
        let costs: Vec<f64> = tried.iter().map(|tried| self.cost(tried, of)).collect();
        let bad = of.iter().map(|segment| self.segments[*segment].bad_inside);
        let slack = CLIFF * f64::from(bad.sum::<u32>().max(10));
        let mut order: Vec<usize> = (0..tried.len()).collect();
        order.sort_by(|a, b| costs[*a].total_cmp(&costs[*b]).then(a.cmp(b)));
        if let Some(limit) = self.detect_within {
            let is_soon = |at: &&usize| self.detects_within(limit, &tried[**at], of);
            let soon: Vec<usize> = order.iter().filter(is_soon).copied().collect();
            if soon.is_empty() {
                caveats.push(format!("no candidate detects all outages within {limit:?}"));
            } else {
                order = soon;
            }
        }
        let has_cliff = |at: usize| {
            let mut others = self.points.iter().zip(&costs);
            others
                .any(|(other, cost)| *cost > costs[at] + slack && self.points[at].is_next_to(other))
        };
        let skipped = order.iter().take_while(|at| has_cliff(**at)).count();
        if skipped == order.len() {
            caveats.push("a slightly different setting would have been much worse".to_owned());
        } else {
            caveats.extend(passed_over(skipped));
            order.retain(|at| !has_cliff(*at));
        }
        order.truncate(SHORT);
        Shortlist {
            candidates: order,
            caveats,
        }
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
