//! [`History`]: the calls of one breaker in the latest two minutes.

use serde::Serialize;
use std::time::Duration;

/// The time between two points.
pub(crate) const STEP: Duration = Duration::from_secs(2);
/// The number of points.
const POINTS: usize = 60;

/// Counts of calls in each step: successes, failures and refusals. Larger counts are saturated.
#[derive(Clone, Debug)]
pub(super) struct History {
    points: [[u16; POINTS]; 3],
    len: u8,
    next: u8,
}

/// The series, oldest point first.
#[derive(Debug, Default, Serialize)]
pub(super) struct Series {
    step_s: u64,
    success: Vec<u16>,
    failure: Vec<u16>,
    refused: Vec<u16>,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            points: [[0; POINTS]; 3],
            len: 0,
            next: 0,
        }
    }

    /// Adds a point, in place of the oldest one if there are 60.
    pub(super) fn push(&mut self, calls: [u64; 3]) {
        for (points, calls) in self.points.iter_mut().zip(calls) {
            points[usize::from(self.next)] = u16::try_from(calls).unwrap_or(u16::MAX);
        }
        let points = u8::try_from(POINTS).unwrap_or(u8::MAX);
        self.next = (self.next + 1) % points;
        self.len = (self.len + 1).min(points);
    }

    /// Returns `true` if no point has a call.
    pub(super) fn is_idle(&self) -> bool {
        self.points.iter().flatten().all(|calls| *calls == 0)
    }

    fn series(&self, index: usize) -> Vec<u16> {
        let (len, next) = (usize::from(self.len), usize::from(self.next));
        let points = (0..len).map(|at| (next + POINTS - len + at) % POINTS);
        points.map(|at| self.points[index][at]).collect()
    }
}

impl Series {
    /// Returns the series of a breaker; without points for a breaker that has had no calls lately.
    pub(super) fn of(history: Option<&History>) -> Self {
        let series = |index| history.map_or_else(Vec::new, |history| history.series(index));
        Self {
            step_s: STEP.as_secs(),
            success: series(0),
            failure: series(1),
            refused: series(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_keeps_latest_sixty_points_in_order() {
        let mut history = History::new();
        assert!(history.is_idle());
        for call in 0..3 {
            history.push([call, 70_000, 0]);
        }
        let series = Series::of(Some(&history));
        assert_eq!(series.success, [0, 1, 2]);
        assert_eq!(series.failure, [u16::MAX; 3]);
        for call in 3..100 {
            history.push([call, 0, 0]);
        }
        let expected: Vec<u16> = (40..100).collect();
        assert_eq!(Series::of(Some(&history)).success, expected);
        (0..60).for_each(|_| history.push([0; 3]));
        assert!(history.is_idle());
    }
}
