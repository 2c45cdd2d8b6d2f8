//! Guarded services between other layers of tower: buffers, caches, limits, retries and hedges.

use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerError, CircuitBreaker, State, is_refusal};
use std::error::Error;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower::buffer::Buffer;
use tower::hedge::{self, Hedge};
use tower::limit::ConcurrencyLimit;
use tower::load_shed::error::Overloaded;
use tower::ready_cache::ReadyCache;
use tower::retry::{self, Retry};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

type BoxError = Box<dyn Error + Send + Sync>;

const RECOVERY: Duration = Duration::from_secs(30);
const ALMOST_RECOVERY: Duration = Duration::from_secs(29);
const SECOND: Duration = Duration::from_secs(1);

fn breaker() -> CircuitBreaker {
    let builder = CircuitBreaker::builder();
    let built = builder
        .failure_threshold(1)
        .recovery_timeout(RECOVERY)
        .build();
    built.expect("valid settings")
}

/// A service that takes as many seconds as the request says, and counts its calls.
fn slow(
    calls: &Arc<AtomicU32>,
) -> impl Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Send + 'static {
    let calls = calls.clone();
    service_fn(move |seconds: u64| {
        calls.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(Duration::from_secs(seconds)).await;
            Ok(seconds)
        }
    })
}

fn is_pending<S: Service<u64>>(service: &mut S) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    service.poll_ready(&mut context).is_pending()
}

fn refused(breaker: &CircuitBreaker) -> u64 {
    breaker.snapshot().totals.refused
}

