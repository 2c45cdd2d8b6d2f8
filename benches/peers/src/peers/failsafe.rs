//! failsafe: a policy behind a mutex. Five in a row; over time, a moving average of successes.

use super::{Blocking, MINUTE, OPEN_FOR, Polled, Refusable, Rule, Setup};
use crate::job::{Failure, Job, Worked};
use failsafe::backoff::{Constant, constant};
use failsafe::failure_policy::{
    ConsecutiveFailures, SuccessRateOverTimeWindow, consecutive_failures,
    success_rate_over_time_window,
};
use failsafe::{CircuitBreaker, Config, Error, FailurePolicy, StateMachine};
use std::time::Duration;

pub enum Policy {
    InARow(ConsecutiveFailures<Constant>),
    OverTime(SuccessRateOverTimeWindow<Constant>),
}

impl FailurePolicy for Policy {
    #[inline]
    fn record_success(&mut self) {
        match self {
            Self::InARow(policy) => policy.record_success(),
            Self::OverTime(policy) => policy.record_success(),
        }
    }
    #[inline]
    fn mark_dead_on_failure(&mut self) -> Option<Duration> {
        match self {
            Self::InARow(policy) => policy.mark_dead_on_failure(),
            Self::OverTime(policy) => policy.mark_dead_on_failure(),
        }
    }
    fn revived(&mut self) {
        match self {
            Self::InARow(policy) => policy.revived(),
            Self::OverTime(policy) => policy.revived(),
        }
    }
}

pub type Failsafe = StateMachine<Policy, ()>;

fn build(setup: Setup) -> Option<Failsafe> {
    let backoff = constant(OPEN_FOR);
    let policy = match setup.rule {
        Rule::Consecutive => Policy::InARow(consecutive_failures(5, backoff)),
        Rule::TimeWindow => {
            Policy::OverTime(success_rate_over_time_window(0.5, 10, MINUTE, backoff))
        }
        Rule::CountWindow | Rule::SlowCalls => return None,
    };
    Some(Config::new().failure_policy(policy).build())
}

impl Refusable for Error<Failure> {
    fn is_refusal(&self) -> bool {
        matches!(self, Error::Rejected)
    }
}

impl Blocking for Failsafe {
    type Error = Error<Failure>;
    fn new(setup: Setup) -> Option<Self> {
        build(setup)
    }
    #[inline]
    fn call(&self, work: impl FnOnce() -> Worked) -> Result<u64, Self::Error> {
        CircuitBreaker::call(self, work)
    }
}

impl Polled for Failsafe {
    type Error = Error<Failure>;
    type Caller = Self;
    fn new(setup: Setup) -> Option<Self> {
        build(setup)
    }
    fn caller(&self) -> Self {
        self.clone()
    }
    #[inline]
    fn call(caller: &mut Self, job: Job) -> impl Future<Output = Result<u64, Self::Error>> {
        failsafe::futures::CircuitBreaker::call(caller, job)
    }
}
