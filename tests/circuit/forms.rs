//! Every form of function: the attribute keeps its behaviour, and its circuit counts the calls.

use crate::support::{CallResult, Error, assert_counted, assert_send, expect_ready, global};
use breakerbox::prelude::*;
use std::fmt::Display;
use std::sync::Arc;

mod free {
    use super::{CallResult, Error, circuit};

    #[circuit]
    pub(super) fn sync(ok: bool) -> CallResult<u8> {
        if !ok {
            return Err(Error::NoAnswer);
        }
        let seven = "7".parse::<u8>().map_err(|_| Error::NoAnswer)?;
        Ok(seven)
    }

    #[circuit()]
    pub(super) async fn asynchronous(ok: bool) -> CallResult<u8> {
        if !ok {
            return Err(Error::NoAnswer);
        }
        std::future::ready(()).await;
        let seven = "7".parse::<u8>().map_err(|_| Error::NoAnswer)?;
        Ok(seven)
    }
}

#[test]
fn free_function_is_guarded() {
    assert_eq!(free::sync(true).ok(), Some(7));
    assert!(matches!(free::sync(false), Err(Error::NoAnswer)));
    assert_counted("forms::free::sync", 1, 1);
    for _ in 1..5 {
        assert!(matches!(free::sync(false), Err(Error::NoAnswer)));
    }
    // The success came before all five failures, so the failures are consecutive.
    assert!(free::sync(true).is_err_and(|error| error.is_open()));
    global("forms::free::sync").reset();
    assert_eq!(free::sync(true).ok(), Some(7));
}

#[test]
fn async_function_is_guarded_when_polled() {
    assert_eq!(
        expect_ready(assert_send(free::asynchronous(true))).ok(),
        Some(7)
    );
    assert!(matches!(
        expect_ready(free::asynchronous(false)),
        Err(Error::NoAnswer)
    ));
    assert_counted("forms::free::asynchronous", 1, 1);
    drop(free::asynchronous(true));
    assert_counted("forms::free::asynchronous", 1, 1);
    global("forms::free::asynchronous").trip();
    assert!(expect_ready(free::asynchronous(true)).is_err_and(|error| error.is_open()));
}

struct Client<T> {
    prefix: T,
    calls: u32,
}

impl<T: Display + Clone> Client<T> {
    #[circuit]
    async fn by_ref<'a>(&'a self, path: &'a str) -> CallResult<(&'a T, &'a str)> {
        Ok((&self.prefix, path))
    }

    #[circuit]
    async fn by_mut(&mut self, more: u32) -> CallResult<&mut u32> {
        self.calls += more;
        Ok(&mut self.calls)
    }

    #[circuit]
    async fn by_value(self) -> CallResult<T> {
        Ok(self.prefix)
    }

    #[circuit]
    async fn by_arc(self: Arc<Self>) -> CallResult<T> {
        Ok(self.prefix.clone())
    }

    #[circuit]
    fn sync_by_ref(&self) -> CallResult<&T> {
        Ok(&self.prefix)
    }

    #[circuit]
    fn sync_by_mut(&mut self) -> CallResult<&mut u32> {
        self.calls += 1;
        Ok(&mut self.calls)
    }

    #[circuit]
    fn sync_by_value(mut self) -> CallResult<(T, u32)> {
        self.calls += 1;
        Ok((self.prefix, self.calls))
    }

    #[circuit]
    fn without_self(prefix: T) -> CallResult<Self> {
        Ok(Self { prefix, calls: 0 })
    }
}

#[test]
fn methods_with_every_receiver_are_guarded() {
    let mut client = Client::without_self("x").expect("closed");
    assert_eq!(expect_ready(client.by_ref("p")).ok(), Some((&"x", "p")));
    *expect_ready(client.by_mut(2)).expect("closed") += 1;
    assert_eq!(client.sync_by_ref().ok(), Some(&"x"));
    *client.sync_by_mut().expect("closed") += 1;
    assert_eq!(client.calls, 5);
    assert_eq!(client.sync_by_value().ok(), Some(("x", 6)));
    let client = || Client {
        prefix: 'y',
        calls: 0,
    };
    assert_eq!(expect_ready(client().by_value()).ok(), Some('y'));
    assert_eq!(
        expect_ready(assert_send(Arc::new(client()).by_arc())).ok(),
        Some('y')
    );
    for method in [
        "by_ref",
        "by_mut",
        "by_value",
        "by_arc",
        "sync_by_ref",
        "sync_by_mut",
        "sync_by_value",
        "without_self",
    ] {
        assert_counted(&format!("forms::Client::{method}"), 1, 0);
    }
}

