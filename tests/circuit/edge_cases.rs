//! Functions that could break the expansion: shadowed names, attributes, lifetimes, nesting.

use crate::support::{CallResult, Error, assert_counted, expect_ready};
use breakerbox::circuit;

/// The parameters have names that the expansion could use for its own variables.
#[circuit(name = "hygiene", failure_threshold = handle_of())]
#[allow(clippy::too_many_arguments)]
async fn hygiene(
    handle: u8,
    admitted: u8,
    limit: u8,
    open: u8,
    returned: u8,
    builder: u8,
    predicate: u8,
    kind: u8,
    argument_0: u8,
) -> CallResult<u8> {
    let breakerbox = handle + admitted + limit + open + returned + builder;
    Ok(breakerbox + predicate + kind + argument_0)
}

fn handle_of() -> u32 {
    let handle = 3;
    handle + 1
}

#[circuit(name = "hygiene-sync", fallback = hygiene_instead)]
fn hygiene_sync((admitted, argument_1): (u8, u8), [handle, ..]: [u8; 2]) -> CallResult<u8> {
    Ok(admitted + argument_1 + handle)
}

fn hygiene_instead((_, argument_1): (u8, u8), _: [u8; 2]) -> CallResult<u8> {
    Ok(argument_1)
}

#[test]
fn expansion_variables_do_not_clash() {
    assert_eq!(
        expect_ready(hygiene(1, 1, 1, 1, 1, 1, 1, 1, 1)).ok(),
        Some(9)
    );
    assert_eq!(hygiene_sync((1, 2), [3, 4]).ok(), Some(6));
    crate::support::global("hygiene-sync").trip();
    assert_eq!(hygiene_sync((1, 2), [3, 4]).ok(), Some(2));
}

/// Shadows the names of the prelude, so the expansion must use absolute paths.
#[allow(dead_code)]
mod shadowed {
    use crate::support::Error;

    pub(super) struct Result;
    pub(super) struct Option;
    pub(super) struct Some;
    pub(super) struct None;
    pub(super) struct Ok;
    pub(super) struct Err;
    pub(super) struct Box;
    pub(super) struct Send;
    #[allow(non_camel_case_types)]
    pub(super) struct str;
    #[allow(non_camel_case_types)]
    pub(super) struct bool;
    #[allow(non_camel_case_types)]
    pub(super) struct u32;
    pub(super) mod std {}
    pub(super) mod core {}
    pub(super) mod breakerbox {}

    pub(super) trait Ext {
        fn breaker(&self) {}
        fn find(&self) {}
        fn call(&self) {}
        fn run(&self) {}
        fn kind(&self) {}
        fn probe(&self) {}
        fn name(&self) {}
    }
    impl<T> Ext for T {}

    #[allow(unused_macros)]
    macro_rules! concat {
        ($($any:tt)*) => {
            compile_error!("the expansion must not use this macro")
        };
    }
    #[allow(unused_imports)]
    pub(super) use concat;

    #[::breakerbox::circuit(
        name = "shadowed", failure_threshold = 2, recovery_timeout = "1s",
        expected = [Error], ignored = |_: &Error| false, fallback = instead, fail_if = |_| true
    )]
    pub(super) async fn shadowed(ok: u8) -> ::std::result::Result<u8, Error> {
        if ok == 0 {
            return ::std::result::Result::Err(Error::NoAnswer);
        }
        ::std::result::Result::Ok(ok)
    }

    #[::breakerbox::circuit]
    pub(super) fn shadowed_sync() -> ::std::result::Result<u8, Error> {
        ::std::result::Result::Ok(1)
    }

    fn instead(_: u8) -> ::std::result::Result<u8, Error> {
        ::std::result::Result::Ok(9)
    }
}

#[test]
fn expansion_ignores_shadowed_prelude() {
    assert_eq!(expect_ready(shadowed::shadowed(1)).ok(), Some(1));
    assert!(expect_ready(shadowed::shadowed(0)).is_err());
    assert!(expect_ready(shadowed::shadowed(0)).is_err());
    assert_eq!(expect_ready(shadowed::shadowed(0)).ok(), Some(9));
    assert_eq!(shadowed::shadowed_sync().ok(), Some(1));
}

