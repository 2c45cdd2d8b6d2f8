//! What `Debug` shows of the types that people hold.
#![cfg(not(loom))]
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::fmt;
use std::time::Duration;

#[track_caller]
fn shows(value: &impl fmt::Debug, parts: &[&str]) {
    let shown = format!("{value:?}");
    for part in parts {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
}

fn users() -> CircuitBreaker {
    CircuitBreaker::builder().name("users").build().unwrap()
}

#[test]
fn of_a_breaker_its_name_and_its_state() {
    let users = users();
    let _ = users.call(|| Err::<(), _>("down"));
    shows(&users, &["\"users\"", "state: Closed", "count: 1"]);
    users.half_open();
    let _trial = users.try_acquire().unwrap();
    shows(&users, &["state: HalfOpen", "in_flight: 1"]);
}

#[test]
fn of_a_permit_whose_it_is() {
    shows(&users().try_acquire().unwrap(), &["Permit(\"users\")"]);
}

#[test]
fn of_a_refusal_its_reason_and_who_refused() {
    let users = users();
    users.force_open();
    shows(&users.try_acquire().unwrap_err(), &["users", "Forced"]);
}

#[test]
fn of_settings_the_errors_that_they_know() {
    let builder = CircuitBreaker::builder()
        .expected_error::<fmt::Error>()
        .ignored_error::<std::num::ParseIntError>();
    let known = ["core::fmt::Error", "ParseIntError"];
    shows(&builder, &known);
    shows(&builder.build().unwrap().config(), &known);
}

#[test]
fn of_guarded_code_the_breaker_and_never_the_code() {
    let users = users();
    let work = || std::future::ready(Ok::<_, String>(7));
    let future = work()
        .guarded_by(&users)
        .timeout(Duration::from_secs(3))
        .fail_if(|_| true);
    shows(&future, &["WithBreaker", "Timeout", "3s"]);
    let answering = work()
        .guarded_by(&users)
        .fallback(|_| std::future::ready(Ok(8)));
    shows(&answering, &["Fallback", "answering: false"]);
    let parse = |text: &str| text.parse::<u8>();
    shows(&parse.guarded_by(&users), &["GuardedFn", "\"users\""]);
}

#[test]
fn of_a_clock_that_it_is_somebodys_own() {
    let own = CircuitBreaker::builder().clock(ManualClock::new());
    shows(&own, &["Custom"]);
}
