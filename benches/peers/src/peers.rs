//! Circuit breakers of other crates.

use crate::case::{Call, Case, Rule};
use crate::loops::{
    CallLoop, FAILS, Failure, async_calls, async_work, leak, service_calls, sync_calls, work,
};
use breaker::{BreakerLayer, CircuitBreakerConfig};
use circuitbreaker_rs::DefaultPolicy;
use failsafe::{FailurePolicy, backoff, failure_policy};
use recloser::{AsyncRecloser, Recloser};
use std::time::Duration;
use tower::{Layer, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};

/// Longer than the whole run.
pub const OPEN_FOR: Duration = Duration::from_secs(3600);
pub const MINUTE: Duration = Duration::from_secs(60);

/// Keeps a ring of outcomes behind a spin lock. Instead of consecutive failures, it uses a failure
/// rate of 100 % over 5 calls.
pub fn recloser(case: &Case) -> Vec<CallLoop> {
    let (length, rate) = match case.rule {
        Rule::Consecutive => (5, 1.0),
        Rule::Calls => (100, 0.5),
        Rule::Time => return Vec::new(),
    };
    let builder = Recloser::custom().closed_len(length).error_rate(rate);
    let breaker = builder.open_wait(OPEN_FOR).build();
    match case.call {
        Call::Sync => {
            let breaker = leak(breaker);
            sync_calls(|input| breaker.call(|| work(input)))
        }
        Call::Async => {
            let breaker = leak(AsyncRecloser::from(breaker));
            async_calls(|input| breaker.call(async_work(input)))
        }
        _ => Vec::new(),
    }
}

/// Has a failure policy behind a mutex. Its time window is a moving average of successes.
pub fn failsafe(case: &Case) -> Vec<CallLoop> {
    let backoff = backoff::constant(OPEN_FOR);
    match case.rule {
        Rule::Consecutive => {
            failsafe_by(failure_policy::consecutive_failures(5, backoff), case.call)
        }
        Rule::Calls => Vec::new(),
        Rule::Time => {
            let rate = failure_policy::success_rate_over_time_window(0.5, 10, MINUTE, backoff);
            failsafe_by(rate, case.call)
        }
    }
}

fn failsafe_by(policy: impl FailurePolicy + Send + Sync + 'static, call: Call) -> Vec<CallLoop> {
    use failsafe::CircuitBreaker;
    use failsafe::futures::CircuitBreaker as AsyncCircuitBreaker;
    let breaker = leak(failsafe::Config::new().failure_policy(policy).build());
    match call {
        Call::Sync => sync_calls(|input| CircuitBreaker::call(breaker, || work(input))),
        Call::Async => async_calls(|input| AsyncCircuitBreaker::call(breaker, async_work(input))),
        Call::Permit => sync_calls(|input| {
            if !breaker.is_call_permitted() {
                return Err(());
            }
            match input {
                FAILS => breaker.on_error(),
                _ => breaker.on_success(),
            }
            Ok(())
        }),
        _ => Vec::new(),
    }
}

/// Has a state machine behind a read-write lock, for async calls only. It always keeps a window. A
/// rate of zero leaves only the rule for consecutive failures.
pub fn breaker(case: &Case) -> Vec<CallLoop> {
    let (failures, rate, window) = match case.rule {
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
    let breaker = leak(breaker::CircuitBreaker::new(config.build()));
    match case.call {
        Call::Async => async_calls(|input| breaker.call(move || async_work(input))),
        Call::Service | Call::ClonedService => {
            let layer = BreakerLayer::new(breaker.clone());
            service_calls(case, layer.layer(service_fn(async_work)))
        }
        _ => Vec::new(),
    }
}

/// Has a counter behind a mutex.
pub fn nobreak(case: &Case) -> Vec<CallLoop> {
    let builder = nobreak::builder()
        .with_failure_threshold(5)
        .with_success_threshold(1)
        .with_open_duration(OPEN_FOR);
    let breaker = leak(builder.build());
    match (case.rule, case.call) {
        (Rule::Consecutive, Call::Sync) => sync_calls(|input| breaker.call(|| work(input))),
        (Rule::Consecutive, Call::Async) => {
            async_calls(|input| breaker.call_async(move || async_work(input)))
        }
        _ => Vec::new(),
    }
}

/// Has atomic counters, and locks for the times of recent calls. Its failure rate is set out of reach,
/// because the crate never fills its windows.
pub fn circuitbreaker_rs(case: &Case) -> Vec<CallLoop> {
    let builder = circuitbreaker_rs::CircuitBreaker::<DefaultPolicy, Failure>::builder()
        .failure_threshold(2.0)
        .consecutive_failures(5)
        .cooldown(OPEN_FOR);
    let breaker = leak(builder.build());
    match (case.rule, case.call) {
        (Rule::Consecutive, Call::Sync) => sync_calls(|input| breaker.call(|| work(input))),
        (Rule::Consecutive, Call::Async) => {
            async_calls(|input| breaker.call_async(move || async_work(input)))
        }
        _ => Vec::new(),
    }
}

/// A tower service whose circuit is behind an async mutex.
pub fn tower_resilience(case: &Case) -> Vec<CallLoop> {
    if !matches!(case.call, Call::Async | Call::Service | Call::ClonedService) {
        return Vec::new();
    }
    let builder = CircuitBreakerLayer::builder()
        .wait_duration_in_open(OPEN_FOR)
        .failure_rate_threshold(0.5)
        .sliding_window_size(100)
        .minimum_number_of_calls(10);
    let builder = match case.rule {
        Rule::Consecutive => builder.consecutive_failures(5),
        Rule::Calls => builder,
        Rule::Time => builder
            .sliding_window_type(SlidingWindowType::TimeBased)
            .sliding_window_duration(MINUTE),
    };
    let layer = builder.build().expect("valid settings");
    service_calls(case, layer.layer_fn(service_fn(async_work)))
}