#[tokio::test(start_paused = true)]
async fn buffer_outside_keeps_calls_until_recovery() {
    let (breaker, calls) = (breaker(), Arc::default());
    let layer = BreakerLayer::new(breaker.clone())
        .pending_while_open()
        .flatten_err();
    let service = Buffer::new(layer.layer(slow(&calls)), 16);
    breaker.trip();
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let service = service.clone();
        tasks.spawn(async move {
            let begin = Instant::now();
            service.oneshot(1).await.map(|_| begin.elapsed())
        });
    }
    sleep(ALMOST_RECOVERY).await;
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    sleep(SECOND + SECOND / 2).await;
    // The first call is the only trial. The others follow when it has succeeded.
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let waits = tasks.join_all().await;
    let waits: Vec<Duration> = waits.into_iter().map(Result::unwrap).collect();
    let first = waits.iter().filter(|wait| **wait < RECOVERY + 2 * SECOND);
    assert_eq!(first.count(), 1);
    assert_eq!((calls.load(Ordering::Relaxed), refused(&breaker)), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn pending_service_gives_buffer_slot_back() {
    let breaker = breaker();
    let mut buffer = Buffer::new(slow(&Arc::default()), 1);
    let layer = BreakerLayer::new(breaker.clone()).pending_while_open();
    let mut guarded = layer.layer(buffer.clone());
    guarded.ready().await.unwrap();
    assert!(
        is_pending(&mut buffer),
        "the guarded service holds the only slot"
    );
    breaker.trip();
    assert!(is_pending(&mut guarded));
    assert!(!is_pending(&mut buffer));
}

#[tokio::test(start_paused = true)]
async fn pending_service_gives_concurrency_place_back() {
    let breaker = breaker();
    let mut limited = ConcurrencyLimit::new(slow(&Arc::default()), 1);
    let layer = BreakerLayer::new(breaker.clone()).pending_while_open();
    let (mut polled, mut called) = (layer.layer(limited.clone()), layer.layer(limited.clone()));
    polled.ready().await.unwrap();
    assert!(
        is_pending(&mut limited),
        "the guarded service holds the only place"
    );
    // A service in the queue of the limit has a place there, too.
    assert!(is_pending(&mut called));
    breaker.trip();
    assert!(is_pending(&mut polled) && is_pending(&mut called));
    assert!(!is_pending(&mut limited));

    // A service that is called instead of polled.
    breaker.reset();
    drop(limited.call(0));
    called.ready().await.unwrap();
    breaker.trip();
    assert!(called.call(0).await.unwrap_err().is_open());
    assert!(!is_pending(&mut limited));
}

/// Without `pending_while_open`, a refused clone keeps its place, and no trial gets one.
#[tokio::test(start_paused = true)]
async fn refused_clone_blocks_recovery_only_if_ready() {
    let breaker = breaker();
    let limited = ConcurrencyLimit::new(slow(&Arc::default()), 1);
    let layer = BreakerLayer::new(breaker.clone());
    let (mut refused, trial) = (layer.layer(limited.clone()), layer.layer(limited.clone()));
    refused.ready().await.unwrap();
    breaker.trip();
    assert!(refused.call(0).await.unwrap_err().is_open());
    sleep(RECOVERY).await;
    assert!(timeout(100 * RECOVERY, trial.oneshot(0)).await.is_err());
    assert_eq!(breaker.state(), State::HalfOpen);
    drop(refused);

    breaker.reset();
    let layer = layer.pending_while_open();
    let (mut refused, trial) = (layer.layer(limited.clone()), layer.layer(limited));
    refused.ready().await.unwrap();
    breaker.trip();
    assert!(refused.call(0).await.unwrap_err().is_open());
    sleep(RECOVERY).await;
    let trial = timeout(RECOVERY, trial.oneshot(0)).await;
    assert_eq!(trial.expect("no place is left").unwrap(), 0);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn concurrency_limit_inside_recovers_under_load() {
    let (breaker, calls) = (breaker(), Arc::default());
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::new(breaker.clone()).pending_while_open())
        .concurrency_limit(2)
        .service(slow(&calls));
    let mut tasks = JoinSet::new();
    for _ in 0..40 {
        let mut service = service.clone();
        tasks.spawn(async move {
            for _ in 0..5 {
                service.ready().await.unwrap();
                // Some services are ready, and then are not called for a while.
                sleep(SECOND / 3).await;
                let _ = service.call(1).await;
            }
        });
    }
    for _ in 0..5 {
        sleep(10 * SECOND).await;
        breaker.trip();
        sleep(RECOVERY + 3 * SECOND).await;
        assert_eq!(breaker.state(), State::Closed);
    }
    assert!(timeout(300 * SECOND, tasks.join_all()).await.is_ok());
    assert!(calls.load(Ordering::Relaxed) > 100);
}

#[tokio::test(start_paused = true)]
async fn concurrency_limit_outside_waits_for_recovery() {
    let (breaker, calls) = (breaker(), Arc::default());
    let service = ServiceBuilder::new()
        .concurrency_limit(2)
        .layer(
            BreakerLayer::new(breaker.clone())
                .pending_while_open()
                .flatten_err(),
        )
        .service(slow(&calls));
    breaker.trip();
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        tasks.spawn(service.clone().oneshot(1));
    }
    sleep(ALMOST_RECOVERY).await;
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    let results = tasks.join_all().await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((calls.load(Ordering::Relaxed), refused(&breaker)), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn ready_cache_moves_open_service_to_pending() {
    let breakers = [breaker(), breaker()];
    let mut cache = ReadyCache::<usize, _, u64>::default();
    for (key, breaker) in breakers.iter().enumerate() {
        let layer = BreakerLayer::new(breaker.clone())
            .pending_while_open()
            .flatten_err();
        cache.push(key, layer.layer(slow(&Arc::default())));
    }
    breakers[0].trip();
    let mut context = Context::from_waker(Waker::noop());
    assert!(cache.poll_pending(&mut context).is_pending());
    assert_eq!((cache.ready_len(), cache.pending_len()), (1, 1));
    // The other service opens while it is ready.
    breakers[1].trip();
    assert!(!cache.check_ready(&mut context, &1).unwrap());
    assert_eq!((cache.ready_len(), cache.pending_len()), (0, 2));
    sleep(RECOVERY + SECOND).await;
    assert!(matches!(
        cache.poll_pending(&mut context),
        Poll::Ready(Ok(()))
    ));
    assert_eq!(cache.ready_len(), 2);
    assert!(cache.check_ready(&mut context, &1).unwrap());
    assert_eq!(cache.call_ready(&1, 1).await.unwrap(), 1);
    assert_eq!(
        breakers.map(|breaker| breaker.state()),
        [State::HalfOpen, State::Closed]
    );
}

#[tokio::test(start_paused = true)]
async fn load_shed_outside_refuses_while_pending() {
    let breaker = breaker();
    let service = ServiceBuilder::new()
        .load_shed()
        .layer(
            BreakerLayer::new(breaker.clone())
                .pending_while_open()
                .flatten_err(),
        )
        .service(slow(&Arc::default()));
    breaker.trip();
    let error = service.clone().oneshot(0).await.unwrap_err();
    assert!(error.is::<Overloaded>());
    sleep(RECOVERY + SECOND).await;
    assert_eq!(service.oneshot(0).await.unwrap(), 0);
    assert_eq!((breaker.state(), refused(&breaker)), (State::Closed, 0));
}

/// Retries every error at once, a limited number of times.
#[derive(Clone)]
struct Attempts(u32);

impl<E> retry::Policy<u64, u64, E> for Attempts {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u64, result: &mut Result<u64, E>) -> Option<Ready<()>> {
        if result.is_ok() || self.0 == 0 {
            return None;
        }
        self.0 -= 1;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}

/// A service that fails a number of times.
fn failing(
    failures: u32,
    calls: &Arc<AtomicU32>,
) -> impl Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Send + 'static {
    let calls = calls.clone();
    service_fn(move |request| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        ready(if call < failures {
            Err("down".into())
        } else {
            Ok(request)
        })
    })
}

