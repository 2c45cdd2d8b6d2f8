//! tower-resilience-circuitbreaker: a tower service with its circuit behind an async mutex. It is
//! called as any tower service is: `poll_ready`, then `call`. Each thread has a clone, made once.

use super::{MINUTE, OPEN_FOR, Polled, Refusable, Rule, SECOND, Setup};
use crate::job::{Failure, Job};
use crate::through::{Inner, through};
use std::sync::{Mutex, PoisonError};
use tower_resilience_circuitbreaker::{
    CircuitBreaker, CircuitBreakerError, CircuitBreakerLayer, DefaultClassifier, SlidingWindowType,
};

type Service = CircuitBreaker<Inner, DefaultClassifier>;

/// The service is not `Sync`.
pub struct TowerResilience(Mutex<Service>);

impl Refusable for CircuitBreakerError<Failure> {
    fn is_refusal(&self) -> bool {
        self.is_circuit_open()
    }
}

impl Polled for TowerResilience {
    type Error = CircuitBreakerError<Failure>;
    type Caller = Service;
    fn new(setup: Setup) -> Option<Self> {
        let builder = CircuitBreakerLayer::builder()
            .wait_duration_in_open(OPEN_FOR)
            .failure_rate_threshold(0.5)
            .sliding_window_size(100)
            .minimum_number_of_calls(10);
        let builder = match setup.rule {
            Rule::Consecutive => builder.consecutive_failures(5),
            Rule::CountWindow => builder,
            Rule::TimeWindow => builder
                .sliding_window_type(SlidingWindowType::TimeBased)
                .sliding_window_duration(MINUTE),
            Rule::SlowCalls => builder
                .slow_call_duration_threshold(SECOND)
                .slow_call_rate_threshold(0.5),
        };
        let layer = builder.build().ok()?;
        Some(Self(Mutex::new(layer.layer_fn(Inner))))
    }
    fn caller(&self) -> Service {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
    #[inline]
    fn call(caller: &mut Service, job: Job) -> impl Future<Output = Result<u64, Self::Error>> {
        through(caller, job)
    }
}
