//! Thousands of concurrent calls on several threads.

use crate::support::Fault;
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerRegistry, CircuitBreaker, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::Barrier;
use tokio::task::{JoinSet, yield_now};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const CALLS: u64 = 4_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn half_open_admits_one_of_thousands() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    breaker.half_open();
    let (running, max_running) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let all_calls = Arc::new(Barrier::new(usize::try_from(CALLS).unwrap()));
    let service = service_fn({
        let (running, max_running, all_calls) =
            (running.clone(), max_running.clone(), all_calls.clone());
        move |()| {
            max_running.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let (running, all_calls) = (running.clone(), all_calls.clone());
            async move {
                all_calls.wait().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Fault>(())
            }
        }
    });
    let layer = BreakerLayer::new(breaker.clone());
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let (service, all_calls) = (layer.layer(service.clone()), all_calls.clone());
        calls.spawn(async move {
            match service.oneshot(()).await {
                Ok(()) => true,
                Err(error) => {
                    assert!(error.is_open());
                    all_calls.wait().await;
                    false
                }
            }
        });
    }
    let admitted = calls
        .join_all()
        .await
        .into_iter()
        .filter(|admitted| *admitted)
        .count();
    assert_eq!((admitted, max_running.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().totals.refused, CALLS - 1);
}

/// Combines a concurrency limit, several hosts, failures and dropped calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_calls_are_all_recorded() {
    let registry = BreakerRegistry::new();
    let served = Arc::new(AtomicU64::new(0));
    let counted = served.clone();
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::keyed(&registry, |number: &u64| {
            format!("host:{}", number % 7)
        }))
        .layer(ConcurrencyLimitLayer::new(16))
        .service(service_fn(move |number: u64| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                yield_now().await;
                if number % 7 == 3 {
                    Err(Fault)
                } else {
                    Ok(number)
                }
            }
        }));
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let call = service.clone().oneshot(number);
        calls.spawn(async move {
            if number % 11 == 0 {
                // `biased` polls the call once before the other branch drops it.
                return tokio::select! {
                    biased;
                    result = call => result.is_ok_and(|answer| answer == number),
                    () = yield_now() => false,
                };
            }
            call.await.is_ok_and(|answer| answer == number)
        });
    }
    let answered = calls.join_all().await.into_iter().filter(|ok| *ok).count();
    let (mut ended, mut successes) = (0, 0);
    for breaker in &registry {
        let totals = breaker.snapshot().totals;
        successes += totals.success.unwrap();
        ended += totals.success.unwrap()
            + totals.failure
            + totals.ignored
            + totals.cancelled
            + totals.late;
        let is_failing = breaker.name() == "host:3";
        assert_eq!(
            breaker.state() == State::Open,
            is_failing,
            "{}",
            breaker.name()
        );
    }
    assert_eq!(u64::try_from(answered).unwrap(), successes);
    assert_eq!(ended, served.load(Ordering::Relaxed));
    assert!(successes > CALLS / 2, "{successes}");
}
