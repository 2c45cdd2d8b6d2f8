//! tower-resilience-circuitbreaker: a tower service with its circuit behind an async mutex.

use super::{Kind, Load, Loops, MINUTE, OPEN_FOR, Rule, loops, through};
use std::sync::Mutex;
use tower::service_fn;
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};

/// The service is not `Sync`.
struct Shared<S>(Mutex<S>);

impl<S: Clone> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().expect("no panic").clone()))
    }
}

pub fn loops(load: Load) -> Loops {
    let builder = CircuitBreakerLayer::builder()
        .wait_duration_in_open(OPEN_FOR)
        .failure_rate_threshold(0.5)
        .sliding_window_size(100)
        .minimum_number_of_calls(10);
    let builder = match load.rule {
        Rule::Consecutive => builder.consecutive_failures(5),
        Rule::Calls => builder,
        Rule::Time => builder
            .sliding_window_type(SlidingWindowType::TimeBased)
            .sliding_window_duration(MINUTE),
    };
    let layer = builder.build().expect("valid settings");
    let service = Shared(Mutex::new(layer.layer_fn(service_fn(|work| work))));
    loops! { load,
        Async: service => [async |own, work| through(own.0.get_mut().expect("no panic"), work)],
        Service: service => [async |own, work| through(own.0.get_mut().expect("no panic"), work)],
    }
}
