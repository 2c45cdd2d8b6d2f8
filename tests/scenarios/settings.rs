//! Invalid settings: the `ConfigError` names the field, the value and the allowed range.

use breakerbox::{Backoff, BreakerBuilder, CircuitBreaker, Outcome, TripRule, Window};
use std::time::Duration;

const ZERO: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const HUNDRED: Window = Window::calls(100);

/// Asserts that `build` fails with an error that names `field`, `value` and a range that starts with
/// `allowed`.
#[track_caller]
fn assert_rejected(
    set: impl FnOnce(BreakerBuilder) -> BreakerBuilder,
    field: &str,
    value: &str,
    allowed: &str,
) {
    let error = set(CircuitBreaker::builder()).build().expect_err(field);
    assert_eq!((error.field(), error.value()), (field, value));
    assert!(
        error.allowed().starts_with(allowed),
        "{field} may be {}",
        error.allowed()
    );
    assert_eq!(
        error.to_string(),
        format!("{field} is {value}, but must be {}", error.allowed())
    );
}

#[track_caller]
fn assert_rule_rejected(rule: TripRule, field: &str, value: &str, allowed: &str) {
    assert_rejected(|b| b.trip_when(rule), field, value, allowed);
    assert_rejected(|b| b.trip_rules([rule]), field, value, allowed);
}

#[track_caller]
fn assert_accepted(set: impl FnOnce(BreakerBuilder) -> BreakerBuilder) {
    set(CircuitBreaker::builder())
        .build()
        .expect("a value at the limit of its range");
}

#[test]
fn r39_invalid_name_is_rejected() {
    assert_rejected(|b| b.name(""), "name", "\"\"", "1 to 256 bytes");
    let long = format!("\"{}… (257 bytes)\"", "n".repeat(32));
    assert_rejected(|b| b.name("n".repeat(257)), "name", &long, "1 to 256 bytes");
    assert_accepted(|b| b.name("n".repeat(256)));
    assert_accepted(|b| b.name("\u{0}\n☎"));
}

#[test]
fn r39_invalid_count_is_rejected() {
    assert_rejected(
        |b| b.failure_threshold(0),
        "failure_threshold",
        "0",
        "1 to 4294967295",
    );
    assert_rejected(
        |b| b.half_open_calls(0),
        "half_open_calls",
        "0",
        "1 to 1000",
    );
    assert_rejected(
        |b| b.half_open_calls(1_001),
        "half_open_calls",
        "1001",
        "1 to 1000",
    );
    assert_accepted(|b| b.half_open_calls(1_000));
    assert_rejected(
        |b| b.success_threshold(0),
        "success_threshold",
        "0",
        "1 to 1",
    );
    assert_rejected(
        |b| b.half_open_calls(3).success_threshold(4),
        "success_threshold",
        "4",
        "1 to 3",
    );
    assert_accepted(|b| b.success_threshold(3).half_open_calls(3));
}

#[test]
fn r39_zero_duration_is_rejected() {
    let positive = "longer than zero";
    assert_rejected(
        |b| b.recovery_timeout(ZERO),
        "recovery_timeout",
        "0s",
        positive,
    );
    assert_rejected(|b| b.trial_timeout(ZERO), "trial_timeout", "0s", positive);
    assert_rejected(
        |b| b.cancelled_after(ZERO),
        "cancelled_after",
        "0s",
        positive,
    );
    assert_rejected(|b| b.max_trip_for(ZERO), "max_trip_for", "0s", positive);
    assert_accepted(|b| {
        b.recovery_timeout(Duration::MAX)
            .trial_timeout(Duration::MAX)
            .cancelled_after(Duration::MAX)
            .max_trip_for(Duration::MAX)
    });
}