#[circuit]
#[allow(clippy::diverging_sub_expression)]
fn never() -> CallResult<u8> {
    panic!("this function never returns")
}

#[circuit]
async fn never_async() -> CallResult<u8> {
    todo!("later")
}

#[circuit]
fn endless(stop: bool) -> CallResult<u8> {
    loop {
        if stop {
            break Err(Error::NoAnswer);
        }
    }
}

#[test]
fn diverging_bodies_count_as_failures() {
    assert!(std::panic::catch_unwind(never).is_err());
    assert!(std::panic::catch_unwind(|| expect_ready(never_async())).is_err());
    assert!(endless(true).is_err());
    for name in ["never", "never_async", "endless"] {
        assert_counted(&format!("edge_cases::{name}"), 0, 1);
    }
}

/// Has attributes and documentation, which the expansion must keep.
#[circuit]
#[inline]
#[must_use = "the call may have failed"]
#[cfg(not(any()))]
#[allow(clippy::let_and_return, unused_variables)]
pub(crate) fn attributed(#[allow(unused_variables)] first: u8, mut second: u8) -> CallResult<u8> {
    const ADDED: u8 = 1;
    second += ADDED;
    let result = Ok(second);
    result
}

#[circuit]
async fn items_first(mut number: u8) -> CallResult<u8> {
    #![allow(clippy::let_and_return)]
    use std::convert::identity;
    struct Wrapper(u8);
    number += 1;
    let number = identity(Wrapper(number).0);
    Ok(number)
}

#[circuit]
async fn on_one_line() -> CallResult<u8> {
    Ok(1)
}
#[circuit]
fn on_one_line_sync() -> CallResult<u8> {
    Ok(1)
}

#[cfg(any())]
#[circuit]
fn not_there() -> Missing {}

#[test]
fn expansion_keeps_attributes() {
    assert_eq!(attributed(1, 2).ok(), Some(3));
    assert_eq!(expect_ready(items_first(1)).ok(), Some(2));
    assert_eq!(expect_ready(on_one_line()).ok(), Some(1));
    assert_eq!(on_one_line_sync().ok(), Some(1));
}

macro_rules! make {
    ($(#[$attribute:meta])* $name:ident, $text:literal, $threshold:literal, $wait:expr, $error:ty, ($($argument:ident: $ty:ty),*) -> $out:ty $body:block) => {
        $(#[$attribute])*
        #[circuit(name = $text, failure_threshold = $threshold, recovery_timeout = $wait, expected = $error)]
        fn $name($($argument: $ty),*) -> $out $body

        mod $name {
            use super::*;
            #[circuit(failure_threshold = $threshold, expected = [$error])]
            pub(super) async fn inner($($argument: $ty),*) -> $out $body
        }
    };
}

make!(#[allow(dead_code)] made, "made-by-macro", 3, "1m", Error, (number: u8) -> CallResult<u8> { Ok(number) });

#[test]
fn functions_from_macros_are_guarded() {
    assert_eq!(made(7).ok(), Some(7));
    assert_eq!(expect_ready(made::inner(7)).ok(), Some(7));
    assert_counted("made-by-macro", 1, 0);
    assert_counted("edge_cases::made::inner", 1, 0);
}

#[circuit]
fn borrowed<'a, 'b: 'a>(left: &'a mut Vec<&'b str>, right: &'b str) -> CallResult<&'a mut &'b str> {
    left.push(right);
    left.last_mut().ok_or(Error::NoAnswer)
}

#[circuit]
async fn borrowed_async<'a>(left: &'a mut [u8], at: &usize) -> CallResult<&'a mut u8> {
    left.get_mut(*at).ok_or(Error::NoAnswer)
}

#[circuit]
async fn dropped(guard: Guard<'_>) -> CallResult<()> {
    std::future::ready(()).await;
    assert!(!guard.0.get(), "the guard must live as long as the body");
    Ok(())
}

