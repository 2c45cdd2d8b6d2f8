//! `fallback`: the function that answers for a refused call.

use crate::support::{CallResult, Error, assert_send, expect_ready, global};
use breakerbox::prelude::*;

/// Neither `Clone` nor `Copy`, so the fallback must get the original argument.
#[derive(Debug, PartialEq)]
struct Order(u32);

/// An error type without a conversion from `BreakerError`.
#[derive(Debug, PartialEq)]
struct Plain;

fn cached(mut order: Order) -> Result<Order, Plain> {
    order.0 += 100;
    Ok(order)
}

async fn cached_async(order: Order) -> Result<Order, Plain> {
    std::future::ready(()).await;
    cached(order)
}

#[circuit(fallback = cached)]
fn sync(order: Order) -> Result<Order, Plain> {
    if order.0 == 0 {
        return Err(Plain);
    }
    Ok(order)
}

#[circuit(fallback = cached_async)]
async fn asynchronous(order: Order) -> Result<Order, Plain> {
    Ok(order)
}

#[circuit(fallback = cached)]
async fn sync_for_async(order: Order) -> Result<Order, Plain> {
    Ok(order)
}

#[circuit(fallback = |order: Order| Ok(Order(order.0 + 1)))]
fn closure(order: Order) -> Result<Order, Plain> {
    Ok(order)
}

#[test]
fn fallback_gets_arguments_of_refused_call() {
    assert_eq!(sync(Order(1)), Ok(Order(1)));
    for _ in 0..5 {
        assert_eq!(
            sync(Order(0)),
            Err(Plain),
            "no fallback for the error that trips the circuit"
        );
    }
    assert_eq!(sync(Order(1)), Ok(Order(101)));
    assert_eq!(
        expect_ready(assert_send(asynchronous(Order(1)))),
        Ok(Order(1))
    );
    assert_eq!(
        expect_ready(assert_send(sync_for_async(Order(1)))),
        Ok(Order(1))
    );
    assert_eq!(closure(Order(1)), Ok(Order(1)));
    for name in ["asynchronous", "sync_for_async", "closure"] {
        global(&format!("fallbacks::{name}")).trip();
    }
    assert_eq!(expect_ready(asynchronous(Order(1))), Ok(Order(101)));
    assert_eq!(expect_ready(sync_for_async(Order(1))), Ok(Order(101)));
    assert_eq!(closure(Order(1)), Ok(Order(2)));
    assert_eq!(global("fallbacks::sync").snapshot().totals.refused, 1);
}

struct Prices {
    usual: u32,
}

impl Prices {
    #[circuit(name = "prices", fallback = Self::usual)]
    async fn price(&self, (item, number): (&str, u32), _: bool) -> CallResult<u32> {
        let _ = item;
        Ok(number)
    }

    async fn usual(&self, (item, number): (&str, u32), _: bool) -> CallResult<u32> {
        let _ = item;
        Ok(self.usual + number)
    }

    #[circuit(name = "sale", fallback = Self::note)]
    fn sell(
        &mut self,
        mut number: u32,
        Order(ref order): Order,
        _unused: u8,
    ) -> CallResult<&mut u32> {
        number += order;
        self.usual -= number;
        Ok(&mut self.usual)
    }

    fn note(&mut self, number: u32, _order: Order, _unused: u8) -> CallResult<&mut u32> {
        self.usual = number;
        Ok(&mut self.usual)
    }
}

#[test]
fn method_fallback_accepts_argument_patterns() {
    let mut prices = Prices { usual: 90 };
    assert_eq!(expect_ready(prices.price(("x", 1), true)).ok(), Some(1));
    global("prices").trip();
    assert_eq!(expect_ready(prices.price(("x", 1), true)).ok(), Some(91));
    assert_eq!(prices.sell(1, Order(1), 0).ok(), Some(&mut 88));
    global("sale").trip();
    assert_eq!(prices.sell(1, Order(1), 0).ok(), Some(&mut 1));
}

#[circuit(fallback = generic_instead, name = "generic-fallback")]
async fn generic<T: Send, const N: usize>(
    values: [T; N],
    _: impl Fn() + Send,
) -> CallResult<usize> {
    Ok(values.len())
}

