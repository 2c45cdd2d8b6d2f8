//! Rules over windows of calls or time: failure counts, failure rates and slow calls.

use crate::support::{Fault, SECOND, TestBreaker, ms};
use breakerbox::{BreakerBuilder, Event, Mode, RuleSnapshot, State, TripRule, Window};
use std::time::Duration;

/// Adds a failure rate and slow calls over 20 seconds, and four half-open calls.
fn rates_over_time(builder: BreakerBuilder) -> BreakerBuilder {
    let window = Window::time(20 * SECOND).buckets(20);
    builder
        .trip_when(TripRule::failure_rate(0.5).over(window).minimum_calls(5))
        .trip_when(
            TripRule::slow_calls(0.5)
                .slower_than(4 * SECOND)
                .over(window)
                .minimum_calls(5),
        )
        .half_open_calls(4)
        .success_threshold(3)
        .trial_timeout(SECOND)
}

/// Adds a failure rate over 10 seconds and a recovery timeout of 30 seconds.
fn rate_over_time(builder: BreakerBuilder) -> BreakerBuilder {
    let window = Window::time(10 * SECOND).buckets(10);
    builder
        .trip_when(TripRule::failure_rate(0.5).over(window).minimum_calls(4))
        .recovery_timeout(30 * SECOND)
}

fn with_rule(rule: TripRule) -> TestBreaker {
    TestBreaker::new(|builder| builder.trip_when(rule))
}

fn with_failure_rate(rate: f64, calls: u32, minimum: u32) -> TestBreaker {
    with_rule(
        TripRule::failure_rate(rate)
            .over(Window::calls(calls))
            .minimum_calls(minimum),
    )
}

impl TestBreaker {
    /// Makes one call for each letter: `S` succeeds and `F` fails.
    #[track_caller]
    fn make_calls(&self, calls: &str) {
        for call in calls.chars() {
            match call {
                'S' => self.succeed(),
                _ => self.fail(),
            }
        }
    }

    /// Makes a call that takes `time`, and succeeds (`S`) or fails (`F`).
    #[track_caller]
    fn make_call_taking(&self, time: Duration, call: char) {
        let permit = self.acquire();
        self.clock.advance(time);
        match call {
            'S' => permit.success(),
            _ => permit.failure(),
        }
    }

    fn rule(&self, index: usize) -> RuleSnapshot {
        self.snapshot().rules[index]
    }

    /// Returns the recorded and the failed calls in the window of the first rule.
    fn window_counts(&self) -> (u32, u32) {
        let rule = self.rule(0);
        (rule.recorded, rule.failed)
    }
}

/// Compares with a tolerance, because a rate is a floating-point quotient.
#[track_caller]
fn assert_rate(rule: &RuleSnapshot, expected: f64) {
    let rate = rule.rate.expect("enough calls");
    assert!((rate - expected).abs() < 1e-9, "{rate} is not {expected}");
}

#[test]
fn r1_success_never_trips() {
    let breaker = TestBreaker::new(rates_over_time);
    breaker.make_calls("FFFF");
    assert_eq!(
        (
            breaker.state(),
            breaker.window_counts(),
            breaker.rule(0).rate
        ),
        (State::Closed, (4, 4), None)
    );
    breaker.succeed();
    assert_eq!(breaker.state(), State::Closed);
    assert_rate(&breaker.rule(0), 0.8);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
    breaker.expect_refusal();
    assert_eq!(breaker.log.changes(), [(State::Closed, State::Open)]);
}

#[test]
fn r2_failure_rate_at_threshold_trips() {
    let breaker = TestBreaker::new(rates_over_time);
    for call in ["S", "S", "S", "F", "F"] {
        breaker.clock.advance(SECOND);
        breaker.make_calls(call);
    }
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::Closed, (5, 2))
    );
    breaker.clock.advance(SECOND);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn r4_slow_success_can_trip_slow_call_rule() {
    let breaker = TestBreaker::new(rates_over_time);
    breaker.make_call_taking(5 * SECOND, 'F');
    breaker.make_call_taking(5 * SECOND, 'S');
    breaker.make_call_taking(ms(100), 'F');
    breaker.make_call_taking(ms(100), 'S');
    assert_eq!((breaker.state(), breaker.rule(1).slow), (State::Closed, 2));
    breaker.make_call_taking(5 * SECOND, 'S');
    assert_eq!(breaker.state(), State::Open);
    let Some(breakerbox::Cause::Rule(rule)) = breaker.snapshot().cause else {
        panic!("the cause must be a rule")
    };
    assert_eq!((rule.slow, rule.recorded), (3, 5));
}

#[test]
fn r6_call_at_slow_limit_is_not_slow() {
    let rule = TripRule::slow_calls(1.0)
        .slower_than(ms(100))
        .over(Window::calls(10));
    let breaker = with_rule(rule);
    breaker.make_call_taking(ms(100), 'S');
    assert_eq!(
        (breaker.rule(0).slow, breaker.snapshot().totals.slow),
        (0, 0)
    );
    breaker.make_call_taking(ms(101), 'S');
    assert_eq!(
        (breaker.rule(0).slow, breaker.snapshot().totals.slow),
        (1, 1)
    );
}

