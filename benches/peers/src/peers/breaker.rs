//! breaker: a state machine behind a read-write lock, async only. It always keeps a window; with a
//! rate of zero only failures in a row open it.

use super::{OPEN_FOR, Polled, Refusable, Rule, Setup};
use crate::job::{Failure, Job};
use crate::through::{Inner, through};
use ::breaker::{
    BreakerLayer, BreakerService, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerError,
};
use tower::Layer;

fn build(setup: Setup) -> Option<CircuitBreaker> {
    let builder = CircuitBreakerConfig::builder().wait_duration(OPEN_FOR);
    let builder = match setup.rule {
        Rule::Consecutive => builder
            .consecutive_failures(5)
            .failure_rate_threshold(0.0)
            .sliding_window_size(1),
        Rule::CountWindow => builder
            .consecutive_failures(u32::MAX)
            .failure_rate_threshold(0.5)
            .sliding_window_size(100)
            .minimum_calls(10),
        Rule::TimeWindow | Rule::SlowCalls => return None,
    };
    Some(CircuitBreaker::new(builder.build()))
}

impl Refusable for CircuitBreakerError<Failure> {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::CircuitOpen | Self::Rejected)
    }
}

impl Polled for CircuitBreaker {
    type Error = CircuitBreakerError<Failure>;
    type Caller = Self;
    fn new(setup: Setup) -> Option<Self> {
        build(setup)
    }
    fn caller(&self) -> Self {
        self.clone()
    }
    #[inline]
    fn call(caller: &mut Self, job: Job) -> impl Future<Output = Result<u64, Self::Error>> {
        CircuitBreaker::call(caller, || job)
    }
}

/// Its tower service.
pub struct Service(BreakerService<Inner>);

impl Polled for Service {
    type Error = CircuitBreakerError<Failure>;
    type Caller = BreakerService<Inner>;
    fn new(setup: Setup) -> Option<Self> {
        build(setup).map(|breaker| Self(BreakerLayer::new(breaker).layer(Inner)))
    }
    fn caller(&self) -> BreakerService<Inner> {
        self.0.clone()
    }
    #[inline]
    fn call(
        caller: &mut BreakerService<Inner>,
        job: Job,
    ) -> impl Future<Output = Result<u64, Self::Error>> {
        through(caller, job)
    }
}
