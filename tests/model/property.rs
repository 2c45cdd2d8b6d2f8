//! Step by step, library and model say the same.

use crate::naive::Model;
use crate::record;
use crate::settings::{Rule, Settings, Span, settings};
use crate::steps::{Change, Command, Ending, Mixture, Side, Step, step};
use breakerbox::clock::ManualClock;
use breakerbox::{CircuitBreaker, Outcome, Permit, State};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::time::Duration;

const MOST_IN_FLIGHT: usize = 8;
const REGRESSIONS: &str = "tests/model/regressions";

struct Pair {
    clock: ManualClock,
    breaker: CircuitBreaker,
    model: Model,
    in_flight: Vec<(Permit, usize)>,
}

impl Pair {
    fn new(settings: &Settings, start: Duration) -> Self {
        let clock = ManualClock::new();
        clock.advance(start);
        let breaker = settings.builder().clock(clock.clone()).build().unwrap();
        let model = Model::new(settings, nanos(start));
        Self {
            clock,
            breaker,
            model,
            in_flight: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Begin if self.in_flight.len() < MOST_IN_FLIGHT => self.begin(),
            Step::Begin => {}
            Step::End(which, how) => {
                if !self.in_flight.is_empty() {
                    let (permit, call) = self.in_flight.remove(which % self.in_flight.len());
                    end(permit, *how);
                    self.model.end(call, *how);
                }
            }
            Step::Advance(time) => self.advance(*time),
            Step::AdvanceTo(which, side) => {
                let times = self.boundaries();
                if !times.is_empty() {
                    let time = times[which % times.len()];
                    let aim = match side {
                        Side::Before => time.saturating_sub(1),
                        Side::At => time,
                        Side::After => time.saturating_add(1),
                    };
                    self.advance(Duration::from_nanos(aim.saturating_sub(self.model.now)));
                }
            }
            Step::Command(command) => {
                steer(&self.breaker, *command);
                self.model.command(*command);
            }
            Step::Configure(change) => {
                let settings = mixed(&self.model.settings, change);
                self.breaker.configure(|_| settings.builder()).unwrap();
                self.model.configure(&settings);
            }
        }
    }

    fn begin(&mut self) {
        let failures = record::consecutive(&self.model.log);
        match (self.breaker.acquire(), self.model.begin()) {
            (Ok(permit), Ok(call)) => self.in_flight.push((permit, call)),
            (Err(found), Err(expected)) => {
                assert_eq!(found.reason(), expected.reason);
                assert_eq!(found.retry_after(), expected.retry_after, "retry after");
                assert_ne!(found.retry_after(), Some(Duration::ZERO));
                assert_eq!(found.failure_count(), failures, "failures in the refusal");
                assert_eq!(found.state(), self.model.shown(), "state in the refusal");
            }
            (found, expected) => {
                let expected = expected.map_err(|refused| refused.reason);
                panic!("admission: {found:?}, and should have been {expected:?}");
            }
        }
    }

    fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
        self.model.now = self.model.now.saturating_add(nanos(time));
    }

    /// The times to come at which something changes.
    fn boundaries(&self) -> Vec<u64> {
        let model = &self.model;
        let mut times: Vec<u64> = model.deadline.into_iter().chain(model.lease).collect();
        for rule in &model.settings.rules {
            if let Some(Span::Time { length, buckets }) = rule.span {
                let step = nanos(length / buckets);
                let begun = model.origin + (model.now - model.origin) / step * step;
                times.extend([step, nanos(length)].map(|time| begun.saturating_add(time)));
            }
        }
        let limits = model
            .settings
            .rules
            .iter()
            .filter_map(|rule| rule.slower_than);
        for limit in limits.chain(model.settings.cancelled_after) {
            for (_, call) in &self.in_flight {
                times.push(model.call(*call).began.saturating_add(nanos(limit)));
            }
        }
        times.retain(|time| *time > model.now);
        times
    }

    /// Timed calls under a slow-call rule, whenever they began; otherwise trials.
    fn known_in_flight(&self) -> Option<usize> {
        let model = &self.model;
        if model
            .settings
            .rules
            .iter()
            .any(|rule| rule.slower_than.is_some())
        {
            let timed = self
                .in_flight
                .iter()
                .filter(|(_, call)| model.call(*call).timed);
            return Some(timed.count());
        }
        (model.state == State::HalfOpen).then(|| model.live())
    }

    /// What can be asked without a lock.
    fn glance(&self) {
        let Self { breaker, model, .. } = self;
        assert_eq!(breaker.state(), model.shown());
        assert_eq!(
            breaker.open_remaining(),
            model.open_remaining(),
            "open remaining"
        );
    }

    /// Everything else. To look moves successes that had been put down elsewhere into their windows.
    fn look(&self) {
        let Self { breaker, model, .. } = self;
        let failures = record::consecutive(&model.log);
        assert_eq!(breaker.failure_count(), failures, "failures");
        let found = breaker.snapshot();
        assert_eq!(found.state, model.shown(), "state in the snapshot");
        assert_eq!(found.failure_count, failures, "failures in the snapshot");
        assert_eq!(
            found.open_remaining,
            model.open_remaining(),
            "remaining in the snapshot"
        );
        assert_eq!(found.attempt, record::attempt(&model.log), "attempt");
        let in_flight = found.in_flight.map(|calls| calls as usize);
        assert_eq!(in_flight, self.known_in_flight(), "in flight");
        if model.state == model.shown() {
            assert_eq!(
                found.since,
                Duration::from_nanos(model.now - model.since),
                "since"
            );
        }
        record::assert_totals(&model.log, model.settings.count_successes, &found.totals);
        assert_eq!(
            found.totals.would_trip,
            record::would_trip(&model.log),
            "would trip"
        );
        assert_eq!(found.rules.len(), model.settings.rules.len());
        for (found, (rule, figures)) in found.rules.iter().zip(model.rules()) {
            assert_eq!(found.rule, rule.built());
            let of = |of: &str| format!("{of} of {rule:?}");
            assert_eq!(found.recorded, figures.recorded, "{}", of("recorded"));
            assert_eq!(found.failed, figures.failed, "{}", of("failed"));
            assert_eq!(found.slow, figures.slow, "{}", of("slow"));
            assert_eq!(found.rate, figures.rate, "{}", of("rate"));
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn end(permit: Permit, how: Ending) {
    match how {
        Ending::Success => permit.success(),
        Ending::Failure => permit.failure(),
        Ending::Ignored => permit.record(Outcome::Ignored),
        Ending::TripFor(time) => permit.record(Outcome::TripFor(time)),
        Ending::Dropped => drop(permit),
    }
}

fn steer(breaker: &CircuitBreaker, command: Command) {
    match command {
        Command::Trip => breaker.trip(),
        Command::TripFor(time) => breaker.trip_for(time),
        Command::HalfOpen => breaker.half_open(),
        Command::ForceOpen => breaker.force_open(),
        Command::Disable => breaker.disable(),
        Command::MetricsOnly => breaker.metrics_only(),
        Command::Reset => breaker.reset(),
    }
}

/// The settings after a change.
fn mixed(old: &Settings, change: &Change) -> Settings {
    let (before, new) = (&old.rules, &change.settings.rules);
    let both = |one: &[Rule], other: &[Rule]| one.iter().chain(other).take(4).copied().collect();
    let rules = match change.rules {
        Mixture::Old => before.clone(),
        Mixture::New => new.clone(),
        Mixture::OldThenNew => both(before, new),
        Mixture::NewThenOld => both(new, before),
        Mixture::Rekinded => before
            .iter()
            .zip(new.iter().cycle())
            .map(|(old, new)| old.rekinded(new))
            .collect(),
    };
    let mode = if change.keeps_mode {
        old.mode
    } else {
        change.settings.mode
    };
    Settings {
        rules,
        mode,
        ..change.settings.clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 10_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_breaker_does_what_its_whole_history_says(
        settings in settings(),
        start in 0..30_000_000_u64,
        looks_each in prop_oneof![Just(1_usize), 2..=20_usize],
        steps in vec(step(), 1..=60),
    ) {
        let mut pair = Pair::new(&settings, Duration::from_nanos(start));
        pair.look();
        for (number, step) in steps.iter().enumerate() {
            pair.take(step);
            pair.glance();
            if number % looks_each == 0 {
                pair.look();
            }
        }
        pair.look();
    }
}
