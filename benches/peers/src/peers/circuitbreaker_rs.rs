//! circuitbreaker-rs: atomic counters, and locks for the times of the last calls. Five in a row, with
//! its rate of failures set beyond reach. Its windows are never fed by the breaker itself.

use super::{Blocking, OPEN_FOR, Polled, Refusable, Rule, Setup};
use crate::job::{Failure, Job, Worked};
use circuitbreaker_rs::{BreakerError, CircuitBreaker, DefaultPolicy};

pub type CircuitbreakerRs = CircuitBreaker<DefaultPolicy, Failure>;

fn build(setup: Setup) -> Option<CircuitbreakerRs> {
    let builder = CircuitbreakerRs::builder()
        .failure_threshold(2.0)
        .consecutive_failures(5)
        .cooldown(OPEN_FOR);
    (setup.rule == Rule::Consecutive).then(|| builder.build())
}

impl Refusable for BreakerError<Failure> {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Open)
    }
}

impl Blocking for CircuitbreakerRs {
    type Error = BreakerError<Failure>;
    fn new(setup: Setup) -> Option<Self> {
        build(setup)
    }
    #[inline]
    fn call(&self, work: impl FnOnce() -> Worked) -> Result<u64, Self::Error> {
        self.call(work)
    }
}

impl Polled for CircuitbreakerRs {
    type Error = BreakerError<Failure>;
    type Caller = Self;
    fn new(setup: Setup) -> Option<Self> {
        build(setup)
    }
    fn caller(&self) -> Self {
        self.clone()
    }
    #[inline]
    fn call(caller: &mut Self, job: Job) -> impl Future<Output = Result<u64, Self::Error>> {
        caller.call_async(|| job)
    }
}
