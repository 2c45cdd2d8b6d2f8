//! The `Debug` output of the public types.
#![cfg(not(loom))]
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::fmt;
use std::time::Duration;

#[track_caller]
fn assert_debug_contains(value: &impl fmt::Debug, parts: &[&str]) {
    let shown = format!("{value:?}");
    for part in parts {
        assert!(shown.contains(part), "{part} is missing: {shown}");
    }
}

fn users() -> CircuitBreaker {
    CircuitBreaker::builder().name("users").build().unwrap()
}

#[test]
fn debug_of_breaker_shows_name_and_state() {
    let users = users();
    let _ = users.call(|| Err::<(), _>("down"));
    assert_debug_contains(&users, &["\"users\"", "state: Closed", "count: 1"]);
    users.half_open();
    let _trial = users.try_acquire().unwrap();
    assert_debug_contains(&users, &["state: HalfOpen", "in_flight: 1"]);
}

#[test]
fn debug_of_permit_shows_breaker_name() {
    assert_debug_contains(&users().try_acquire().unwrap(), &["Permit(\"users\")"]);
}

#[test]
fn debug_of_refusal_shows_name_and_reason() {
    let users = users();
    users.force_open();
    assert_debug_contains(&users.try_acquire().unwrap_err(), &["users", "Forced"]);
}

#[test]
fn debug_of_settings_lists_error_types() {
    let builder = CircuitBreaker::builder()
        .expected_error::<fmt::Error>()
        .ignored_error::<std::num::ParseIntError>();
    let error_types = ["core::fmt::Error", "ParseIntError"];
    assert_debug_contains(&builder, &error_types);
    assert_debug_contains(&builder.build().unwrap().config(), &error_types);
}

#[test]
fn debug_of_guarded_code_shows_breaker_only() {
    let users = users();
    let work = || std::future::ready(Ok::<_, String>(7));
    let future = work()
        .guarded_by(&users)
        .timeout(Duration::from_secs(3))
        .fail_if(|_| true);
    assert_debug_contains(&future, &["WithBreaker", "Timeout", "3s"]);
    let with_fallback = work()
        .guarded_by(&users)
        .fallback(|_| std::future::ready(Ok(8)));
    assert_debug_contains(&with_fallback, &["Fallback", "answering: false"]);
    let parse = |text: &str| text.parse::<u8>();
    assert_debug_contains(&parse.guarded_by(&users), &["GuardedFn", "\"users\""]);
}

#[test]
fn debug_of_custom_clock_says_custom() {
    let with_clock = CircuitBreaker::builder().clock(ManualClock::new());
    assert_debug_contains(&with_clock, &["Custom"]);
}
