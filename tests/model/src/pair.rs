//! A breaker and its model, compared after each step.

use crate::invariants::InvariantChecker;
use crate::log;
use crate::model::{Model, Refused};
use crate::ramp_up::RampUp;
use crate::settings::{Settings, Span};
use crate::steps::{Change, Command, Ending, Order, Side};
use breakerbox::{CircuitBreaker, CircuitOpen, State};
use std::time::Duration;

pub struct Pair {
    pub breaker: CircuitBreaker,
    pub model: Model,
    pub in_flight: Vec<usize>,
    /// Failures that were caused by the timeout of the call.
    pub timed_out: u64,
    /// Calls that joined a trial.
    pub joined: u64,
    /// A listener has sent a command in this step, which may hide the effect of the step.
    pub listener_interfered: bool,
    invariants: InvariantChecker,
}

impl Pair {
    pub fn new(breaker: CircuitBreaker, settings: &Settings, now: u64) -> Self {
        Self {
            invariants: InvariantChecker::of(&breaker),
            breaker,
            model: Model::new(settings, now),
            in_flight: Vec::new(),
            timed_out: 0,
            joined: 0,
            listener_interfered: false,
        }
    }

    /// Begins a call in the model.
    pub fn begin(&mut self) -> Result<usize, Refused> {
        let call = self.model.begin()?;
        self.admit(call);
        Ok(call)
    }

    /// Begins a call in the model like [`begin`](Self::begin), but does not count a refusal.
    pub fn begin_uncounted(&mut self) -> Result<usize, Refused> {
        let call = self.model.begin_uncounted()?;
        self.admit(call);
        Ok(call)
    }

    fn admit(&mut self, call: usize) {
        self.invariants.admitted += 1;
        self.in_flight.push(call);
    }

    /// Begins a call in the model, and asserts that the breaker gave the same answer.
    ///
    /// Returns the permit and the number of the call if the call was admitted.
    pub fn compare_admission<T>(&mut self, found: Result<T, CircuitOpen>) -> Option<(T, usize)> {
        match (found, self.begin()) {
            (Ok(permit), Ok(call)) => Some((permit, call)),
            (Err(found), Err(expected)) => {
                self.assert_refusal(&found, &expected);
                None
            }
            (found, expected) => {
                let found = found.map(|_| ());
                let expected = expected.map_err(|refused| refused.reason);
                panic!("admission: {found:?}, expected: {expected:?}");
            }
        }
    }

    pub fn assert_refusal(&self, found: &CircuitOpen, expected: &Refused) {
        assert_eq!(found.reason(), expected.reason);
        assert_eq!(found.retry_after(), expected.retry_after, "retry after");
        assert_ne!(found.retry_after(), Some(Duration::ZERO));
        let failures = log::consecutive_failures(&self.model.log);
        assert_eq!(found.failure_count(), failures, "failures in the refusal");
        assert_eq!(
            found.state(),
            self.model.reported_state(),
            "state in the refusal"
        );
    }

    /// Ends a call in the model, after the breaker recorded it, and compares the effect.
    ///
    /// Returns `false` if the circuit was disabled and recorded nothing.
    pub fn record_ending(&mut self, call: usize, ending: Ending) -> bool {
        self.in_flight.retain(|other| *other != call);
        self.invariants.ended += 1;
        let due = self.model.reaches_threshold(call, ending);
        if !self.model.is_current(call) && !self.listener_interfered {
            let requested = matches!(ending, Ending::TripFor(_));
            self.invariants.assert_unchanged(&self.breaker, requested);
        }
        let recorded = self.model.end(call, ending);
        self.invariants.unrecorded += u64::from(!recorded);
        if let Some(due) = due.filter(|_| !self.listener_interfered) {
            let opened = self.breaker.state() == State::Open;
            assert_eq!(
                opened, due,
                "the circuit opens exactly at the failure threshold"
            );
        }
        recorded
    }

    /// Sends a command to the breaker and to the model.
    pub fn send_command(&mut self, command: Command) {
        command.send_to(&self.breaker);
        self.record_command(command);
    }

    /// Sends the model a command that the breaker has received.
    pub fn record_command(&mut self, command: Command) {
        self.model.command(command);
        self.invariants.forget_deadline();
    }

    /// Gives the model an order. Returns `false` if the breaker must reject the order.
    pub fn record_order(&mut self, order: Order) -> bool {
        self.invariants.forget_deadline();
        self.model.order(order)
    }

