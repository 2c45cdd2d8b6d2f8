//! [`RateDraws`]: calls that are drawn at random from rates per interval.

use super::mapping::{Mapping, Rates};
use super::rows::{Rows, select};
use super::sink::{BadReason, Format, Sink};
use crate::random::Random;
use crate::{Call, Outcome};
use std::collections::HashMap;
use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

/// The maximum number of intervals, which are all in memory.
const MAX_INTERVALS: usize = 200_000;
/// The maximum number of calls of one interval.
const MAX_CALLS: f64 = 1e9;
/// The length of the interval of a series that has only one.
const LONE_INTERVAL: Duration = Duration::from_secs(60);
/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874;

/// Draws the calls of all intervals, in the order of their start.
pub(super) struct RateDraws {
    rows: Option<Rows>,
    mapping: Mapping,
    random: Random,
    /// The number of calls that were drawn, which stands for the number of a line.
    drawn: u64,
    /// The intervals that have not begun, the latest first.
    waiting: Vec<Interval>,
    /// The intervals that have calls left.
    running: Vec<Interval>,
}

/// One interval of one series.
struct Interval {
    rates: Rates,
    end: Duration,
    calls_left: u64,
    failures_left: u64,
    /// The start of the next call.
    next: Duration,
}

impl RateDraws {
    pub(super) fn new(rows: Rows, mapping: Mapping, seed: u64) -> Self {
        Self {
            rows: Some(rows),
            mapping,
            random: Random::new(seed),
            drawn: 0,
            waiting: Vec::new(),
            running: Vec::new(),
        }
    }

    /// Reads all rows. Returns the intervals in the order of their start.
    fn read_intervals(&mut self, sink: &mut Sink) -> Vec<Interval> {
        let mut all = Vec::new();
        let mapping = &self.mapping;
        let Some(mut rows) = self.rows.take() else {
            return all;
        };
        while rows.read(sink, |sink, row| {
            let Some(()) = select(mapping, sink, row) else {
                return;
            };
            let rates = match mapping.rates(row.values, &mut sink.names) {
                Ok(_) if all.len() == MAX_INTERVALS => Err("more than 200,000 intervals".into()),
                Ok(rates) if rates.calls > MAX_CALLS => {
                    Err(BadReason::from("more than a billion calls in an interval"))
                }
                Ok(rates) if rates.p99 < rates.p50 && rates.p99.is_some() => {
                    Err(BadReason::from("p99 is shorter than p50"))
                }
                rates => rates,
            };
            match rates {
                Ok(rates) => all.push(Interval::new(rates)),
                Err(reason) => sink.bad(row.number, &reason, row.text),
            }
        }) {}
        all.sort_by_key(|interval| interval.rates.start);
        all
    }

    /// Prepares the intervals of all series.
    fn prepare(&mut self, sink: &mut Sink) {
        let mut intervals = self.read_intervals(sink);
        let mut series = HashMap::<(Arc<str>, Option<Arc<str>>), Series>::new();
        for Interval { rates, .. } in &intervals {
            let key = (rates.name.clone(), rates.instance.clone());
            series.entry(key).or_default().add(rates.start);
        }
        for interval in &mut intervals {
            let rates = &interval.rates;
            let key = (rates.name.clone(), rates.instance.clone());
            let series = series.entry(key).or_default();
            let length = series.shortest.unwrap_or(LONE_INTERVAL);
            interval.end = rates.start.saturating_add(length);
            (interval.calls_left, interval.failures_left) =
                series.whole(rates.calls, rates.failures);
        }
        intervals.retain(|interval| interval.calls_left > 0);
        self.waiting = intervals;
        self.waiting.reverse();
    }

    /// Starts the intervals that begin before the next call of the running ones.
    fn start_due(&mut self) {
        while let Some(first) = self.waiting.last() {
            let next = self.running.iter().map(|interval| interval.next).min();
            if next.is_some_and(|next| next < first.rates.start) {
                return;
            }
            if let Some(mut interval) = self.waiting.pop() {
                interval.advance(&mut self.random);
                self.running.push(interval);
            }
        }
    }
}