#[test]
fn r7_half_open_starts_with_empty_windows() {
    let breaker = TestBreaker::new(rates_over_time);
    breaker.make_calls("FFFF");
    breaker.trip();
    breaker.expect_refusal();
    breaker.clock.advance(3 * SECOND);
    breaker.expect_refusal();
    assert_eq!(breaker.snapshot().totals.refused, 2);
    breaker.clock.advance(3 * SECOND);
    let trial = breaker.acquire();
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::HalfOpen, (0, 0))
    );
    drop(trial);
}

#[test]
fn r14_slow_trials_fail() {
    let breaker = TestBreaker::half_open(rates_over_time);
    let trials = [breaker.acquire(), breaker.acquire()];
    breaker.clock.advance(5 * SECOND);
    let [first, second] = trials;
    first.success();
    assert_eq!(breaker.state(), State::HalfOpen);
    second.success();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn r15_trials_are_not_recorded_in_windows() {
    let breaker = TestBreaker::half_open(rates_over_time);
    breaker.make_calls("FSSS");
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::Closed, (0, 0))
    );
    breaker.succeed();
    assert_eq!(breaker.window_counts(), (1, 0));
}

#[test]
fn r20_metrics_only_reports_would_trip_once() {
    let breaker = TestBreaker::new(|b| b.failure_threshold(3));
    breaker.metrics_only();
    let would_trip = || {
        breaker
            .log
            .count(|event| matches!(event, Event::WouldTrip { .. }))
    };
    breaker.make_calls("FF");
    assert_eq!(would_trip(), 0);
    breaker.make_calls("FFFF");
    assert_eq!((would_trip(), breaker.state()), (1, State::MetricsOnly));
    breaker.make_calls("SFFF");
    assert_eq!((would_trip(), breaker.snapshot().totals.would_trip), (2, 2));
    assert_eq!(breaker.snapshot().totals.refused, 0);
}

#[test]
fn r30a_first_failure_above_rate_trips() {
    let breaker = with_failure_rate(0.6, 10, 10);
    breaker.make_calls("SSFFFFFFSS");
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::Closed, (10, 6))
    );
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn r30b_new_failure_replaces_old_failure() {
    let breaker = with_failure_rate(0.6, 10, 10);
    breaker.make_calls("SSFFFFFFSS");
    assert_rate(&breaker.rule(0), 0.6);
    breaker.make_calls("SSS");
    assert_rate(&breaker.rule(0), 0.5);
    breaker.fail();
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::Closed, (10, 5))
    );
}

#[test]
fn r31_rate_follows_sliding_window() {
    let breaker = with_failure_rate(1.0, 4, 1);
    let rates = [0.0, 0.5, 1.0 / 3.0, 0.25, 0.25, 0.0];
    for (call, rate) in ["S", "F", "S", "S", "S", "S"].into_iter().zip(rates) {
        breaker.make_calls(call);
        assert_rate(&breaker.rule(0), rate);
    }
}

#[test]
fn r33_slow_calls_include_successes_and_failures() {
    let rule = TripRule::slow_calls(0.9).slower_than(4 * SECOND);
    let breaker = with_rule(rule.over(Window::calls(5)).minimum_calls(1));
    breaker.succeed();
    breaker.make_call_taking(10 * SECOND, 'S');
    breaker.make_call_taking(10 * SECOND, 'F');
    breaker.make_call_taking(ms(100), 'S');
    breaker.make_call_taking(ms(100), 'S');
    let rule = breaker.rule(0);
    assert_eq!(
        (breaker.state(), rule.recorded, rule.slow),
        (State::Closed, 5, 2)
    );
    assert_rate(&rule, 0.4);
}

#[test]
fn r34_outcomes_expire_without_calls() {
    let window = Window::time(5 * SECOND).buckets(5);
    let breaker = with_rule(TripRule::failure_rate(0.5).over(window).minimum_calls(10));
    breaker.fail();
    breaker.clock.advance(ms(100));
    breaker.succeed();
    breaker.clock.advance(ms(700));
    breaker.fail();
    assert_eq!(breaker.window_counts(), (3, 2));
    breaker.clock.advance(ms(4_000));
    assert_eq!(breaker.window_counts(), (3, 2));
    breaker.clock.advance(ms(1_000));
    assert_eq!(breaker.window_counts(), (0, 0));
}

#[test]
fn p1_success_at_minimum_calls_does_not_trip() {
    let breaker = TestBreaker::new(rate_over_time);
    breaker.make_calls("FFFS");
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::Closed, (4, 3))
    );
}

#[test]
fn p2_failure_at_minimum_calls_trips() {
    let breaker = TestBreaker::new(rate_over_time);
    breaker.make_calls("SSF");
    assert_eq!(breaker.state(), State::Closed);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn p4_outcome_as_old_as_window_expires() {
    let breaker = TestBreaker::new(rate_over_time);
    breaker.make_calls("SSF");
    breaker.clock.advance(10 * SECOND);
    breaker.fail();
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::Closed, (1, 1))
    );
}