    /// Changes the settings of the model. Returns the settings that the breaker must receive.
    pub fn record_change(&mut self, change: &Change) -> Settings {
        let settings = change.applied_to(&self.model.settings);
        self.record_settings(&settings);
        settings
    }

    /// Gives the model settings that the breaker receives as well.
    pub fn record_settings(&mut self, settings: &Settings) {
        self.model.configure(settings);
        self.invariants.forget_deadline();
    }

    /// Returns the time until one of the next boundaries, or one nanosecond less or more.
    pub fn time_until_boundary(&self, which: usize, side: Side) -> Duration {
        let times = self.boundaries();
        if times.is_empty() {
            return Duration::ZERO;
        }
        let time = times[which % times.len()];
        let target = match side {
            Side::Before => time.saturating_sub(1),
            Side::At => time,
            Side::After => time.saturating_add(1),
        };
        Duration::from_nanos(target.saturating_sub(self.model.now))
    }

    /// Returns the future times at which an answer of the breaker may change without a call.
    fn boundaries(&self) -> Vec<u64> {
        let model = &self.model;
        let mut times: Vec<u64> = model.deadline.into_iter().chain(model.lease).collect();
        times.extend(model.ramp_up.iter().flat_map(RampUp::boundaries));
        if let Some((attempt, Some(recovered))) = log::attempt(&model.log) {
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

    /// Returns the calls in flight that the breaker knows of: the trials of a half-open circuit, or the
    /// timed calls if there is a slow-call rule.
    fn known_in_flight(&self) -> Option<usize> {
        let model = &self.model;
        if model.state == State::HalfOpen {
            return Some(model.trials_in_flight());
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

    /// Compares the values that the breaker reads without a lock.
    pub fn check_state(&mut self) {
        self.listener_interfered = false;
        let Self { breaker, model, .. } = self;
        assert_eq!(breaker.state(), model.reported_state());
        assert_eq!(
            breaker.open_remaining(),
            model.open_remaining(),
            "open remaining"
        );
        self.invariants.check_state(breaker, model);
    }

    /// Compares everything else. The snapshot flushes the success buffer into the windows.
    pub fn check_snapshot(&mut self) {
        let Self { breaker, model, .. } = self;
        let failures = log::consecutive_failures(&model.log);
        assert_eq!(breaker.failure_count(), failures, "failures");
        let found = breaker.snapshot();
        assert_eq!(found.state, model.reported_state(), "state in the snapshot");
        assert_eq!(found.failure_count, failures, "failures in the snapshot");
        assert_eq!(
            found.open_remaining,
            model.open_remaining(),
            "remaining in the snapshot"
        );
        assert_eq!(found.attempt, model.attempt().unwrap_or(0), "attempt");
        if model.state == model.reported_state() {
            assert_eq!(
                found.since,
                Duration::from_nanos(model.now - model.since),
                "since"
            );
        }
        let counting = model.settings.count_successes;
        log::assert_totals(&model.log, counting, &found.totals);
        assert_eq!(found.totals.timed_out, self.timed_out, "timed out");
        assert_eq!(found.totals.joined, self.joined, "joined");
        let ramp_up = model.ramp_up.as_ref();
        let share = ramp_up.and_then(|ramp_up| ramp_up.share(model.now));
        assert_eq!(found.ramp_up_share, share, "share of the ramp-up");
        assert_eq!(
            found.totals.would_trip,
            log::would_trip(&model.log),
            "would trip"
        );
        assert_eq!(found.rules.len(), model.settings.rules.len());
        for (found, (rule, figures)) in found.rules.iter().zip(model.rules()) {
            assert_eq!(found.rule, rule.to_trip_rule());
            assert_eq!(found.recorded, figures.recorded, "recorded of {rule:?}");
            assert_eq!(found.failed, figures.failed, "failed of {rule:?}");
            assert_eq!(found.slow, figures.slow, "slow of {rule:?}");
            assert_eq!(found.rate, figures.rate, "rate of {rule:?}");
        }
        let in_flight = found.in_flight.map(|calls| calls as usize);
        assert_eq!(in_flight, self.known_in_flight(), "in flight");
        let uncounted = log::uncounted_successes(&self.model.log, found.totals.success.is_some());
        self.invariants
            .check_totals(&found, uncounted, self.in_flight.len() as u64);
    }
}

pub fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
