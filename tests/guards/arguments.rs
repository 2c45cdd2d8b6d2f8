//! Arguments of guarded functions: none to eight, by value and by reference.

use crate::support::{Fault, expect_ready, successes};
use breakerbox::prelude::*;
use std::future::ready;

async fn none() -> Result<u8, Fault> {
    Ok(7)
}

fn none_sync() -> Result<u8, Fault> {
    Ok(7)
}

type Eight = (u8, u16, u32, u64, i8, char, bool, &'static str);

#[allow(clippy::too_many_arguments, clippy::many_single_char_names)]
async fn eight(
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: i8,
    f: char,
    g: bool,
    h: &'static str,
) -> Result<Eight, Fault> {
    Ok((a, b, c, d, e, f, g, h))
}

#[allow(clippy::too_many_arguments, clippy::many_single_char_names)]
fn eight_sync(
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: i8,
    f: char,
    g: bool,
    h: &'static str,
) -> Result<Eight, Fault> {
    Ok((a, b, c, d, e, f, g, h))
}

#[test]
fn guarded_function_accepts_up_to_eight_arguments() {
    let registry = BreakerRegistry::new();
    assert_eq!(
        expect_ready(none.with_breaker(&registry, "x").call()).ok(),
        Some(7)
    );
    assert_eq!(none_sync.with_breaker(&registry, "x").call().ok(), Some(7));
    let all = (1, 2, 3, 4, 5, '6', true, "8");
    let call = eight
        .with_breaker(&registry, "x")
        .call_once(1, 2, 3, 4, 5, '6', true, "8");
    assert_eq!(expect_ready(call).ok(), Some(all));
    let guarded = eight_sync.with_breaker(&registry, "x");
    assert_eq!(guarded.call(1, 2, 3, 4, 5, '6', true, "8").ok(), Some(all));
    assert_eq!(successes(&registry), Some(4));
}

async fn length(text: &str) -> Result<usize, Fault> {
    Ok(text.len())
}

async fn longer<'a>(one: &'a str, other: &'a str) -> Result<&'a str, Fault> {
    Ok(if one.len() > other.len() { one } else { other })
}

fn first(text: &str) -> Result<&str, Fault> {
    text.split(' ').next().ok_or(Fault)
}

#[test]
fn guarded_function_accepts_short_lived_references() {
    let registry = BreakerRegistry::new();
    let measured = length.with_breaker(&registry, "x");
    let taken = first.with_breaker(&registry, "x");
    let compared = longer.with_breaker(&registry, "x");
    for word in ["a", "bb", "ccc"] {
        let text = format!("{word} and more");
        assert_eq!(expect_ready(measured.call(&text)).ok(), Some(text.len()));
        assert_eq!(taken.call(&text).ok(), Some(word));
        assert_eq!(expect_ready(compared.call(&text, word)).ok(), Some(&*text));
    }
    assert_eq!(expect_ready(measured.call("static")).ok(), Some(6));
    assert_eq!(successes(&registry), Some(10));
}

#[test]
fn guarded_function_accepts_mutable_references() {
    let registry = BreakerRegistry::new();
    let push = |all: &mut Vec<u8>, one: u8| -> Result<(), Fault> {
        all.push(one);
        Ok(())
    };
    let push = push.with_breaker(&registry, "x");
    let append = async |all: &mut Vec<u8>, one: u8| -> Result<(), Fault> {
        all.push(one);
        Ok(())
    };
    let append = append.with_breaker(&registry, "x");
    let mut all = Vec::new();
    push.call(&mut all, 1).expect("admitted");
    expect_ready(append.call(&mut all, 2)).expect("admitted");
    push.call(&mut all, 3).expect("admitted");
    assert_eq!(all, [1, 2, 3]);
}

#[test]
fn fn_mut_closure_is_called_with_call_mut() {
    let registry = BreakerRegistry::new();
    let mut count = 0;
    let mut sync = (|by: u32| -> Result<u32, Fault> {
        count += by;
        Ok(count)
    })
    .with_breaker(&registry, "x");
    assert_eq!(sync.call_mut(2).ok(), Some(2));
    assert_eq!(sync.call_mut(3).ok(), Some(5));

    let mut count = 0;
    let mut guarded = (|by: u32| {
        count += by;
        ready(Ok::<u32, Fault>(count))
    })
    .with_breaker(&registry, "x");
    assert_eq!(expect_ready(guarded.call_mut(2)).ok(), Some(2));
    assert_eq!(expect_ready(guarded.call_mut(3)).ok(), Some(5));
    assert_eq!(count, 5);

    // A closure whose future borrows its state can only be called once.
    let lending = async |by: u32| -> Result<u32, Fault> {
        count += by;
        Ok(count)
    };
    assert_eq!(
        expect_ready(lending.with_breaker(&registry, "x").call_once(2)).ok(),
        Some(7)
    );
    assert_eq!(count, 7);
}

#[test]
fn fn_once_closure_is_called_with_call_once() {
    let registry = BreakerRegistry::new();
    let (one, other) = (String::from("one"), String::from("other"));
    let sync = move || Ok::<String, Fault>(one);
    assert_eq!(
        sync.with_breaker(&registry, "x").call_once().ok(),
        Some("one".to_owned())
    );
    let guarded = async move || Ok::<String, Fault>(other);
    let call = guarded.with_breaker(&registry, "x").call_once();
    assert_eq!(expect_ready(call).ok(), Some("other".to_owned()));
    assert_eq!(successes(&registry), Some(2));
}