async fn generic_instead<T: Send, const N: usize>(
    _: [T; N],
    _: impl Fn() + Send,
) -> CallResult<usize> {
    Err(Error::NoAnswer)
}

#[circuit(fallback = some_instead, name = "some-fallback")]
fn some(up_to: u8) -> Result<impl Iterator<Item = u8>, Plain> {
    if up_to == 0 {
        return Err(Plain);
    }
    Ok(vec![up_to].into_iter())
}

fn some_instead(_: u8) -> Result<std::vec::IntoIter<u8>, Plain> {
    Ok(vec![].into_iter())
}

#[circuit(fallback = block_instead, name = "block-fallback")]
fn block(order: Order) -> impl Future<Output = Result<Order, Plain>> {
    async move { Ok(order) }
}

async fn block_instead(_: Order) -> Result<Order, Plain> {
    Err(Plain)
}

#[test]
fn generic_and_future_functions_use_fallback() {
    assert_eq!(
        expect_ready(assert_send(generic([1, 2], || {}))).ok(),
        Some(2)
    );
    global("generic-fallback").trip();
    assert!(matches!(
        expect_ready(generic([1, 2], || {})),
        Err(Error::NoAnswer)
    ));
    assert_eq!(some(3).map(Iterator::sum::<u8>), Ok(3));
    global("some-fallback").trip();
    assert_eq!(some(3).map(Iterator::count), Ok(0));
    assert_eq!(expect_ready(block(Order(1))), Ok(Order(1)));
    global("block-fallback").trip();
    assert_eq!(expect_ready(block(Order(1))), Err(Plain));
}

// On one line, because a lint about braces would then suggest to remove those of the function.
#[rustfmt::skip]
#[circuit(name = "one-line", fallback = |_, _| Ok(0))]
fn one_line((left, _): (u8, u8), _: u8) -> Result<u8, Plain> { Ok(left) }

#[circuit(name = "cfg-parameters", fallback = cfg_parameters_instead)]
fn cfg_parameters(
    first: u8,
    #[cfg(any())] missing: Missing,
    #[cfg(not(any()))] second: u8,
    #[cfg(not(any()))] (third, _): (u8, u8),
    #[cfg(any())] [absent, ..]: Missing,
    #[cfg_attr(all(), cfg(any()))] _conditional: Missing,
) -> Result<u8, Plain> {
    Ok(first + second + third)
}

fn cfg_parameters_instead(first: u8, second: u8, third: (u8, u8)) -> Result<u8, Plain> {
    Ok(first + second + third.1)
}

#[circuit(name = "lint-parameters", fallback = |first, _, _, _| Ok(first))]
async fn lint_parameters(
    #[expect(unused_mut)] mut first: u8,
    #[expect(unused_variables)] (second, third): (u8, u8),
    #[expect(clippy::used_underscore_binding)] _fourth: u8,
    __fourth: u8,
) -> Result<u8, Plain> {
    Ok(first + _fourth)
}

#[test]
fn fallback_accepts_attributes_of_parameters() {
    assert_eq!(one_line((1, 2), 3), Ok(1));
    assert_eq!(cfg_parameters(1, 2, (3, 4)), Ok(6));
    assert_eq!(expect_ready(lint_parameters(1, (2, 3), 4, 5)), Ok(5));
    for name in ["one-line", "cfg-parameters", "lint-parameters"] {
        global(name).trip();
    }
    assert_eq!(one_line((1, 2), 3), Ok(0));
    assert_eq!(cfg_parameters(1, 2, (3, 4)), Ok(7));
    assert_eq!(expect_ready(lint_parameters(1, (2, 3), 4, 5)), Ok(1));
}

#[circuit(name = format!("underscore-{_id}"), fallback = |_| Ok(0))]
#[allow(clippy::used_underscore_binding)]
fn named_by_underscore(_id: u8) -> Result<u8, Plain> {
    Ok(1)
}

#[test]
fn settings_use_argument_with_underscore() {
    assert_eq!(named_by_underscore(3), Ok(1));
    global("underscore-3").trip();
    assert_eq!(named_by_underscore(3), Ok(0));
}
