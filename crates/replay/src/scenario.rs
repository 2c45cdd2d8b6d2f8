//! [`Scenario`]: generated traffic, for unit tests and for experiments.

use crate::call::{Call, Outcome};
use crate::candidate::Candidate;
use crate::figures::Figures;
use crate::outage::Outage;
use crate::random::Random;
use crate::replay::Replay;
use crate::survey::Survey;
use breakerbox::BreakerBuilder;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Generated traffic with outages, for unit tests and for experiments.
///
/// Times are whole seconds since the beginning, and rates are calls per second. The same scenario
/// always generates the same calls.
///
/// # Default
///
/// * `latency`: 20 ms; each call takes between half and one and a half times as long
/// * `lasting`: two minutes after the last outage, or five minutes without one
/// * `seeded`: 0
/// * `named`: `scenario`
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, Preset, presets::Balanced};
/// use breakerbox_replay::Scenario;
/// use std::time::Duration;
///
/// // One replica of three is down for two minutes: the circuit must stay closed.
/// let partial = Scenario::steady(50.0).outage(60..180, 0.34);
/// assert!(partial.replay(Balanced::preset()).good_refused() < 100);
/// assert!(partial.replay(CircuitBreaker::builder()).good_refused() > 1_000);
///
/// // Everything is down: the circuit must open soon.
/// let total = Scenario::steady(50.0).outage(60..180, 1.0);
/// assert!(total.replay(Balanced::preset()).detected < Duration::from_secs(1));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a scenario does nothing until it is replayed"]
pub struct Scenario {
    name: Arc<str>,
    rate: f64,
    latency: Duration,
    failing_after: Option<Duration>,
    phases: Vec<Phase>,
    bursts: Option<Bursts>,
    lasting: Option<Duration>,
    seed: u64,
}

/// A period in which calls fail or are slow.
#[derive(Clone, Debug)]
struct Phase {
    span: Range<Duration>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Outage { share: f64 },
    Slow { share: f64, latency: Duration },
    Flapping { period: Duration },
    Gradual { share: f64 },
    OneOfMany { replicas: u32 },
}

#[derive(Clone, Copy, Debug)]
struct Bursts {
    every: Duration,
    length: Duration,
    factor: f64,
}

impl Scenario {
    /// Creates healthy traffic of `rate` calls per second, more than 0. The gaps between calls are
    /// uniformly distributed between zero and twice their mean.
    ///
    /// # Panics
    ///
    /// Panics if `rate` is not between 0.001 and 1,000,000.
    pub fn steady(rate: f64) -> Self {
        assert!(
            (0.001..=1_000_000.0).contains(&rate),
            "a rate of {rate} calls per second is not between 0.001 and 1,000,000"
        );
        Self {
            name: "scenario".into(),
            rate,
            latency: Duration::from_millis(20),
            failing_after: None,
            phases: Vec::new(),
            bursts: None,
            lasting: None,
            seed: 0,
        }
    }

    /// Adds an outage in which the share `share` of the calls fails, independently of each other.
    pub fn outage(self, seconds: Range<u64>, share: f64) -> Self {
        self.phase(seconds, Kind::Outage { share })
    }

    /// Adds a period in which the share `share` of the calls takes between `latency` and one and a
    /// half times as long. They succeed, and count as bad.
    pub fn slow(self, seconds: Range<u64>, share: f64, latency: Duration) -> Self {
        self.phase(seconds, Kind::Slow { share, latency })
    }

    /// Adds a period that alternates between total outage and health. Each of the two lasts `half`.
    pub fn flapping(self, seconds: Range<u64>, half: Duration) -> Self {
        let period = half.max(Duration::from_millis(1));
        self.phase(seconds, Kind::Flapping { period })
    }

    /// Adds an outage in which the share of calls that fail grows from zero to `share`.
    pub fn gradual(self, seconds: Range<u64>, share: f64) -> Self {
        self.phase(seconds, Kind::Gradual { share })
    }

    /// Adds an outage of one of `replicas` replicas, to which calls are dealt in turn.
    pub fn one_of_many(self, seconds: Range<u64>, replicas: u32) -> Self {
        let replicas = replicas.max(1);
        self.phase(seconds, Kind::OneOfMany { replicas })
    }

    fn phase(mut self, seconds: Range<u64>, kind: Kind) -> Self {
        let span = Duration::from_secs(seconds.start)..Duration::from_secs(seconds.end);
        self.phases.push(Phase { span, kind });
        self
    }

    /// Multiplies the rate by `factor` for `length` at the beginning of every period of `every`.
    pub fn bursts(mut self, every: Duration, length: Duration, factor: f64) -> Self {
        self.bursts = Some(Bursts {
            every: every.max(Duration::from_millis(1)),
            length,
            factor: factor.max(0.001),
        });
        self
    }

    /// Sets the mean duration of calls. Default: 20 ms. With zero, calls take no time.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Sets the duration of calls that fail, such as a timeout. Default: that of other calls.
    pub fn failing_after(mut self, latency: Duration) -> Self {
        self.failing_after = Some(latency);
        self
    }