#[test]
fn p5_outcome_younger_than_window_counts() {
    let breaker = TestBreaker::new(rate_over_time);
    breaker.make_calls("FFF");
    breaker.clock.advance(ms(9_999));
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn p8_bucket_expires_as_a_whole() {
    let breaker = TestBreaker::new(rate_over_time);
    breaker.succeed();
    breaker.clock.advance(ms(9_999));
    breaker.make_calls("FF");
    breaker.clock.advance(ms(1));
    breaker.fail();
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::Closed, (3, 3))
    );
}

#[test]
fn p11_minimum_calls_includes_current_failure() {
    for (calls, state) in [
        ("SSSSSSSSSF", State::Open),
        ("FSSSSSSSSF", State::Open),
        ("FSSSSSSSSSF", State::Open),
        ("SSSSSSSSF", State::Closed),
    ] {
        let breaker = with_failure_rate(0.1, 100, 10);
        breaker.make_calls(calls);
        assert_eq!(breaker.state(), state, "{calls}");
    }
}

#[test]
fn g1_opening_clears_windows() {
    let breaker = TestBreaker::new(|builder| {
        let rate = TripRule::failure_rate(1.0).over(Window::calls(100));
        builder.trip_rules([rate.minimum_calls(100), TripRule::consecutive_failures(6)])
    });
    breaker.make_calls("FFFFF");
    assert_eq!(breaker.window_counts(), (5, 5));
    breaker.fail();
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::Open, (0, 0))
    );
}

#[test]
fn x2_failures_need_not_be_consecutive() {
    let breaker = with_rule(TripRule::failures(2).over(Window::calls(3)));
    breaker.make_calls("FS");
    assert_eq!(breaker.state(), State::Closed);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn x3_too_few_failures_in_window_never_trip() {
    let breaker = with_rule(TripRule::failures(3).over(Window::calls(4)));
    breaker.make_calls(&"SF".repeat(20));
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::Closed, (4, 2))
    );
}

#[test]
fn c1_idle_hour_empties_window() {
    let window = Window::time(60 * SECOND);
    let breaker = with_rule(TripRule::failure_rate(0.5).over(window).minimum_calls(16));
    breaker.make_calls(&"F".repeat(15));
    breaker.clock.advance(3_600 * SECOND);
    breaker.fail();
    assert_eq!(
        (breaker.state(), breaker.window_counts()),
        (State::Closed, (1, 1))
    );
}

#[test]
fn c2_old_successes_leave_window() {
    let breaker = with_failure_rate(0.5, 100, 10);
    breaker.make_calls(&"S".repeat(1_000_000));
    breaker.make_calls(&"F".repeat(49));
    assert_eq!(breaker.state(), State::Closed);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn n1_explicit_rule_replaces_default_rule() {
    let breaker = with_failure_rate(0.5, 100, 100);
    breaker.make_calls(&"F".repeat(99));
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (State::Closed, 99)
    );
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn n2_configure_keeps_unchanged_windows() {
    let kept = TripRule::failure_rate(1.0)
        .over(Window::calls(10))
        .minimum_calls(10);
    let breaker = with_rule(kept);
    breaker.make_calls("FSF");
    let other = TripRule::failures(5).over(Window::calls(7));
    breaker
        .configure(|builder| builder.trip_when(other))
        .expect("valid");
    assert_eq!(
        (breaker.window_counts(), breaker.rule(1).recorded),
        ((3, 2), 0)
    );
    breaker.fail();
    assert_eq!(
        (breaker.window_counts(), breaker.rule(1).recorded),
        ((4, 3), 1)
    );
}

#[test]
fn n2_configure_keeps_deadline_until_next_trip() {
    let breaker = TestBreaker::new(|builder| builder);
    breaker.fail();
    breaker
        .configure(|builder| builder.failure_threshold(1))
        .expect("valid");
    assert_eq!(breaker.state(), State::Closed, "configure never trips");
    breaker.trip();
    breaker.clock.advance(SECOND);
    breaker
        .configure(|builder| builder.recovery_timeout(SECOND))
        .expect("valid");
    assert_eq!(breaker.open_remaining(), Some(4 * SECOND));
    breaker.clock.advance(4 * SECOND);
    breaker.succeed();
    assert_eq!(breaker.state(), State::Closed);
    let result = breaker.call(|| Err::<(), _>(Fault));
    assert_eq!(
        result.expect_err("the call's own error").into_inner(),
        Some(Fault)
    );
    assert_eq!(
        (breaker.state(), breaker.open_remaining()),
        (State::Open, Some(SECOND))
    );
}

#[test]
fn n3_reset_returns_to_configured_mode() {
    let breaker = TestBreaker::new(|b| b.mode(Mode::MetricsOnly).failure_threshold(1));
    breaker.make_calls("FF");
    assert_eq!(breaker.state(), State::MetricsOnly);
    breaker.force_open();
    breaker.expect_refusal();
    breaker.reset();
    breaker.make_calls("FF");
    assert_eq!(breaker.state(), State::MetricsOnly);
    breaker
        .configure(|b| b.mode(Mode::Enforcing))
        .expect("valid");
    assert_eq!(breaker.state(), State::Closed);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}