#[circuit]
async fn generic<T, const N: usize>(values: [T; N]) -> CallResult<Vec<String>>
where
    T: Display,
{
    Ok(values.iter().map(ToString::to_string).collect())
}

#[circuit]
fn implied(values: impl Iterator<Item = u32>, (low, high): (u32, u32), _: &str) -> CallResult<u32> {
    Ok(values.filter(|value| (low..=high).contains(value)).sum())
}

#[circuit]
fn mutable(mut left: u32, [first, ..]: [u32; 3]) -> CallResult<u32> {
    left += first;
    Ok(left)
}

#[test]
fn generic_parameters_and_patterns_are_guarded() {
    assert_eq!(expect_ready(generic([1, 2])).expect("closed"), ["1", "2"]);
    assert_eq!(expect_ready(generic(['a'])).expect("closed"), ["a"]);
    assert_counted("forms::generic", 2, 0);
    assert_eq!(implied(0..9, (2, 3), "").ok(), Some(5));
    assert_eq!(mutable(1, [2, 3, 4]).ok(), Some(3));
}

#[circuit]
fn factorial(n: u64) -> CallResult<u64> {
    if n == 0 {
        return Ok(1);
    }
    Ok(n * factorial(n - 1)?)
}

#[circuit]
async fn async_factorial(n: u64) -> CallResult<u64> {
    if n == 0 {
        return Ok(1);
    }
    Ok(n * Box::pin(async_factorial(n - 1)).await?)
}

#[test]
fn recursive_calls_are_all_counted() {
    assert_eq!(factorial(5).ok(), Some(120));
    assert_eq!(expect_ready(async_factorial(5)).ok(), Some(120));
    assert_counted("forms::factorial", 6, 0);
    assert_counted("forms::async_factorial", 6, 0);
}

#[circuit]
async fn to_anyhow(ok: bool) -> anyhow::Result<u8> {
    anyhow::ensure!(ok, "no");
    Ok(1)
}

#[circuit]
fn to_box(text: &str) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    Ok(text.parse()?)
}

#[circuit]
fn to_some_iterator(up_to: u8) -> CallResult<impl Iterator<Item = u8>> {
    if up_to == 0 {
        return Err(Error::NoAnswer);
    }
    Ok(0..up_to)
}

#[circuit]
async fn to_some_text(up_to: u8) -> CallResult<impl Display + Send> {
    if up_to == 0 {
        Err(Error::NoAnswer)?;
    }
    Ok(up_to)
}

#[test]
fn return_types_are_preserved() {
    assert_eq!(expect_ready(assert_send(to_anyhow(true))).ok(), Some(1));
    global("forms::to_anyhow").trip();
    let error = expect_ready(to_anyhow(true)).unwrap_err();
    assert!(
        error
            .downcast_ref::<BreakerError>()
            .is_some_and(BreakerError::is_open)
    );
    assert!(to_box("x").is_err());
    global("forms::to_box").trip();
    assert!(to_box("7").unwrap_err().to_string().contains("is open"));
    assert_eq!(to_some_iterator(3).expect("closed").sum::<u8>(), 3);
    assert!(to_some_iterator(0).is_err());
    assert_eq!(
        expect_ready(assert_send(to_some_text(3)))
            .expect("closed")
            .to_string(),
        "3"
    );
    assert!(expect_ready(to_some_text(0)).is_err());
}

trait Api {
    async fn native(&self) -> CallResult<u8>;

    #[circuit]
    async fn provided(&self) -> CallResult<u8> {
        self.native().await
    }

    fn sendable(&self) -> impl Future<Output = CallResult<u8>> + Send;
}

struct One;
struct Two;

impl Api for One {
    #[circuit]
    async fn native(&self) -> CallResult<u8> {
        Ok(1)
    }

    #[circuit]
    fn sendable(&self) -> impl Future<Output = CallResult<u8>> + Send {
        async move { Ok(1) }
    }
}

impl Api for Two {
    #[circuit]
    async fn native(&self) -> CallResult<u8> {
        Err(Error::NoAnswer)
    }

    #[circuit]
    async fn sendable(&self) -> CallResult<u8> {
        Ok(2)
    }
}

#[test]
fn native_async_trait_methods_are_guarded() {
    assert_eq!(expect_ready(One.provided()).ok(), Some(1));
    assert!(expect_ready(Two.provided()).is_err());
    assert_eq!(expect_ready(assert_send(One.sendable())).ok(), Some(1));
    assert_eq!(expect_ready(Two.sendable()).ok(), Some(2));
    assert_counted("forms::One::native", 1, 0);
    assert_counted("forms::One::provided", 1, 0);
    assert_counted("forms::Two::native", 0, 1);
    assert_counted("forms::Two::provided", 0, 1);
    assert_counted("forms::One::sendable", 1, 0);
}

