//! Every form of code that can be guarded. Each test checks that the breaker counts the calls.

use crate::support::{Fault, expect_ready, success_count, successes};
use breakerbox::prelude::*;
use std::future::ready;
use std::pin::Pin;

async fn double(number: u64) -> Result<u64, Fault> {
    Ok(2 * number)
}

fn half(number: u64) -> Result<u64, Fault> {
    if number % 2 == 0 {
        Ok(number / 2)
    } else {
        Err(Fault)
    }
}

struct Client {
    base: u64,
}

impl Client {
    async fn get(&self, id: u64) -> Result<u64, Fault> {
        Ok(self.base + id)
    }

    fn peek(&self, id: u64) -> Result<u64, Fault> {
        Ok(self.base + id)
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;

fn double_boxed(number: u64) -> Boxed<u64> {
    Box::pin(double(number))
}

#[test]
fn futures_are_guarded() {
    let registry = BreakerRegistry::new();
    assert_eq!(
        expect_ready(double(4).with_breaker(&registry, "x")).ok(),
        Some(8)
    );
    assert_eq!(
        expect_ready(async { Ok::<_, Fault>(8) }.with_breaker(&registry, "x")).ok(),
        Some(8)
    );
    assert_eq!(
        expect_ready(double_boxed(4).with_breaker(&registry, "x")).ok(),
        Some(8)
    );
    assert_eq!(
        expect_ready(ready(Ok::<_, Fault>(8)).with_breaker(&registry, "x")).ok(),
        Some(8)
    );
    assert_eq!(
        expect_ready(Client { base: 4 }.get(4).with_breaker(&registry, "x")).ok(),
        Some(8)
    );
    let mut borrowed = std::pin::pin!(double(4));
    assert_eq!(
        expect_ready(borrowed.as_mut().with_breaker(&registry, "x")).ok(),
        Some(8)
    );
    assert_eq!(successes(&registry), Some(6));
}

#[test]
fn async_functions_are_guarded() {
    let registry = BreakerRegistry::new();
    assert_eq!(
        expect_ready(double.with_breaker(&registry, "x").call(4)).ok(),
        Some(8)
    );
    assert_eq!(
        expect_ready(double_boxed.with_breaker(&registry, "x").call(4)).ok(),
        Some(8)
    );
    let pointer: fn(u64) -> Boxed<u64> = double_boxed;
    assert_eq!(
        expect_ready(pointer.with_breaker(&registry, "x").call(4)).ok(),
        Some(8)
    );
    assert_eq!(successes(&registry), Some(3));
}

#[test]
fn async_closures_are_guarded() {
    let registry = BreakerRegistry::new();
    let factor = 2;
    let borrows = async |number: u64| Ok::<_, Fault>(factor * number);
    assert_eq!(
        expect_ready(borrows.with_breaker(&registry, "x").call(4)).ok(),
        Some(8)
    );
    let returns_future = move |number: u64| double(factor * number);
    assert_eq!(
        expect_ready(returns_future.with_breaker(&registry, "x").call(2)).ok(),
        Some(8)
    );
    let returns_block = |number: u64| async move { Ok::<_, Fault>(2 * number) };
    assert_eq!(
        expect_ready(returns_block.with_breaker(&registry, "x").call(4)).ok(),
        Some(8)
    );
    assert_eq!(successes(&registry), Some(3));
}

#[test]
fn methods_are_guarded() {
    let registry = BreakerRegistry::new();
    let client = Client { base: 4 };
    assert_eq!(
        expect_ready(Client::get.with_breaker(&registry, "x").call(&client, 4)).ok(),
        Some(8)
    );
    assert_eq!(
        Client::peek
            .with_breaker(&registry, "x")
            .call(&client, 4)
            .ok(),
        Some(8)
    );
    assert_eq!(successes(&registry), Some(2));
}

#[test]
fn sync_functions_and_closures_are_guarded() {
    let registry = BreakerRegistry::new();
    assert_eq!(half.with_breaker(&registry, "x").call(16).ok(), Some(8));
    let pointer: fn(u64) -> Result<u64, Fault> = half;
    assert_eq!(pointer.with_breaker(&registry, "x").call(16).ok(), Some(8));
    let base = 4;
    let closure = |number: u64| Ok::<_, Fault>(base + number);
    assert_eq!(closure.with_breaker(&registry, "x").call(4).ok(), Some(8));
    let boxed: Box<dyn Fn(u64) -> Result<u64, Fault>> = Box::new(half);
    assert_eq!(boxed.with_breaker(&registry, "x").call(16).ok(), Some(8));
    assert_eq!(successes(&registry), Some(4));
    let error = half.with_breaker(&registry, "x").call(3).expect_err("odd");
    assert_eq!(error.into_inner(), Some(Fault));
    assert_eq!(registry.breaker("x").failure_count(), 1);
}

// The next four functions are generic over the code that they guard.
async fn call_async_fn<F>(
    registry: &BreakerRegistry,
    function: F,
) -> Result<u64, BreakerError<Fault>>
where
    F: AsyncFn(u64) -> Result<u64, Fault>,
{
    (|number| function(number))
        .with_breaker(registry, "x")
        .call(4)
        .await
}

async fn call_fn_returning_future<F, Fut>(
    registry: &BreakerRegistry,
    function: F,
) -> Result<u64, BreakerError<Fault>>
where
    F: Fn(u64) -> Fut,
    Fut: Future<Output = Result<u64, Fault>>,
{
    function.with_breaker(registry, "x").call(4).await
}

async fn await_future<Fut>(
    registry: &BreakerRegistry,
    future: Fut,
) -> Result<u64, BreakerError<Fault>>
where
    Fut: Future<Output = Result<u64, Fault>>,
{
    future.with_breaker(registry, "x").await
}

fn call_sync_fn<F>(registry: &BreakerRegistry, function: F) -> Result<u64, BreakerError<Fault>>
where
    F: Fn(u64) -> Result<u64, Fault>,
{
    function.with_breaker(registry, "x").call(16)
}

#[test]
fn generic_functions_can_guard_arguments() {
    let registry = BreakerRegistry::new();
    assert_eq!(expect_ready(call_async_fn(&registry, double)).ok(), Some(8));
    assert_eq!(
        expect_ready(call_async_fn(&registry, async |number| double(number).await)).ok(),
        Some(8)
    );
    assert_eq!(
        expect_ready(call_fn_returning_future(&registry, double)).ok(),
        Some(8)
    );
    assert_eq!(
        expect_ready(await_future(&registry, double(4))).ok(),
        Some(8)
    );
    assert_eq!(call_sync_fn(&registry, half).ok(), Some(8));
    assert_eq!(successes(&registry), Some(5));
}

#[test]
fn handles_guard_every_form() {
    let breaker = CircuitBreaker::builder().build().expect("valid settings");
    assert_eq!(expect_ready(double(4).guarded_by(&breaker)).ok(), Some(8));
    assert_eq!(
        expect_ready(double(4).guarded_by(breaker.clone())).ok(),
        Some(8)
    );
    assert_eq!(
        expect_ready(double.guarded_by(&breaker).call(4)).ok(),
        Some(8)
    );
    assert_eq!(half.guarded_by(breaker.clone()).call(16).ok(), Some(8));
    assert_eq!(expect_ready(breaker.call_async(double(4))).ok(), Some(8));
    assert_eq!(breaker.call(|| half(16)).ok(), Some(8));
    assert_eq!(success_count(&breaker), Some(6));
}

#[tokio::test]
async fn owned_guards_can_be_spawned() {
    let registry = BreakerRegistry::new();
    let by_name = tokio::spawn(double(4).with_breaker(&registry, "x"));
    assert_eq!(by_name.await.expect("the task completes").ok(), Some(8));
    let owned = tokio::spawn(double(4).guarded_by(registry.breaker("x")));
    assert_eq!(owned.await.expect("the task completes").ok(), Some(8));
    let guarded = double.with_breaker(&registry, "x");
    let call = tokio::spawn(async move { guarded.call(4).await });
    assert_eq!(call.await.expect("the task completes").ok(), Some(8));
    let call_once = tokio::spawn(double.with_breaker(&registry, "x").call_once(4));
    assert_eq!(call_once.await.expect("the task completes").ok(), Some(8));
}
