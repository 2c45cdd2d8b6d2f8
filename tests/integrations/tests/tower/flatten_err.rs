//! `flatten_err`: services with the error type of the inner service, and layers that box errors.

use crate::support::{Fault, Readiness, Script, StrictService, TestRequest, poll_ready, send};
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerError, CircuitBreaker, CircuitOpen, is_refusal};
use std::error::Error;
use std::future::{pending, ready};
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tower::timeout::error::Elapsed;
use tower::util::{BoxCloneService, BoxService, option_layer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

type BoxError = Box<dyn Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error("refused")]
    Circuit(#[from] BreakerError),
    #[error("failed")]
    Failed,
}

fn breaker() -> CircuitBreaker {
    let built = CircuitBreaker::builder()
        .name("x")
        .failure_threshold(1)
        .build();
    built.expect("valid settings")
}

/// A guarded service with an error type of the application.
fn fixture() -> (
    CircuitBreaker,
    Arc<Script>,
    impl Service<TestRequest, Response = u32, Error = AppError>,
) {
    let breaker = breaker();
    let (strict, script) = StrictService::new();
    let service = strict.map_err(|Fault| AppError::Failed);
    let layer = BreakerLayer::new(breaker.clone()).flatten_err();
    (breaker, script, layer.layer(service))
}

#[test]
fn refusal_becomes_error_of_service() {
    let (breaker, script, mut service) = fixture();
    assert_eq!(send(&mut service, TestRequest::Answer(7)).unwrap(), 7);
    breaker.trip();
    let error = send(&mut service, TestRequest::Answer(7)).unwrap_err();
    let AppError::Circuit(BreakerError::Open(open)) = error else {
        panic!("{error:?}");
    };
    assert_eq!((open.name(), script.called()), ("x", 1));
}

#[test]
fn errors_of_service_pass_unchanged_and_count() {
    let (breaker, script, mut service) = fixture();
    let error = send(&mut service, TestRequest::Fail).unwrap_err();
    assert!(matches!(error, AppError::Failed));
    assert_eq!(breaker.failure_count(), 1);
    breaker.reset();
    script.set_readiness(Readiness::Fails);
    let Poll::Ready(Err(AppError::Failed)) = poll_ready(&mut service) else {
        panic!("the error of `poll_ready` was not returned");
    };
    assert_eq!(breaker.failure_count(), 1);
}

#[test]
fn keyed_layer_flattens_errors() {
    let registry = breakerbox::BreakerRegistry::new();
    let layer = BreakerLayer::keyed(&registry, |key: &u32| format!("key:{key}")).flatten_err();
    let service = layer.layer(service_fn(|key: u32| ready(Ok::<_, AppError>(key))));
    registry.breaker("key:1").trip();
    let call = |key| futures_executor::block_on(service.clone().oneshot(key));
    assert!(matches!(call(1), Err(AppError::Circuit(_))));
    assert_eq!(call(2).unwrap(), 2);
}

/// Boxes errors inside the breaker, and outside.
#[tokio::test(start_paused = true)]
async fn boxing_layers_fit_inside_and_outside() {
    let users = CircuitBreaker::builder()
        .expected_error::<Elapsed>()
        .failure_threshold(1)
        .build()
        .unwrap();
    let service = ServiceBuilder::new()
        .boxed_clone()
        .buffer(8)
        .timeout(Duration::from_secs(60))
        .layer(BreakerLayer::new(users.clone()).flatten_err())
        .concurrency_limit(1)
        .timeout(Duration::from_secs(1))
        .buffer(8)
        .service(service_fn(async |answers: bool| {
            if answers { Ok(7) } else { pending().await }
                .map_err(|error: io::Error| BoxError::from(error))
        }));
    let service: BoxCloneService<bool, u32, BoxError> = service;
    assert_eq!(service.clone().oneshot(true).await.unwrap(), 7);
    // The error of the inner timeout passes unchanged, and the rule finds it in its box.
    let error = service.clone().oneshot(false).await.unwrap_err();
    assert!(error.is::<Elapsed>());
    assert_eq!(users.failure_count(), 1);
    let error = service.oneshot(true).await.unwrap_err();
    assert!(is_refusal(&*error));
    assert!(error.is::<BreakerError>());
}

