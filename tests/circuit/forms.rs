//! Every form of function: it does what it did, and its circuit counts.

use crate::support::{Answer, Error, assert_counted, assert_send, global, now};
use breakerbox::prelude::*;
use std::fmt::Display;
use std::sync::Arc;

mod free {
    use super::{Answer, Error, circuit};

    #[circuit]
    pub(super) fn sync(ok: bool) -> Answer<u8> {
        if !ok {
            return Err(Error::NoAnswer);
        }
        let seven = "7".parse::<u8>().map_err(|_| Error::NoAnswer)?;
        Ok(seven)
    }

    #[circuit()]
    pub(super) async fn asynchronous(ok: bool) -> Answer<u8> {
        if !ok {
            return Err(Error::NoAnswer);
        }
        std::future::ready(()).await;
        let seven = "7".parse::<u8>().map_err(|_| Error::NoAnswer)?;
        Ok(seven)
    }
}

#[test]
fn a_free_function() {
    assert_eq!(free::sync(true).ok(), Some(7));
    assert!(matches!(free::sync(false), Err(Error::NoAnswer)));
    assert_counted("forms::free::sync", 1, 1);
    for _ in 1..5 {
        assert!(matches!(free::sync(false), Err(Error::NoAnswer)));
    }
    // One success lies between: the count began anew at the first failure.
    assert!(free::sync(true).is_err_and(|error| error.is_open()));
    global("forms::free::sync").reset();
    assert_eq!(free::sync(true).ok(), Some(7));
}

#[test]
fn an_async_function() {
    assert_eq!(now(assert_send(free::asynchronous(true))).ok(), Some(7));
    assert!(matches!(
        now(free::asynchronous(false)),
        Err(Error::NoAnswer)
    ));
    assert_counted("forms::free::asynchronous", 1, 1);
    drop(free::asynchronous(true));
    assert_counted("forms::free::asynchronous", 1, 1);
    global("forms::free::asynchronous").trip();
    assert!(now(free::asynchronous(true)).is_err_and(|error| error.is_open()));
}

struct Client<T> {
    prefix: T,
    calls: u32,
}

impl<T: Display + Clone> Client<T> {
    #[circuit]
    async fn by_ref<'a>(&'a self, path: &'a str) -> Answer<(&'a T, &'a str)> {
        Ok((&self.prefix, path))
    }

    #[circuit]
    async fn by_mut(&mut self, more: u32) -> Answer<&mut u32> {
        self.calls += more;
        Ok(&mut self.calls)
    }

    #[circuit]
    async fn by_value(self) -> Answer<T> {
        Ok(self.prefix)
    }

    #[circuit]
    async fn by_arc(self: Arc<Self>) -> Answer<T> {
        Ok(self.prefix.clone())
    }

    #[circuit]
    fn sync_by_ref(&self) -> Answer<&T> {
        Ok(&self.prefix)
    }

    #[circuit]
    fn sync_by_mut(&mut self) -> Answer<&mut u32> {
        self.calls += 1;
        Ok(&mut self.calls)
    }

    #[circuit]
    fn sync_by_value(mut self) -> Answer<(T, u32)> {
        self.calls += 1;
        Ok((self.prefix, self.calls))
    }

    #[circuit]
    fn without_self(prefix: T) -> Answer<Self> {
        Ok(Self { prefix, calls: 0 })
    }
}

