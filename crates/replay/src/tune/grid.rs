//! [`Grid`]: the candidates of a tuner, which follow from the traffic.

use crate::candidate::Candidate;
use crate::instances::Instances;
use crate::survey::NameSurvey;
use breakerbox::{Backoff, BreakerBuilder, CircuitBreaker, TripRule, Window};
use std::fmt::{self, Write};
use std::time::Duration;

const IN_A_ROW: [u32; 6] = [3, 5, 8, 12, 16, 24];
const RATES: [f64; 5] = [0.25, 0.4, 0.5, 0.6, 0.75];
const WINDOWS: [u64; 3] = [5, 10, 30];
/// The first delay and the longest one, in seconds.
const RECOVERIES: [(u64, u64); 4] = [(1, 10), (1, 30), (5, 60), (30, 30)];
/// The number of calls that a window of time should have, for a rate to mean something.
const ENOUGH_CALLS: f64 = 10.0;
/// The number of windows that are tried.
const MOST_WINDOWS: usize = 2;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// The values that candidates combine.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    base_rate: f64,
    /// Of all instances, and of one of those in the traffic.
    total_per_second: f64,
    traced_per_second: f64,
    /// Of one instance: a breaker sees no other calls.
    calls_per_second: f64,
    slower_than: Option<Duration>,
}

/// One candidate: the positions of its values. `None` leaves a rule out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    in_a_row: Option<usize>,
    rate: Option<usize>,
    recovery: usize,
    window: u64,
    minimum_calls: u32,
    slower_than: Option<Duration>,
}

impl Grid {
    /// Creates the grid for a name. Calls that take `limit` or longer are bad.
    pub(super) fn of(name: &NameSurvey, limit: Option<Duration>) -> Self {
        Self {
            base_rate: name.base_rate(),
            total_per_second: name.calls_per_second(),
            traced_per_second: name.calls_per_second_of_instance(),
            calls_per_second: name.calls_per_second_of_instance(),
            slower_than: limit,
        }
    }

    /// Returns the grid for the calls of one of these instances.
    pub(super) fn with_instances(mut self, instances: Instances) -> Self {
        self.calls_per_second = match instances {
            Instances::OfTraffic => self.traced_per_second,
            Instances::Dealt { count, .. } => self.total_per_second / f64::from(count.max(1)),
        };
        self
    }

    /// Returns all candidates, those with fewer rules first.
    pub(super) fn points(&self) -> Vec<Point> {
        let in_a_row = IN_A_ROW.iter().enumerate();
        let in_a_row = in_a_row.filter(|(_, count)| !self.trips_by_chance(**count));
        let in_a_row: Vec<usize> = in_a_row.map(|(at, _)| at).collect();
        let enough = |window: &u64| self.expected(*window) >= ENOUGH_CALLS;
        let windows: Vec<u64> = WINDOWS
            .into_iter()
            .filter(enough)
            .take(MOST_WINDOWS)
            .collect();
        let mut points = Vec::new();
        let mut add = |in_a_row, rate, window| {
            for recovery in 0..RECOVERIES.len() {
                points.push(Point {
                    in_a_row,
                    rate,
                    recovery,
                    window,
                    minimum_calls: self.minimum_calls(window),
                    // A rule for slow calls costs nothing where calls are not slow.
                    slower_than: self.slower_than,
                });
            }
        };
        let longest = windows.last().copied().unwrap_or(30);
        for at in &in_a_row {
            add(Some(*at), None, longest);
        }
        if in_a_row.is_empty() && windows.is_empty() {
            // Failures are too common for any number in a row, and calls are too rare for a rate.
            add(Some(IN_A_ROW.len() - 1), None, longest);
        }
        for window in &windows {
            for rate in 0..RATES.len() {
                add(None, Some(rate), *window);
                for at in &in_a_row {
                    add(Some(*at), Some(rate), *window);
                }
            }
        }
        points
    }

    fn expected(&self, window: u64) -> f64 {
        self.calls_per_second * Duration::from_secs(window).as_secs_f64()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
    fn minimum_calls(&self, window: u64) -> u32 {
        (self.expected(window) / 4.0).clamp(5.0, 100.0) as u32
    }

    /// Returns `true` if ordinary failures reach `count` in a row more than once a day.
    fn trips_by_chance(&self, count: u32) -> bool {
        let runs = self
            .base_rate
            .powi(i32::try_from(count).unwrap_or(i32::MAX));
        runs * self.calls_per_second * SECONDS_PER_DAY > 1.0
    }
}

impl Point {
    /// Returns `true` if the candidates differ by one step of one value.
    pub(super) fn is_next_to(&self, other: &Self) -> bool {
        let step = |a: Option<usize>, b: Option<usize>| match (a, b) {
            (None, None) => Some(0),
            (Some(a), Some(b)) => Some(a.abs_diff(b)),
            _ => None,
        };
        let is_same_kind = (self.window, self.slower_than) == (other.window, other.slower_than);
        let (rows, rates) = (
            step(self.in_a_row, other.in_a_row),
            step(self.rate, other.rate),
        );
        let recovery = self.recovery.abs_diff(other.recovery);
        is_same_kind
            && rows
                .zip(rates)
                .is_some_and(|(row, rate)| row + rate + recovery == 1)
    }