#[test]
fn r39_invalid_backoff_is_rejected() {
    let backoff = Backoff::exponential(SECOND);
    let first = Backoff::exponential(ZERO);
    assert_rejected(
        |b| b.recovery_backoff(first),
        "recovery_backoff.first",
        "0s",
        "longer than zero",
    );
    for (factor, value) in [
        (0.99, "0.99"),
        (1_000.1, "1000.1"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
    ] {
        let backoff = backoff.factor(factor);
        assert_rejected(
            |b| b.recovery_backoff(backoff),
            "recovery_backoff.factor",
            value,
            "1.0 to 1000.0",
        );
    }
    let max = backoff.max(MILLISECOND);
    assert_rejected(
        |b| b.recovery_backoff(max),
        "recovery_backoff.max",
        "1ms",
        "at least the first delay, 1s",
    );
    for (jitter, value) in [(-0.1, "-0.1"), (1.0, "1.0"), (f64::NAN, "NaN")] {
        let backoff = backoff.jitter(jitter);
        assert_rejected(
            |b| b.recovery_backoff(backoff),
            "recovery_backoff.jitter",
            value,
            "at least 0.0 and less than 1.0",
        );
    }
}

#[test]
fn r39_invalid_rate_is_rejected() {
    for (rate, value) in [
        (0.0, "0.0"),
        (-0.5, "-0.5"),
        (1.01, "1.01"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
    ] {
        let failures = TripRule::failure_rate(rate).over(HUNDRED);
        assert_rule_rejected(
            failures,
            "failure_rate",
            value,
            "greater than 0.0 and at most 1.0",
        );
        let slow = TripRule::slow_calls(rate).slower_than(SECOND).over(HUNDRED);
        assert_rule_rejected(
            slow,
            "slow_calls",
            value,
            "greater than 0.0 and at most 1.0",
        );
    }
    assert_accepted(|b| b.trip_when(TripRule::failure_rate(1.0).over(HUNDRED)));
}

#[test]
fn r39_invalid_rule_is_rejected() {
    assert_rejected(
        |b| b.trip_rules([]),
        "trip_rules",
        "[]",
        "a list of 1 to 32 rules",
    );
    assert_rule_rejected(
        TripRule::consecutive_failures(0),
        "failure_threshold",
        "0",
        "1 to",
    );
    assert_rule_rejected(TripRule::failures(0).over(HUNDRED), "failures", "0", "1 to");
    assert_rule_rejected(
        TripRule::failures(101).over(HUNDRED),
        "failures",
        "101",
        "1 to 100",
    );
    assert_rule_rejected(
        TripRule::failure_rate(0.5),
        "failure_rate.over",
        "missing",
        "a window",
    );
    let slow = TripRule::slow_calls(0.5).over(HUNDRED);
    assert_rule_rejected(slow, "slow_calls.slower_than", "missing", "a duration");
    assert_rule_rejected(
        slow.slower_than(ZERO),
        "slow_calls.slower_than",
        "0s",
        "longer than zero",
    );
    let rate = TripRule::failure_rate(0.5).over(HUNDRED);
    assert_rule_rejected(
        rate.slower_than(SECOND),
        "failure_rate.slower_than",
        "1s",
        "omitted",
    );
    assert_rule_rejected(
        rate.minimum_calls(0),
        "failure_rate.minimum_calls",
        "0",
        "1 to 100",
    );
    assert_rule_rejected(
        rate.minimum_calls(101),
        "failure_rate.minimum_calls",
        "101",
        "1 to 100",
    );
    assert_accepted(|b| b.trip_when(rate.minimum_calls(100)));
}

#[test]
fn r39_invalid_window_is_rejected() {
    let over = |window| TripRule::failures(1).over(window);
    assert_rule_rejected(
        over(Window::calls(0)),
        "failures.window.calls",
        "0",
        "1 to 1000000",
    );
    assert_rule_rejected(
        over(Window::calls(1_000_001)),
        "failures.window.calls",
        "1000001",
        "1 to 1000000",
    );
    assert_rule_rejected(
        over(HUNDRED.buckets(10)),
        "failures.window.buckets",
        "10",
        "omitted",
    );
    let time = Window::time;
    assert_rule_rejected(
        over(time(Duration::MAX)),
        "failures.window.time",
        "forever",
        "1ms to",
    );
    assert_rule_rejected(
        over(time(SECOND).buckets(0)),
        "failures.window.buckets",
        "0",
        "1 to 3600",
    );
    assert_rule_rejected(
        over(time(SECOND * 60).buckets(3_601)),
        "failures.window.buckets",
        "3601",
        "1 to 3600",
    );
    assert_rule_rejected(
        over(time(MILLISECOND).buckets(2)),
        "failures.window.buckets",
        "2",
        "at most 1, because a bucket is at least 1ms long",
    );
    assert_accepted(|b| b.trip_when(over(time(MILLISECOND).buckets(1))));
}

/// The error names the time of the window, not its default number of buckets.
#[test]
fn r39_window_of_zero_time_is_rejected() {
    let rule = TripRule::failures(1).over(Window::time(ZERO));
    assert_rule_rejected(rule, "failures.window.time", "0s", "1ms to");
}

#[test]
fn r39_unsupported_outcome_is_rejected() {
    let failure = Outcome::Failure;
    let allowed = "Success or Ignored";
    assert_rejected(
        |b| b.unexpected_errors_as(failure),
        "unexpected_errors_as",
        "Failure",
        allowed,
    );
    let trip = Outcome::TripFor(SECOND);
    assert_rejected(
        |b| b.cancelled_as(trip),
        "cancelled_as",
        "TripFor(1s)",
        "Ignored or Failure or Success",
    );
}

#[test]
fn r39_rejected_configure_keeps_settings() {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(7)
        .build()
        .expect("valid");
    let error = breaker
        .configure(|b| b.failure_threshold(0))
        .expect_err("an invalid threshold");
    assert_eq!(error.field(), "failure_threshold");
    assert_eq!(
        breaker.config().trip_rules(),
        [TripRule::consecutive_failures(7)]
    );
}