#[tokio::test(start_paused = true)]
async fn retry_outside_waits_for_recovery() {
    let (breaker, calls) = (breaker(), Arc::default());
    let layer = BreakerLayer::new(breaker.clone()).pending_while_open();
    let service = Retry::new(Attempts(3), layer.layer(failing(2, &calls)));
    let begin = Instant::now();
    // One failure opens the circuit, the failed trial opens it again, and the second trial succeeds.
    assert_eq!(service.oneshot(7).await.unwrap(), 7);
    assert!(begin.elapsed() >= 2 * RECOVERY);
    assert_eq!((calls.load(Ordering::Relaxed), refused(&breaker)), (3, 0));
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn retry_outside_sees_refusals_if_ready() {
    let (breaker, calls) = (breaker(), Arc::default());
    let layer = BreakerLayer::new(breaker.clone());
    let service = Retry::new(Attempts(3), layer.layer(failing(2, &calls)));
    let error = service.oneshot(7).await.unwrap_err();
    assert!(matches!(error, BreakerError::Open(_)));
    assert_eq!((calls.load(Ordering::Relaxed), refused(&breaker)), (1, 3));
}

/// Hedges every request.
#[derive(Clone)]
struct Always;

impl hedge::Policy<u64> for Always {
    fn clone_request(&self, request: &u64) -> Option<u64> {
        Some(*request)
    }

    fn can_retry(&self, _: &u64) -> bool {
        true
    }
}

/// Hedges after 10 ms.
fn hedged<S>(service: S) -> Hedge<S, Always>
where
    S: Service<u64, Error: Into<BoxError>> + Clone,
{
    Hedge::new_with_mock_latencies(service, Always, 1, 0.9, 1_000_000 * SECOND, &[10; 20])
}

#[tokio::test(start_paused = true)]
async fn hedge_outside_duplicates_slow_calls() {
    let (breaker, calls) = (breaker(), Arc::default());
    let layer = BreakerLayer::new(breaker.clone())
        .pending_while_open()
        .flatten_err();
    let mut service = hedged(layer.layer(slow(&calls)));
    assert_eq!(service.ready().await.unwrap().call(1).await.unwrap(), 1);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.success, totals.cancelled), (Some(1), 1));
}

/// The second attempt waits for the trial instead of being refused, so the trial ends.
#[tokio::test(start_paused = true)]
async fn hedge_outside_lets_trial_end() {
    let (breaker, calls) = (breaker(), Arc::default());
    let layer = BreakerLayer::new(breaker.clone())
        .pending_while_open()
        .flatten_err();
    let mut service = hedged(layer.layer(slow(&calls)));
    breaker.half_open();
    assert_eq!(service.ready().await.unwrap().call(1).await.unwrap(), 1);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!((calls.load(Ordering::Relaxed), refused(&breaker)), (1, 0));
}

/// The refusal of the second attempt is the first result, so the hedge drops the trial.
#[tokio::test(start_paused = true)]
async fn hedge_outside_abandons_trial_if_ready() {
    let (breaker, calls) = (breaker(), Arc::default());
    let mut service = hedged(
        BreakerLayer::new(breaker.clone())
            .flatten_err()
            .layer(slow(&calls)),
    );
    breaker.half_open();
    for _ in 0..5 {
        let error = service.ready().await.unwrap().call(1).await.unwrap_err();
        assert!(is_refusal(&*error));
        assert_eq!(breaker.state(), State::HalfOpen);
    }
    assert_eq!(breaker.snapshot().totals.cancelled, 5);
}
