//! nobreak: a count behind a mutex. Five in a row is all there is.

use super::{Blocking, OPEN_FOR, Polled, Refusable, Rule, Setup};
use crate::job::{Failure, Job, Worked};
use nobreak::{CircuitBreaker, CircuitError};
use std::sync::Arc;

fn build(setup: Setup) -> Option<CircuitBreaker> {
    let builder = nobreak::builder()
        .with_failure_threshold(5)
        .with_success_threshold(1)
        .with_open_duration(OPEN_FOR);
    (setup.rule == Rule::Consecutive).then(|| builder.build())
}

impl Refusable for CircuitError<Failure> {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Open)
    }
}

impl Blocking for CircuitBreaker {
    type Error = CircuitError<Failure>;
    fn new(setup: Setup) -> Option<Self> {
        build(setup)
    }
    #[inline]
    fn call(&self, work: impl FnOnce() -> Worked) -> Result<u64, Self::Error> {
        self.call(work)
    }
}

/// It has no handles to clone.
impl Polled for Arc<CircuitBreaker> {
    type Error = CircuitError<Failure>;
    type Caller = Self;
    fn new(setup: Setup) -> Option<Self> {
        build(setup).map(Arc::new)
    }
    fn caller(&self) -> Self {
        self.clone()
    }
    #[inline]
    fn call(caller: &mut Self, job: Job) -> impl Future<Output = Result<u64, Self::Error>> {
        caller.call_async(|| job)
    }
}
