//! Fallbacks that call the breaker that refused their call.

use super::breaker;
use breakerbox::prelude::*;
use std::cell::Cell;
use std::fmt;
use std::time::Duration;

#[test]
fn fallback_calling_its_breaker_is_refused() {
    let breaker = breaker();
    breaker.trip();
    let fallback_calls = Cell::new(0);
    let answer = (|n: u8| Ok::<_, fmt::Error>(n))
        .guarded_by(&breaker)
        .fallback(|n: u8| {
            fallback_calls.set(fallback_calls.get() + 1);
            let again = breaker.call(|| Ok::<_, fmt::Error>(n));
            assert!(again.is_err_and(|error| error.is_open()));
            Ok(n + 1)
        })
        .call(1);
    assert_eq!((answer.unwrap(), fallback_calls.get()), (2, 1));
    let totals = breaker.snapshot().totals;
    assert_eq!(totals.refused, 2, "{totals:?}");
}

#[tokio::test]
async fn nested_fallbacks_return_innermost_value() {
    let breaker = breaker();
    breaker.trip();
    let handle = &breaker;
    let down = || async { Err::<u8, _>(fmt::Error) };
    let answer = down()
        .guarded_by(handle)
        .fallback(async |_| {
            let inner = down().guarded_by(handle).fallback(async |_| {
                let innermost = down().guarded_by(handle).await;
                assert!(innermost.is_err_and(|error| error.is_open()));
                Ok(3)
            });
            inner.await.map_err(|_| fmt::Error)
        })
        .await;
    assert_eq!(answer.unwrap(), 3);
    assert_eq!(breaker.snapshot().totals.refused, 3);
}

#[test]
fn fallback_can_reset_and_call_its_breaker() {
    let breaker = breaker();
    breaker.trip();
    let guarded = (|| Ok::<_, fmt::Error>(1))
        .guarded_by(&breaker)
        .fallback(|| {
            breaker.reset();
            breaker
                .call(|| Ok::<_, fmt::Error>(2))
                .map_err(|_| fmt::Error)
        });
    assert_eq!(guarded.call().unwrap(), 2);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.success, totals.refused), (Some(1), 1));
    assert_eq!(breaker.state(), State::Closed);
}

/// The only trial slot is taken. The fallback of a second call is refused, and takes no slot.
#[tokio::test(start_paused = true)]
async fn fallback_takes_no_trial_slot() {
    let builder = CircuitBreaker::builder().half_open_calls(1);
    let breaker = builder.build().unwrap();
    breaker.half_open();
    let trial = tokio::spawn({
        let breaker = breaker.clone();
        async move {
            let slow = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok::<_, fmt::Error>(1)
            };
            slow.guarded_by(&breaker).await
        }
    });
    tokio::task::yield_now().await;
    let handle = &breaker;
    let answer = async { Ok::<_, fmt::Error>(2) }
        .guarded_by(handle)
        .fallback(async |_| {
            assert_eq!(handle.snapshot().in_flight, Some(1));
            let again = async { Ok::<_, fmt::Error>(3) }.guarded_by(handle).await;
            again.map_err(|_| fmt::Error).or(Ok(4))
        })
        .await;
    assert_eq!(answer.unwrap(), 4);
    assert_eq!(trial.await.unwrap().unwrap(), 1);
    assert_eq!(breaker.state(), State::Closed);
}