    /// Sets the length in seconds. Default: two minutes after the last outage, or five minutes.
    pub fn lasting(mut self, seconds: u64) -> Self {
        self.lasting = Some(Duration::from_secs(seconds));
        self
    }

    /// Sets the seed from which the calls follow. Default: 0.
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the name of the breaker. Default: `scenario`.
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Returns the calls, in the order of their starts.
    pub fn calls(&self) -> impl Iterator<Item = Call> + use<> {
        Calls {
            random: Random::new(self.seed),
            scenario: self.clone(),
            end: self.end(),
            now: Duration::ZERO,
            line: 0,
        }
    }

    /// Returns the periods in which calls fail or are slow.
    pub fn outages(&self) -> Vec<Outage> {
        let outage = |phase: &Phase| Outage::new(phase.span.start, phase.span.end);
        let outages = self.phases.iter().map(outage);
        outages.map(|outage| outage.of(self.name.clone())).collect()
    }

    /// Returns a survey of the calls, in which slow calls count as bad.
    pub fn survey(&self) -> Survey {
        let mut survey = self.empty_survey();
        survey.extend(self.calls());
        survey
    }

    /// Replays the calls through one breaker with `settings`.
    ///
    /// # Panics
    ///
    /// Panics if the settings are invalid.
    pub fn replay(&self, settings: BreakerBuilder) -> Figures {
        let candidate = Candidate::new("scenario", settings);
        let candidate = candidate.unwrap_or_else(|error| panic!("invalid settings: {error}"));
        let replay = Replay::new(&self.empty_survey()).candidate(candidate);
        let replay = replay.outages(self.outages()).shifts(1).threads(1);
        let replayed = replay.run(self.calls());
        replayed.candidates[0].figures()
    }

    fn empty_survey(&self) -> Survey {
        let limit = |phase: &Phase| match phase.kind {
            Kind::Slow { latency, .. } => Some(latency),
            _ => None,
        };
        match self.phases.iter().filter_map(limit).min() {
            Some(limit) => Survey::new().bad_from(limit),
            None => Survey::new(),
        }
    }

    fn end(&self) -> Duration {
        let last = self.phases.iter().map(|phase| phase.span.end).max();
        let after = |last: Duration| last.saturating_add(Duration::from_secs(120));
        let end = last.map_or(Duration::from_secs(300), after);
        self.lasting.unwrap_or(end)
    }
}

/// The calls of a scenario.
#[derive(Debug)]
struct Calls {
    scenario: Scenario,
    random: Random,
    end: Duration,
    now: Duration,
    line: u64,
}

impl Iterator for Calls {
    type Item = Call;

    fn next(&mut self) -> Option<Call> {
        let rate = self.scenario.rate * self.factor();
        let gap = Duration::from_secs_f64(2.0 * self.random.unit() / rate);
        self.now = self.now.saturating_add(gap);
        if self.now >= self.end {
            return None;
        }
        let (fails, slow) = self.fate();
        self.line += 1;
        let mut call = Call::new(self.scenario.name.clone(), self.now, Outcome::Success);
        if fails {
            call.outcome = Outcome::Failure;
            call.error = Some("outage".into());
        }
        call.duration = Some(match (slow, self.scenario.failing_after) {
            (Some(latency), _) => latency.mul_f64(1.0 + 0.5 * self.random.unit()),
            (None, Some(latency)) if fails => latency,
            _ if self.scenario.latency.is_zero() => Duration::ZERO,
            _ => self.scenario.latency.mul_f64(0.5 + self.random.unit()),
        });
        Some(call)
    }
}

impl Calls {
    fn factor(&self) -> f64 {
        match self.scenario.bursts {
            Some(bursts) => {
                let period = bursts.every.as_nanos();
                let is_burst = self.now.as_nanos() % period < bursts.length.as_nanos();
                if is_burst { bursts.factor } else { 1.0 }
            }
            None => 1.0,
        }
    }

    /// Returns whether the next call fails, and how long it takes if it is slow.
    fn fate(&mut self) -> (bool, Option<Duration>) {
        let now = self.now;
        let (mut fails, mut slow) = (false, None);
        for phase in &self.scenario.phases {
            if !phase.span.contains(&now) {
                continue;
            }
            let since = now - phase.span.start;
            match phase.kind {
                Kind::Outage { share } => fails |= self.random.unit() < share,
                Kind::Slow { share, latency } => {
                    if self.random.unit() < share {
                        slow = Some(latency);
                    }
                }
                Kind::Flapping { period } => {
                    fails |= (since.as_nanos() / period.as_nanos()) % 2 == 0;
                }
                Kind::Gradual { share } => {
                    let length = phase.span.end - phase.span.start;
                    let grown = share * since.as_secs_f64() / length.as_secs_f64();
                    fails |= self.random.unit() < grown;
                }
                Kind::OneOfMany { replicas } => fails |= self.line % u64::from(replicas) == 0,
            }
        }
        (fails, slow)
    }
}