impl Format for RateDraws {
    fn read(&mut self, sink: &mut Sink) -> bool {
        if self.rows.is_some() {
            self.prepare(sink);
        }
        self.start_due();
        let running = self.running.iter().enumerate();
        let Some((index, _)) = running.min_by_key(|(_, interval)| interval.next) else {
            return false;
        };
        let Some(interval) = self.running.get_mut(index) else {
            return false;
        };
        let call = interval.draw(&mut self.random);
        if interval.calls_left == 0 {
            self.running.remove(index);
        }
        self.drawn += 1;
        sink.push(self.drawn, call.start, call);
        true
    }
}

impl Interval {
    fn new(rates: Rates) -> Self {
        Self {
            end: rates.start,
            calls_left: 0,
            failures_left: 0,
            next: rates.start,
            rates,
        }
    }

    /// Draws the start of the next call: the earliest of the calls that are left, evenly distributed over
    /// the rest of the interval.
    fn advance(&mut self, random: &mut Random) {
        let rest = self.end.saturating_sub(self.next).as_secs_f64();
        #[allow(clippy::cast_precision_loss)] // at most a billion
        let share = 1.0 - random.unit().powf(1.0 / self.calls_left.max(1) as f64);
        self.next += Duration::try_from_secs_f64(rest * share).unwrap_or_default();
    }

    fn draw(&mut self, random: &mut Random) -> Call {
        let fails = random.below(self.calls_left) < self.failures_left;
        let duration = self.duration(random);
        let call = Call {
            start: self.next,
            name: self.rates.name.clone(),
            instance: self.rates.instance.clone(),
            duration,
            outcome: if fails {
                Outcome::Failure
            } else {
                Outcome::Success
            },
            error: None,
            request: None,
        };
        self.calls_left = self.calls_left.saturating_sub(1);
        self.failures_left = self.failures_left.saturating_sub(fails.into());
        self.advance(random);
        call
    }

    /// Draws a duration of the log-normal distribution through both percentiles.
    fn duration(&self, random: &mut Random) -> Option<Duration> {
        let p50 = self.rates.p50?;
        let Some(p99) = self.rates.p99.filter(|_| !p50.is_zero()) else {
            return Some(p50);
        };
        let sigma = (p99.as_secs_f64() / p50.as_secs_f64()).ln() / Z99;
        // Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958.
        let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
        let normal = radius * (TAU * random.unit()).cos();
        let seconds = p50.as_secs_f64() * (sigma * normal).exp();
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(p99))
    }
}

/// The intervals of one name and instance.
#[derive(Default)]
struct Series {
    latest: Option<Duration>,
    shortest: Option<Duration>,
    /// The fractions of calls and failures that are not drawn yet.
    carried: (f64, f64),
}

impl Series {
    fn add(&mut self, start: Duration) {
        if let Some(length) = self.latest.map(|latest| start.saturating_sub(latest)) {
            if !length.is_zero() {
                let shortest = self.shortest.unwrap_or(length);
                self.shortest = Some(shortest.min(length));
            }
        }
        self.latest = Some(start);
    }

    /// Returns whole numbers of calls and failures, and carries the fractions over to the next interval.
    fn whole(&mut self, calls: f64, failures: f64) -> (u64, u64) {
        let (calls, failures) = (calls + self.carried.0, failures + self.carried.1);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0 to a billion
        let floor = |number: f64| (number + 1e-9).floor().max(0.0) as u64;
        let whole = (floor(calls), floor(failures).min(floor(calls)));
        #[allow(clippy::cast_precision_loss)]
        let rest = |number: f64, whole: u64| (number - whole as f64).max(0.0);
        self.carried = (rest(calls, whole.0), rest(failures, whole.1));
        whole
    }
}