    pub(super) fn candidate(&self) -> Candidate {
        let candidate = Candidate::new(self.to_string(), self.builder());
        candidate.expect("the settings of the grid are valid")
    }

    pub(super) fn builder(&self) -> BreakerBuilder {
        let window = Window::time(Duration::from_secs(self.window));
        let in_a_row = self
            .in_a_row
            .map(|at| TripRule::consecutive_failures(IN_A_ROW[at]));
        let rate = self.rate.map(|at| TripRule::failure_rate(RATES[at]));
        let slow = self.slower_than;
        let slow = slow.map(|limit| TripRule::slow_calls(0.5).slower_than(limit));
        let rates = rate.into_iter().chain(slow);
        let rates = rates.map(|rule| rule.over(window).minimum_calls(self.minimum_calls));
        let (first, longest) = self.delays();
        CircuitBreaker::builder()
            .trip_rules(in_a_row.into_iter().chain(rates))
            .recovery_backoff(Backoff::exponential(first).max(longest))
    }

    fn delays(&self) -> (Duration, Duration) {
        let (first, longest) = RECOVERIES[self.recovery];
        (Duration::from_secs(first), Duration::from_secs(longest))
    }

    /// Returns a document with these settings for the breaker called `name`.
    pub(super) fn to_toml(self, name: &str, fitted: &str, tried: usize) -> String {
        let over = format!(
            "over = \"{}s\", minimum_calls = {}",
            self.window, self.minimum_calls
        );
        let mut rules = String::new();
        if let Some(at) = self.in_a_row {
            let _ = writeln!(rules, "    {{ consecutive_failures = {} }},", IN_A_ROW[at]);
        }
        if let Some(at) = self.rate {
            let _ = writeln!(rules, "    {{ failure_rate = {}, {over} }},", RATES[at]);
        }
        if let Some(limit) = self.slower_than {
            let limit = duration(limit);
            let slow = format!("slow_calls = 0.5, slower_than = \"{limit}\"");
            let _ = writeln!(rules, "    {{ {slow}, {over} }},");
        }
        let (first, longest) = RECOVERIES[self.recovery];
        let name = quoted(name);
        format!(
            "# {fitted}; chosen from {tried} candidates\n\
             [breakers.{name}]\n\
             trip_rules = [\n{rules}]\n\
             recovery_backoff = {{ first = \"{first}s\", factor = 2.0, max = \"{longest}s\" }}\n"
        )
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(at) = self.in_a_row {
            write!(f, "{} in a row", IN_A_ROW[at])?;
            separator = " or ";
        }
        let of = format!("of {} calls in {} s", self.minimum_calls, self.window);
        if let Some(at) = self.rate {
            write!(f, "{separator}{} % {of}", 100.0 * RATES[at])?;
            separator = " or ";
        }
        if let Some(limit) = self.slower_than {
            write!(f, "{separator}50 % slower than {} {of}", duration(limit))?;
        }
        match RECOVERIES[self.recovery] {
            (first, longest) if first == longest => write!(f, "; {first} s"),
            (first, longest) => write!(f, "; {first} s to {longest} s"),
        }
    }
}

/// Returns a duration as documents contain it.
fn duration(time: Duration) -> String {
    match time.as_nanos() {
        nanos if nanos % 1_000_000 == 0 => format!("{}ms", nanos / 1_000_000),
        nanos => format!("{nanos}ns"),
    }
}

/// Returns a key of a TOML document.
fn quoted(name: &str) -> String {
    let mut quoted = String::from('"');
    for character in name.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::survey::Survey;

    fn most_minimum_calls(grid: &Grid) -> u32 {
        let minima = grid.points().into_iter().map(|point| point.minimum_calls);
        minima.max().unwrap()
    }

    #[test]
    fn candidates_fit_rate_of_one_instance() {
        let calls = Scenario::steady(60.0).lasting(300).calls().zip(0..);
        let calls = calls.map(|(mut call, at): (_, u32)| {
            call.instance = Some(format!("web-{}", at % 12).into());
            call
        });
        let survey = Survey::of(calls);
        let traced = Grid::of(survey.names()[0], None);
        // A quarter of the 50 calls that an instance makes in 10 s; all instances make 600.
        assert!((11..=13).contains(&most_minimum_calls(&traced)));
        let dealt = |count| Instances::Dealt { count, seed: 0 };
        let dealt_to_twelve = traced.clone().with_instances(dealt(12));
        assert!((11..=13).contains(&most_minimum_calls(&dealt_to_twelve)));
        let dealt_to_one = dealt_to_twelve.with_instances(dealt(1));
        assert_eq!(most_minimum_calls(&dealt_to_one), 100);
        let traced_again = dealt_to_one.with_instances(Instances::OfTraffic);
        assert_eq!(
            most_minimum_calls(&traced_again),
            most_minimum_calls(&traced)
        );
    }
}