struct Guard<'a>(&'a std::cell::Cell<bool>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn borrowed_arguments_keep_their_lifetimes() {
    let mut texts = vec![];
    assert_eq!(borrowed(&mut texts, "x").ok(), Some(&mut "x"));
    assert_eq!(
        expect_ready(borrowed_async(&mut [1, 2], &1)).ok(),
        Some(&mut 2)
    );
    let is_dropped = std::cell::Cell::new(false);
    expect_ready(dropped(Guard(&is_dropped))).expect("closed");
    assert!(is_dropped.get());
}

struct Type;

impl Type {
    const LIMIT: u32 = 2;

    #[circuit(name = "self-in-settings", failure_threshold = Self::LIMIT, expected = Self::counts)]
    fn of_self(&self) -> CallResult<[u8; Self::LENGTH]> {
        let Self = self;
        Ok([0; Self::LENGTH])
    }

    const LENGTH: usize = 1;

    fn counts(_: &Error) -> bool {
        true
    }
}

#[test]
fn self_type_works_in_settings_and_body() {
    assert_eq!(Type.of_self().ok(), Some([0]));
}

/// A function in a function in a closure.
#[test]
fn nested_functions_are_guarded() {
    let outer = || {
        #[circuit(name = "nested-outer")]
        fn outer() -> CallResult<u8> {
            #[circuit(name = "nested-inner")]
            fn inner() -> CallResult<u8> {
                Ok(1)
            }
            inner()
        }
        outer()
    };
    assert_eq!(outer().ok(), Some(1));
    assert_counted("nested-inner", 1, 0);
}

mod without_prelude {
    #![no_implicit_prelude]

    use ::breakerbox::circuit;

    pub(super) struct Client(pub(super) u8);

    impl Client {
        #[circuit(
            name = ::std::format!("without-{}", self.0), failure_threshold = 2,
            trial_timeout = "1s", expected = |_| true, fallback = Self::instead, timeout = "1m",
            builder = |builder| builder.cancelled_after(::std::time::Duration::from_secs(1))
        )]
        pub(super) async fn all(&self, (left, _): (u8, u8)) -> ::anyhow::Result<u8> {
            ::std::result::Result::Ok(left + self.0)
        }

        fn instead(&self, (_, right): (u8, u8)) -> ::anyhow::Result<u8> {
            ::std::result::Result::Ok(right + self.0)
        }

        #[circuit]
        pub(super) fn sync(&self) -> ::anyhow::Result<u8> {
            ::std::result::Result::Ok(self.0)
        }
    }
}

#[tokio::test]
async fn expansion_works_without_prelude() {
    let client = without_prelude::Client(1);
    assert_eq!(client.all((2, 3)).await.ok(), Some(3));
    crate::support::global("without-1").trip();
    assert_eq!(client.all((2, 3)).await.ok(), Some(4));
    assert_eq!(client.sync().ok(), Some(1));
}

/// The future holds an `Rc` across an await. The expansion must accept futures that are not `Send`.
#[circuit]
async fn not_send() -> CallResult<u8> {
    let shared = std::rc::Rc::new(7);
    std::future::ready(()).await;
    Ok(*shared)
}

struct NotDebug;

#[circuit]
async fn any_value(value: NotDebug) -> CallResult<NotDebug> {
    std::future::ready(()).await;
    Ok(value)
}

#[test]
fn expansion_preserves_send() {
    assert_eq!(expect_ready(not_send()).ok(), Some(7));
    assert!(expect_ready(crate::support::assert_send(any_value(NotDebug))).is_ok());
    // The return value need not be `Send`, because it does not exist while the future is pending.
    assert!(expect_ready(crate::support::assert_send(makes_not_send())).is_ok());
}

#[circuit]
async fn makes_not_send() -> CallResult<std::rc::Rc<u8>> {
    std::future::ready(()).await;
    Ok(std::rc::Rc::new(1))
}

#[circuit(fallback = not_send_instead)]
async fn makes_not_send_or() -> CallResult<std::rc::Rc<u8>> {
    makes_not_send().await
}

async fn not_send_instead() -> CallResult<std::rc::Rc<u8>> {
    Err(Error::NoAnswer)
}

#[test]
fn fallback_keeps_future_send() {
    assert!(expect_ready(crate::support::assert_send(makes_not_send_or())).is_ok());
}
