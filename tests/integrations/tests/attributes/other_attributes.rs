//! `#[circuit]` with other attributes: `async_trait`, `instrument` and `tokio::test`.

use async_trait::async_trait;
use breakerbox::prelude::*;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tracing::instrument;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Circuit(#[from] BreakerError),
    #[error("no answer")]
    NoAnswer,
}

impl Error {
    fn is_open(&self) -> bool {
        matches!(self, Self::Circuit(error) if error.is_open())
    }
}

type CallResult<T> = Result<T, Error>;

#[track_caller]
fn expect_ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future should be ready"),
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

fn global(name: &str) -> CircuitBreaker {
    let found = BreakerRegistry::global().get(name);
    found.unwrap_or_else(|| panic!("there should be a breaker {name:?}"))
}

#[track_caller]
fn assert_counted(name: &str, success: u64, failure: u64) {
    let totals = global(name).snapshot().totals;
    let counts = (totals.success, totals.failure);
    assert_eq!(counts, (Some(success), failure), "{name}");
}

#[async_trait]
trait Store: Send + Sync {
    async fn load(&self, key: (u32, u32), name: &str) -> CallResult<u32>;

    #[circuit]
    async fn provided(&self) -> CallResult<u32> {
        self.load((1, 1), "x").await
    }
}

struct Memory {
    registry: BreakerRegistry,
    offset: u32,
}

impl Memory {
    async fn instead(&self, (left, right): (u32, u32), _: &str) -> CallResult<u32> {
        Ok(1_000 + left + right)
    }
}

#[async_trait]
impl Store for Memory {
    #[circuit(name = "load", registry = self.registry, failure_threshold = 1)]
    #[instrument(skip(self))]
    async fn load(&self, (left, right): (u32, u32), name: &str) -> CallResult<u32> {
        if name.is_empty() {
            return Err(Error::NoAnswer);
        }
        Ok(self.offset + left + right)
    }
}

struct Cached(Memory);

#[async_trait]
impl Store for Cached {
    #[instrument(skip(self))]
    #[circuit(name = "cached", registry = self.0.registry, timeout = "1s")]
    async fn load(&self, key: (u32, u32), name: &str) -> CallResult<u32> {
        self.0.instead(key, name).await
    }
}

fn memory() -> Memory {
    Memory {
        registry: BreakerRegistry::new(),
        offset: 10,
    }
}

#[tokio::test]
async fn async_trait_and_instrument_methods_are_guarded() {
    let store: Box<dyn Store> = Box::new(memory());
    assert_eq!(assert_send(store.load((1, 2), "x")).await.ok(), Some(13));
    assert!(matches!(store.load((1, 2), "").await, Err(Error::NoAnswer)));
    assert!(
        store
            .load((1, 2), "x")
            .await
            .is_err_and(|error| error.is_open())
    );
    assert!(store.provided().await.is_err());
    // The refusal is inside the error type of the function. Classification does not look into it.
    assert_counted("other_attributes::Memory::provided", 0, 1);
    let cached = Cached(memory());
    assert_eq!(cached.provided().await.ok(), Some(1_002));
    assert_eq!(
        cached
            .0
            .registry
            .breaker("cached")
            .snapshot()
            .totals
            .success,
        Some(1)
    );
    assert_counted("other_attributes::Cached::provided", 1, 0);
}

struct WithFallback(Memory);

#[async_trait]
impl Store for WithFallback {
    #[circuit(name = "with-fallback", registry = self.0.registry, fallback = Self::instead)]
    async fn load(&self, (left, _): (u32, u32), _name: &str) -> CallResult<u32> {
        Ok(left)
    }
}

impl WithFallback {
    async fn instead(&self, (left, right): (u32, u32), _: &str) -> CallResult<u32> {
        Ok(left + right + self.0.offset)
    }
}

#[tokio::test]
async fn async_trait_method_uses_fallback() {
    let with_fallback = WithFallback(memory());
    assert_eq!(with_fallback.load((1, 2), "x").await.ok(), Some(1));
    with_fallback.0.registry.breaker("with-fallback").trip();
    assert_eq!(with_fallback.load((1, 2), "x").await.ok(), Some(13));
}

#[async_trait(?Send)]
trait Local {
    async fn local(&mut self) -> CallResult<std::rc::Rc<u8>>;
}

#[async_trait(?Send)]
impl Local for u8 {
    #[circuit]
    async fn local(&mut self) -> CallResult<std::rc::Rc<u8>> {
        let shared = std::rc::Rc::new(*self);
        std::future::ready(()).await;
        *self += 1;
        Ok(shared)
    }
}

#[test]
fn local_async_trait_method_is_guarded() {
    let mut number = 1_u8;
    assert_eq!(
        expect_ready(number.local()).map(|shared| *shared).ok(),
        Some(1)
    );
    assert_eq!(number, 2);
    global("other_attributes::u8::local").trip();
    assert!(expect_ready(number.local()).is_err());
}

#[circuit(name = "instrument-inside")]
#[instrument(err)]
async fn inside(ok: bool) -> CallResult<u8> {
    if ok { Ok(1) } else { Err(Error::NoAnswer) }
}

#[instrument(err, ret)]
#[circuit(name = "instrument-outside")]
async fn outside(ok: bool) -> CallResult<u8> {
    if ok { Ok(1) } else { Err(Error::NoAnswer) }
}

#[circuit(name = "instrument-sync-inside")]
#[instrument]
fn sync_inside(ok: bool) -> CallResult<u8> {
    if ok { Ok(1) } else { Err(Error::NoAnswer) }
}

#[instrument]
#[circuit(name = "instrument-sync-outside")]
fn sync_outside(ok: bool) -> CallResult<u8> {
    if ok { Ok(1) } else { Err(Error::NoAnswer) }
}

#[test]
fn instrument_before_or_after_circuit_is_guarded() {
    assert_eq!(expect_ready(assert_send(inside(true))).ok(), Some(1));
    assert!(expect_ready(inside(false)).is_err());
    assert_eq!(expect_ready(assert_send(outside(true))).ok(), Some(1));
    assert!(expect_ready(outside(false)).is_err());
    assert!(sync_inside(true).is_ok() && sync_inside(false).is_err());
    assert!(sync_outside(true).is_ok() && sync_outside(false).is_err());
    for name in ["inside", "outside", "sync-inside", "sync-outside"] {
        assert_counted(&format!("instrument-{name}"), 1, 1);
    }
}

#[tokio::test]
#[circuit(name = "test-outside")]
async fn tokio_test_above_circuit_passes() -> CallResult<()> {
    tokio::task::yield_now().await;
    Ok(())
}

#[circuit(name = "test-inside")]
#[tokio::test]
async fn tokio_test_below_circuit_passes() -> CallResult<()> {
    tokio::task::yield_now().await;
    Ok(())
}
