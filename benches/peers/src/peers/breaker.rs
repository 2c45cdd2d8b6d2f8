//! breaker: a state machine behind a read-write lock, async only. It always keeps a window. A rate of
//! zero leaves only consecutive failures.

use super::{Kind, Load, Loops, OPEN_FOR, Rule, loops, through};
use breaker::{BreakerLayer, CircuitBreaker, CircuitBreakerConfig};
use tower::{Layer, service_fn};

pub fn loops(load: Load) -> Loops {
    let (failures, rate, window) = match load.rule {
        Rule::Consecutive => (5, 0.0, 1),
        Rule::Calls => (u32::MAX, 0.5, 100),
        Rule::Time => return Vec::new(),
    };
    let config = CircuitBreakerConfig::builder()
        .wait_duration(OPEN_FOR)
        .consecutive_failures(failures)
        .failure_rate_threshold(rate)
        .sliding_window_size(window)
        .minimum_calls(window.min(10));
    let breaker = CircuitBreaker::new(config.build());
    let service = BreakerLayer::new(breaker.clone()).layer(service_fn(|work| work));
    loops! { load,
        Async: breaker => [async |breaker, work| breaker.call(|| work)],
        Service: service => [async |service, work| through(service, work)],
    }
}