#[tokio::test]
async fn boxed_services_fit_inside_and_outside() {
    let (breaker, script, _) = fixture();
    let (strict, _) = StrictService::new();
    let inner: BoxCloneService<TestRequest, u32, BoxError> = strict
        .map_err(|Fault| BoxError::from("failed"))
        .boxed_clone();
    let layer = BreakerLayer::new(breaker.clone())
        .flatten_err()
        .pending_while_open();
    let outer: BoxCloneService<TestRequest, u32, BoxError> = layer.layer(inner).boxed_clone();
    assert_eq!(
        outer.clone().oneshot(TestRequest::Answer(7)).await.unwrap(),
        7
    );
    let error = outer.oneshot(TestRequest::Fail).await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), breaker.failure_count()),
        ("failed", 1)
    );

    breaker.reset();
    let inner: BoxService<TestRequest, u32, BoxError> = StrictService::new()
        .0
        .map_err(|Fault| BoxError::from("failed"))
        .boxed();
    let layer = BreakerLayer::new(breaker.clone()).flatten_err();
    let mut outer: BoxService<TestRequest, u32, BoxError> = layer.layer(inner).boxed();
    assert_eq!(send(&mut outer, TestRequest::Answer(7)).unwrap(), 7);
    breaker.force_open();
    assert!(is_refusal(
        &*send(&mut outer, TestRequest::Answer(7)).unwrap_err()
    ));
    assert_eq!(script.called(), 0);
}

/// With `flatten_err`, a service has the same error type with and without the layer.
#[tokio::test]
async fn option_layer_accepts_flattened_layer() {
    for is_guarded in [true, false] {
        let breaker = breaker();
        breaker.force_open();
        let layer = BreakerLayer::new(breaker.clone()).flatten_err();
        let service = ServiceBuilder::new()
            .layer(option_layer(is_guarded.then_some(layer)))
            .service(service_fn(|()| ready(Ok::<_, AppError>(7))));
        let result = service.oneshot(()).await;
        assert_eq!(matches!(result, Err(AppError::Circuit(_))), is_guarded);
        assert_eq!(breaker.snapshot().totals.refused, u64::from(is_guarded));
    }
}

#[test]
fn outer_breaker_ignores_flattened_refusal() {
    let (inner, outer) = (breaker(), breaker());
    inner.force_open();
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::new(outer.clone()).flatten_err())
        .layer(BreakerLayer::new(inner).flatten_err())
        .service(service_fn(|()| ready(Ok::<(), BoxError>(()))));
    let error = futures_executor::block_on(service.oneshot(())).unwrap_err();
    assert!(is_refusal(&*error));
    let totals = outer.snapshot().totals;
    assert_eq!((totals.failure, totals.ignored), (0, 1));
}

#[test]
fn flattened_refusal_is_source_of_io_error() {
    let breaker = breaker();
    breaker.force_open();
    let layer = BreakerLayer::new(breaker).flatten_err();
    let service = layer.layer(service_fn(|()| ready(io::Result::Ok(()))));
    let error = futures_executor::block_on(service.oneshot(())).unwrap_err();
    let inner = error
        .get_ref()
        .unwrap()
        .downcast_ref::<BreakerError>()
        .unwrap();
    let open: &CircuitOpen = inner.source().unwrap().downcast_ref().unwrap();
    assert_eq!(open.name(), "x");
}

#[test]
fn on_refused_replaces_flatten_err() {
    let breaker = breaker();
    breaker.force_open();
    let layer = BreakerLayer::new(breaker)
        .flatten_err()
        .on_refused(|_, request: u32| Ok(request + 1));
    let service = layer.layer(service_fn(|n: u32| ready(Ok::<_, AppError>(n))));
    assert_eq!(futures_executor::block_on(service.oneshot(7)).unwrap(), 8);
}