#[circuit]
fn block(value: u8) -> impl Future<Output = CallResult<u8>> {
    let twice = value * 2;
    async move {
        if twice == 0 {
            return Err(Error::NoAnswer);
        }
        Ok(twice)
    }
}

#[circuit]
fn made(value: u8) -> impl Future<Output = CallResult<u8>> + Send + 'static {
    std::future::ready(Ok(value))
}

#[circuit]
fn boxed<'a>(
    value: &'a u8,
) -> std::pin::Pin<Box<dyn Future<Output = CallResult<&'a u8>> + Send + 'a>> {
    Box::pin(async move { Ok(value) })
}

#[test]
fn functions_returning_futures_are_guarded() {
    assert_eq!(expect_ready(assert_send(block(2))).ok(), Some(4));
    assert!(expect_ready(block(0)).is_err());
    assert_counted("forms::block", 1, 1);
    assert_eq!(expect_ready(made(2)).ok(), Some(2));
    global("forms::made").trip();
    assert!(expect_ready(made(2)).is_err_and(|error| error.is_open()));
    assert_eq!(expect_ready(boxed(&3)).ok(), Some(&3));
    global("forms::boxed").trip();
    assert!(expect_ready(boxed(&3)).is_err_and(|error| error.is_open()));
}

type Boxed<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Stands for the alias of futures-util.
type BoxFuture<'a, T> = Boxed<'a, T>;
type LocalBoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + 'a>>;

/// Stands for the extension trait of futures-util.
trait FutureExt: Future + Sized {
    fn boxed<'a>(self) -> Boxed<'a, Self::Output>
    where
        Self: Send + 'a,
    {
        Box::pin(self)
    }

    fn boxed_local<'a>(self) -> LocalBoxFuture<'a, Self::Output>
    where
        Self: 'a,
    {
        Box::pin(self)
    }
}

impl<F: Future> FutureExt for F {}

#[circuit]
fn alias(value: &u8) -> BoxFuture<'_, CallResult<&u8>> {
    Box::pin(async move { Ok(value) })
}

#[circuit]
fn local_alias<'a>(value: std::rc::Rc<u8>) -> LocalBoxFuture<'a, CallResult<std::rc::Rc<u8>>> {
    async move { Ok(value) }.boxed_local()
}

#[circuit]
fn boxed_call(value: u8) -> BoxFuture<'static, CallResult<u8>> {
    let twice = value * 2;
    Box::pin(std::future::ready(Ok(twice)))
}

#[circuit]
fn boxed_method(value: u8) -> BoxFuture<'static, CallResult<u8>> {
    return std::future::ready(Ok(value)).boxed();
}

#[test]
fn boxed_futures_are_guarded_without_second_box() {
    fn counted(name: &str) {
        let name = format!("forms::{name}");
        assert_counted(&name, 1, 0);
        global(&name).trip();
    }
    assert_eq!(expect_ready(alias(&3)).ok(), Some(&3));
    counted("alias");
    assert!(expect_ready(alias(&3)).is_err_and(|error| error.is_open()));
    assert_eq!(expect_ready(local_alias(3.into())).ok(), Some(3.into()));
    counted("local_alias");
    assert!(expect_ready(local_alias(3.into())).is_err_and(|error| error.is_open()));
    assert_eq!(expect_ready(boxed_call(3)).ok(), Some(6));
    counted("boxed_call");
    assert!(expect_ready(boxed_call(3)).is_err_and(|error| error.is_open()));
    assert_eq!(expect_ready(boxed_method(3)).ok(), Some(3));
    counted("boxed_method");
    assert!(expect_ready(boxed_method(3)).is_err_and(|error| error.is_open()));
}

#[circuit(name = "boxed-later")]
fn boxed_later(value: u8) -> BoxFuture<'static, CallResult<u8>> {
    std::future::ready(Ok(value)).boxed()
}

#[test]
fn boxed_future_is_admitted_at_first_poll() {
    let first = boxed_later(2);
    let breaker = global("boxed-later");
    breaker.trip();
    let refused = || breaker.snapshot().totals.refused;
    let second = boxed_later(2);
    assert_eq!(refused(), 0);
    assert!(expect_ready(first).is_err_and(|error| error.is_open()));
    assert_eq!(refused(), 1);
    drop(second);
    assert_eq!(refused(), 1);
}
