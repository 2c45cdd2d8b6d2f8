//! A breaker beside its model: step by step, both say the same.

use crate::invariants::Witness;
use crate::naive::{Model, Refused};
use crate::record;
use crate::settings::{Settings, Span};
use crate::steps::{Change, Command, Ending, Side};
use breakerbox::{CircuitBreaker, CircuitOpen, State};
use std::time::Duration;

pub struct Pair {
    pub breaker: CircuitBreaker,
    pub model: Model,
    pub in_flight: Vec<usize>,
    /// Those among the failures that ran into their own limit.
    pub timed_out: u64,
    /// A listener has acted on what happens in this step: its outcome shows no more.
    pub meddled: bool,
    witness: Witness,
}

impl Pair {
    pub fn new(breaker: CircuitBreaker, settings: &Settings, now: u64) -> Self {
        Self {
            witness: Witness::of(&breaker),
            breaker,
            model: Model::new(settings, now),
            in_flight: Vec::new(),
            timed_out: 0,
            meddled: false,
        }
    }

    /// What the model says to a call that asks to pass now.
    pub fn begin(&mut self) -> Result<usize, Refused> {
        let call = self.model.begin()?;
        self.witness.admitted += 1;
        self.in_flight.push(call);
        Ok(call)
    }

    /// The same beside what the breaker said; the call, if both let it pass.
    pub fn began<T>(&mut self, found: Result<T, CircuitOpen>) -> Option<(T, usize)> {
        match (found, self.begin()) {
            (Ok(pass), Ok(call)) => Some((pass, call)),
            (Err(found), Err(expected)) => {
                self.assert_refusal(&found, &expected);
                None
            }
            (found, expected) => {
                let found = found.map(|_| ());
                let expected = expected.map_err(|refused| refused.reason);
                panic!("admission: {found:?}, and should have been {expected:?}");
            }
        }
    }

    pub fn assert_refusal(&self, found: &CircuitOpen, expected: &Refused) {
        assert_eq!(found.reason(), expected.reason);
        assert_eq!(found.retry_after(), expected.retry_after, "retry after");
        assert_ne!(found.retry_after(), Some(Duration::ZERO));
        let failures = record::consecutive(&self.model.log);
        assert_eq!(found.failure_count(), failures, "failures in the refusal");
        assert_eq!(found.state(), self.model.shown(), "state in the refusal");
    }

    /// The breaker was told that a call has ended. Whether that is in its books: what ends while it
    /// is disabled is not.
    pub fn ended(&mut self, call: usize, how: Ending) -> bool {
        self.in_flight.retain(|other| *other != call);
        self.witness.ended += 1;
        let due = self.model.threshold_due(call, how);
        if !self.model.has_a_say(call) && !self.meddled {
            let hint = matches!(how, Ending::TripFor(_));
            self.witness.assert_untouched(&self.breaker, hint);
        }
        let recorded = self.model.end(call, how);
        self.witness.unrecorded += u64::from(!recorded);
        if let Some(due) = due.filter(|_| !self.meddled) {
            let opened = self.breaker.state() == State::Open;
            assert_eq!(opened, due, "opens after exactly the configured failures");
        }
        recorded
    }

    pub fn command(&mut self, command: Command) {
        command.steer(&self.breaker);
        self.commanded(command);
    }

    /// The breaker was given this command.
    pub fn commanded(&mut self, command: Command) {
        self.model.command(command);
        self.witness.told();
    }

    pub fn configure(&mut self, change: &Change) -> Settings {
        let settings = change.applied_to(&self.model.settings);
        self.configured(&settings);
        settings
    }

    /// The breaker was given these settings.
    pub fn configured(&mut self, settings: &Settings) {
        self.model.configure(settings);
        self.witness.told();
    }

    /// How far it is to one of the times to come at which something changes, or a nanosecond beside
    /// it.
    pub fn way_to(&self, which: usize, side: Side) -> Duration {
        let times = self.boundaries();
        if times.is_empty() {
            return Duration::ZERO;
        }
        let time = times[which % times.len()];
        let aim = match side {
            Side::Before => time.saturating_sub(1),
            Side::At => time,
            Side::After => time.saturating_add(1),
        };
        Duration::from_nanos(aim.saturating_sub(self.model.now))
    }

    fn boundaries(&self) -> Vec<u64> {
        let model = &self.model;
        let mut times: Vec<u64> = model.deadline.into_iter().chain(model.lease).collect();
        if let Some((attempt, Some(recovered))) = record::attempt(&model.log) {
            let delay = model.settings.recovery.delay(attempt);
            let limit = model.settings.reset_backoff_after.unwrap_or(delay);
            times.push(recovered.saturating_add(nanos(limit)));
        }
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
            for call in &self.in_flight {
                times.push(model.call(*call).began.saturating_add(nanos(limit)));
            }
        }
        times.retain(|time| *time > model.now);
        times
    }

    /// The slots of a half-open circuit; otherwise timed calls under a slow-call rule, whenever they began.
    fn known_in_flight(&self) -> Option<usize> {
        let model = &self.model;
        if model.state == State::HalfOpen {
            return Some(model.live());
        }
        if model
            .settings
            .rules
            .iter()
            .any(|rule| rule.slower_than.is_some())
        {
            let timed = self
                .in_flight
                .iter()
                .filter(|call| model.call(**call).timed);
            return Some(timed.count());
        }
        None
    }

    /// What can be asked without a lock.
    pub fn glance(&mut self) {
        self.meddled = false;
        let Self { breaker, model, .. } = self;
        assert_eq!(breaker.state(), model.shown());
        assert_eq!(
            breaker.open_remaining(),
            model.open_remaining(),
            "open remaining"
        );
        self.witness.glance(breaker, model);
    }

    /// Everything else. To look moves successes that had been put down elsewhere into their windows.
    pub fn look(&mut self) {
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
        assert_eq!(found.attempt, model.attempt().unwrap_or(0), "attempt");
        if model.state == model.shown() {
            assert_eq!(
                found.since,
                Duration::from_nanos(model.now - model.since),
                "since"
            );
        }
        let counting = model.settings.count_successes;
        record::assert_totals(&model.log, counting, &found.totals);
        assert_eq!(found.totals.timed_out, self.timed_out, "timed out");
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
        let in_flight = found.in_flight.map(|calls| calls as usize);
        assert_eq!(in_flight, self.known_in_flight(), "in flight");
        let uncounted = record::hidden_successes(&self.model.log, found.totals.success.is_some());
        self.witness
            .look(&found, uncounted, self.in_flight.len() as u64);
    }
}

pub fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
