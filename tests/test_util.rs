//! The feature `test-util`, with which the default clock follows tokio's clock.
#![cfg(feature = "test-util")]

use breakerbox::prelude::*;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn paused_tokio_clock_controls_default_clock() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    users.trip();
    tokio::time::advance(Duration::from_millis(29_999)).await;
    assert_eq!(users.state(), State::Open);
    assert_eq!(users.open_remaining(), Some(MILLISECOND));
    tokio::time::advance(MILLISECOND).await;
    assert_eq!(users.state(), State::HalfOpen);
    let trial = async { Ok::<_, std::fmt::Error>(()) };
    assert!(trial.guarded_by(&users).await.is_ok());
    assert_eq!(users.state(), State::Closed);
}

/// Each runtime has its own paused clock, so the time goes back when the second runtime starts.
#[test]
fn clock_that_goes_back_keeps_circuit_open() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    let breaker = CircuitBreaker::builder().build().unwrap();
    runtime().block_on(async {
        tokio::time::advance(Duration::from_secs(3_600)).await;
        breaker.trip();
    });
    runtime().block_on(async {
        assert_eq!(breaker.state(), State::Open);
        assert!(breaker.try_acquire().is_err());
        tokio::time::advance(Duration::from_secs(2 * 3_600)).await;
        assert_eq!(breaker.state(), State::HalfOpen);
    });
}