#[test]
fn methods() {
    let mut client = Client::without_self("x").expect("closed");
    assert_eq!(now(client.by_ref("p")).ok(), Some((&"x", "p")));
    *now(client.by_mut(2)).expect("closed") += 1;
    assert_eq!(client.sync_by_ref().ok(), Some(&"x"));
    *client.sync_by_mut().expect("closed") += 1;
    assert_eq!(client.calls, 5);
    assert_eq!(client.sync_by_value().ok(), Some(("x", 6)));
    let client = || Client {
        prefix: 'y',
        calls: 0,
    };
    assert_eq!(now(client().by_value()).ok(), Some('y'));
    assert_eq!(
        now(assert_send(Arc::new(client()).by_arc())).ok(),
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
async fn generic<T, const N: usize>(values: [T; N]) -> Answer<Vec<String>>
where
    T: Display,
{
    Ok(values.iter().map(ToString::to_string).collect())
}

#[circuit]
fn implied(values: impl Iterator<Item = u32>, (low, high): (u32, u32), _: &str) -> Answer<u32> {
    Ok(values.filter(|value| (low..=high).contains(value)).sum())
}

#[circuit]
fn mutable(mut left: u32, [first, ..]: [u32; 3]) -> Answer<u32> {
    left += first;
    Ok(left)
}

#[test]
fn generics_and_patterns() {
    assert_eq!(now(generic([1, 2])).expect("closed"), ["1", "2"]);
    assert_eq!(now(generic(['a'])).expect("closed"), ["a"]);
    assert_counted("forms::generic", 2, 0);
    assert_eq!(implied(0..9, (2, 3), "").ok(), Some(5));
    assert_eq!(mutable(1, [2, 3, 4]).ok(), Some(3));
}

#[circuit]
fn factorial(n: u64) -> Answer<u64> {
    if n == 0 {
        return Ok(1);
    }
    Ok(n * factorial(n - 1)?)
}

#[circuit]
async fn async_factorial(n: u64) -> Answer<u64> {
    if n == 0 {
        return Ok(1);
    }
    Ok(n * Box::pin(async_factorial(n - 1)).await?)
}

#[test]
fn recursion() {
    assert_eq!(factorial(5).ok(), Some(120));
    assert_eq!(now(async_factorial(5)).ok(), Some(120));
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
fn to_some_iterator(up_to: u8) -> Answer<impl Iterator<Item = u8>> {
    if up_to == 0 {
        return Err(Error::NoAnswer);
    }
    Ok(0..up_to)
}

#[circuit]
async fn to_some_text(up_to: u8) -> Answer<impl Display + Send> {
    if up_to == 0 {
        Err(Error::NoAnswer)?;
    }
    Ok(up_to)
}

#[test]
fn what_is_returned() {
    assert_eq!(now(assert_send(to_anyhow(true))).ok(), Some(1));
    global("forms::to_anyhow").trip();
    let error = now(to_anyhow(true)).unwrap_err();
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
        now(assert_send(to_some_text(3)))
            .expect("closed")
            .to_string(),
        "3"
    );
    assert!(now(to_some_text(0)).is_err());
}

trait Api {
    async fn native(&self) -> Answer<u8>;

    #[circuit]
    async fn provided(&self) -> Answer<u8> {
        self.native().await
    }

    fn sendable(&self) -> impl Future<Output = Answer<u8>> + Send;
}

struct One;
struct Two;

impl Api for One {
    #[circuit]
    async fn native(&self) -> Answer<u8> {
        Ok(1)
    }

    #[circuit]
    fn sendable(&self) -> impl Future<Output = Answer<u8>> + Send {
        async move { Ok(1) }
    }
}

impl Api for Two {
    #[circuit]
    async fn native(&self) -> Answer<u8> {
        Err(Error::NoAnswer)
    }

    #[circuit]
    async fn sendable(&self) -> Answer<u8> {
        Ok(2)
    }
}

#[test]
fn native_async_methods_of_traits() {
    assert_eq!(now(One.provided()).ok(), Some(1));
    assert!(now(Two.provided()).is_err());
    assert_eq!(now(assert_send(One.sendable())).ok(), Some(1));
    assert_eq!(now(Two.sendable()).ok(), Some(2));
    assert_counted("forms::One::native", 1, 0);
    assert_counted("forms::One::provided", 1, 0);
    assert_counted("forms::Two::native", 0, 1);
    assert_counted("forms::Two::provided", 0, 1);
    assert_counted("forms::One::sendable", 1, 0);
}

#[circuit]
fn block(value: u8) -> impl Future<Output = Answer<u8>> {
    let twice = value * 2;
    async move {
        if twice == 0 {
            return Err(Error::NoAnswer);
        }
        Ok(twice)
    }
}

#[circuit]
fn made(value: u8) -> impl Future<Output = Answer<u8>> + Send + 'static {
    std::future::ready(Ok(value))
}

#[circuit]
fn boxed<'a>(value: &'a u8) -> std::pin::Pin<Box<dyn Future<Output = Answer<&'a u8>> + Send + 'a>> {
    Box::pin(async move { Ok(value) })
}

#[test]
fn functions_that_return_futures() {
    assert_eq!(now(assert_send(block(2))).ok(), Some(4));
    assert!(now(block(0)).is_err());
    assert_counted("forms::block", 1, 1);
    assert_eq!(now(made(2)).ok(), Some(2));
    global("forms::made").trip();
    assert!(now(made(2)).is_err_and(|error| error.is_open()));
    assert_eq!(now(boxed(&3)).ok(), Some(&3));
    global("forms::boxed").trip();
    assert!(now(boxed(&3)).is_err_and(|error| error.is_open()));
}
