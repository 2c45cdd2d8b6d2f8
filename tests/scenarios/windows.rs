//! Rules that look at more than failures in a row.

use crate::support::{Bench, Fault, SECOND, ms};
use breakerbox::{BreakerBuilder, Event, Mode, RuleSnapshot, State, TripRule, Window};
use std::time::Duration;

/// Configuration A, but for what every [`Bench`] has.
fn a(builder: BreakerBuilder) -> BreakerBuilder {
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

/// Configuration B.
fn b(builder: BreakerBuilder) -> BreakerBuilder {
    let window = Window::time(10 * SECOND).buckets(10);
    builder
        .trip_when(TripRule::failure_rate(0.5).over(window).minimum_calls(4))
        .recovery_timeout(30 * SECOND)
}

fn only(rule: TripRule) -> Bench {
    Bench::new(|builder| builder.trip_when(rule))
}

fn rate_of_calls(rate: f64, calls: u32, minimum: u32) -> Bench {
    only(
        TripRule::failure_rate(rate)
            .over(Window::calls(calls))
            .minimum_calls(minimum),
    )
}

impl Bench {
    /// S and F, one after the other.
    #[track_caller]
    fn runs(&self, calls: &str) {
        for call in calls.chars() {
            match call {
                'S' => self.succeeds(),
                _ => self.fails(),
            }
        }
    }

    /// slowS and slowF: a call that takes its time.
    #[track_caller]
    fn runs_for(&self, time: Duration, call: char) {
        let permit = self.begin();
        self.clock.advance(time);
        match call {
            'S' => permit.success(),
            _ => permit.failure(),
        }
    }

    fn rule(&self, index: usize) -> RuleSnapshot {
        self.snapshot().rules[index]
    }

    /// Recorded and failed, by the first rule.
    fn recorded(&self) -> (u32, u32) {
        let rule = self.rule(0);
        (rule.recorded, rule.failed)
    }
}

/// How far a quotient of small whole numbers may be off.
#[track_caller]
fn assert_rate(rule: &RuleSnapshot, expected: f64) {
    let rate = rule.rate.expect("enough calls");
    assert!((rate - expected).abs() < 1e-9, "{rate} is not {expected}");
}

#[test]
fn r1_a_success_never_trips() {
    let bench = Bench::new(a);
    bench.runs("FFFF");
    assert_eq!(
        (bench.state(), bench.recorded(), bench.rule(0).rate),
        (State::Closed, (4, 4), None)
    );
    bench.succeeds();
    assert_eq!(bench.state(), State::Closed);
    assert_rate(&bench.rule(0), 0.8);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
    bench.refusal();
    assert_eq!(bench.log.changes(), [(State::Closed, State::Open)]);
}

#[test]
fn r2_a_rate_that_is_reached_trips() {
    let bench = Bench::new(a);
    for call in ["S", "S", "S", "F", "F"] {
        bench.clock.advance(SECOND);
        bench.runs(call);
    }
    assert_eq!((bench.state(), bench.recorded()), (State::Closed, (5, 2)));
    bench.clock.advance(SECOND);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn r4_a_slow_success_may_trip_a_slow_call_rule() {
    let bench = Bench::new(a);
    bench.runs_for(5 * SECOND, 'F');
    bench.runs_for(5 * SECOND, 'S');
    bench.runs_for(ms(100), 'F');
    bench.runs_for(ms(100), 'S');
    assert_eq!((bench.state(), bench.rule(1).slow), (State::Closed, 2));
    bench.runs_for(5 * SECOND, 'S');
    assert_eq!(bench.state(), State::Open);
    let Some(breakerbox::Cause::Rule(rule)) = bench.snapshot().cause else {
        panic!("a rule")
    };
    assert_eq!((rule.slow, rule.recorded), (3, 5));
}

#[test]
fn r6_a_call_is_slow_when_strictly_longer() {
    let rule = TripRule::slow_calls(1.0)
        .slower_than(ms(100))
        .over(Window::calls(10));
    let bench = only(rule);
    bench.runs_for(ms(100), 'S');
    assert_eq!((bench.rule(0).slow, bench.snapshot().totals.slow), (0, 0));
    bench.runs_for(ms(101), 'S');
    assert_eq!((bench.rule(0).slow, bench.snapshot().totals.slow), (1, 1));
}

#[test]
fn r7_half_open_begins_with_counters_at_zero() {
    let bench = Bench::new(a);
    bench.runs("FFFF");
    bench.trip();
    bench.refusal();
    bench.clock.advance(3 * SECOND);
    bench.refusal();
    assert_eq!(bench.snapshot().totals.refused, 2);
    bench.clock.advance(3 * SECOND);
    let trial = bench.begin();
    assert_eq!((bench.state(), bench.recorded()), (State::HalfOpen, (0, 0)));
    drop(trial);
}

#[test]
fn r14_slow_trials_fail() {
    let bench = Bench::half_open(a);
    let trials = [bench.begin(), bench.begin()];
    bench.clock.advance(5 * SECOND);
    let [first, second] = trials;
    first.success();
    assert_eq!(bench.state(), State::HalfOpen);
    second.success();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn r15_trials_leave_no_trace_in_the_windows() {
    let bench = Bench::half_open(a);
    bench.runs("FSSS");
    assert_eq!((bench.state(), bench.recorded()), (State::Closed, (0, 0)));
    bench.succeeds();
    assert_eq!(bench.recorded(), (1, 0));
}

#[test]
fn r20_a_breaker_that_only_watches_says_once_that_it_would_trip() {
    let bench = Bench::new(|b| b.failure_threshold(3));
    bench.metrics_only();
    let would_trip = || {
        bench
            .log
            .count(|event| matches!(event, Event::WouldTrip { .. }))
    };
    bench.runs("FF");
    assert_eq!(would_trip(), 0);
    bench.runs("FFFF");
    assert_eq!((would_trip(), bench.state()), (1, State::MetricsOnly));
    bench.runs("SFFF");
    assert_eq!((would_trip(), bench.snapshot().totals.would_trip), (2, 2));
    assert_eq!(bench.snapshot().totals.refused, 0);
}

#[test]
fn r30a_a_failure_finds_what_successes_left() {
    let bench = rate_of_calls(0.6, 10, 10);
    bench.runs("SSFFFFFFSS");
    assert_eq!((bench.state(), bench.recorded()), (State::Closed, (10, 6)));
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn r30b_a_failure_pushes_a_failure_out() {
    let bench = rate_of_calls(0.6, 10, 10);
    bench.runs("SSFFFFFFSS");
    assert_rate(&bench.rule(0), 0.6);
    bench.runs("SSS");
    assert_rate(&bench.rule(0), 0.5);
    bench.fails();
    assert_eq!((bench.state(), bench.recorded()), (State::Closed, (10, 5)));
}

#[test]
fn r31_rates_follow_a_sliding_window() {
    let bench = rate_of_calls(1.0, 4, 1);
    let rates = [0.0, 0.5, 1.0 / 3.0, 0.25, 0.25, 0.0];
    for (call, rate) in ["S", "F", "S", "S", "S", "S"].into_iter().zip(rates) {
        bench.runs(call);
        assert_rate(&bench.rule(0), rate);
    }
}

#[test]
fn r33_slow_calls_count_whether_they_succeeded_or_not() {
    let rule = TripRule::slow_calls(0.9).slower_than(4 * SECOND);
    let bench = only(rule.over(Window::calls(5)).minimum_calls(1));
    bench.succeeds();
    bench.runs_for(10 * SECOND, 'S');
    bench.runs_for(10 * SECOND, 'F');
    bench.runs_for(ms(100), 'S');
    bench.runs_for(ms(100), 'S');
    let rule = bench.rule(0);
    assert_eq!(
        (bench.state(), rule.recorded, rule.slow),
        (State::Closed, 5, 2)
    );
    assert_rate(&rule, 0.4);
}

#[test]
fn r34_outcomes_expire_by_themselves() {
    let window = Window::time(5 * SECOND).buckets(5);
    let bench = only(TripRule::failure_rate(0.5).over(window).minimum_calls(10));
    bench.fails();
    bench.clock.advance(ms(100));
    bench.succeeds();
    bench.clock.advance(ms(700));
    bench.fails();
    assert_eq!(bench.recorded(), (3, 2));
    bench.clock.advance(ms(4_000));
    assert_eq!(bench.recorded(), (3, 2));
    bench.clock.advance(ms(1_000));
    assert_eq!(bench.recorded(), (0, 0));
}

#[test]
fn p1_a_success_at_the_minimum_of_calls_does_not_trip() {
    let bench = Bench::new(b);
    bench.runs("FFFS");
    assert_eq!((bench.state(), bench.recorded()), (State::Closed, (4, 3)));
}

#[test]
fn p2_half_of_the_minimum_of_calls_trips() {
    let bench = Bench::new(b);
    bench.runs("SSF");
    assert_eq!(bench.state(), State::Closed);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn p4_what_is_as_old_as_the_window_has_left() {
    let bench = Bench::new(b);
    bench.runs("SSF");
    bench.clock.advance(10 * SECOND);
    bench.fails();
    assert_eq!((bench.state(), bench.recorded()), (State::Closed, (1, 1)));
}

#[test]
fn p5_what_is_younger_than_the_window_is_still_there() {
    let bench = Bench::new(b);
    bench.runs("FFF");
    bench.clock.advance(ms(9_999));
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn p8_a_bucket_leaves_when_its_time_has_come() {
    let bench = Bench::new(b);
    bench.succeeds();
    bench.clock.advance(ms(9_999));
    bench.runs("FF");
    bench.clock.advance(ms(1));
    bench.fails();
    assert_eq!((bench.state(), bench.recorded()), (State::Closed, (3, 3)));
}

#[test]
fn p11_the_minimum_of_calls_counts_the_failure_itself() {
    for (calls, state) in [
        ("SSSSSSSSSF", State::Open),
        ("FSSSSSSSSF", State::Open),
        ("FSSSSSSSSSF", State::Open),
        ("SSSSSSSSF", State::Closed),
    ] {
        let bench = rate_of_calls(0.1, 100, 10);
        bench.runs(calls);
        assert_eq!(bench.state(), state, "{calls}");
    }
}

#[test]
fn g1_opening_clears_the_windows() {
    let bench = Bench::new(|builder| {
        let rate = TripRule::failure_rate(1.0).over(Window::calls(100));
        builder.trip_rules([rate.minimum_calls(100), TripRule::consecutive_failures(6)])
    });
    bench.runs("FFFFF");
    assert_eq!(bench.recorded(), (5, 5));
    bench.fails();
    assert_eq!((bench.state(), bench.recorded()), (State::Open, (0, 0)));
}

#[test]
fn x2_failures_need_not_follow_each_other() {
    let bench = only(TripRule::failures(2).over(Window::calls(3)));
    bench.runs("FS");
    assert_eq!(bench.state(), State::Closed);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn x3_as_many_failures_as_ever_fit_are_too_few() {
    let bench = only(TripRule::failures(3).over(Window::calls(4)));
    bench.runs(&"SF".repeat(20));
    assert_eq!((bench.state(), bench.recorded()), (State::Closed, (4, 2)));
}

#[test]
fn c1_an_idle_hour_leaves_nothing_behind() {
    let window = Window::time(60 * SECOND);
    let bench = only(TripRule::failure_rate(0.5).over(window).minimum_calls(16));
    bench.runs(&"F".repeat(15));
    bench.clock.advance(3_600 * SECOND);
    bench.fails();
    assert_eq!((bench.state(), bench.recorded()), (State::Closed, (1, 1)));
}

#[test]
fn c2_a_long_healthy_past_weighs_no_more_than_the_window() {
    let bench = rate_of_calls(0.5, 100, 10);
    bench.runs(&"S".repeat(1_000_000));
    bench.runs(&"F".repeat(49));
    assert_eq!(bench.state(), State::Closed);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn n1_a_rule_that_is_named_leaves_no_hidden_one() {
    let bench = rate_of_calls(0.5, 100, 100);
    bench.runs(&"F".repeat(99));
    assert_eq!((bench.state(), bench.failure_count()), (State::Closed, 99));
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn n2_unchanged_windows_keep_their_data_and_new_ones_are_empty() {
    let kept = TripRule::failure_rate(1.0)
        .over(Window::calls(10))
        .minimum_calls(10);
    let bench = only(kept);
    bench.runs("FSF");
    let other = TripRule::failures(5).over(Window::calls(7));
    bench
        .configure(|builder| builder.trip_when(other))
        .expect("valid");
    assert_eq!((bench.recorded(), bench.rule(1).recorded), ((3, 2), 0));
    bench.fails();
    assert_eq!((bench.recorded(), bench.rule(1).recorded), ((4, 3), 1));
}

#[test]
fn n2_a_running_deadline_stays_and_a_lowered_threshold_acts_at_the_next_failure() {
    let bench = Bench::new(|builder| builder);
    bench.fails();
    bench
        .configure(|builder| builder.failure_threshold(1))
        .expect("valid");
    assert_eq!(
        bench.state(),
        State::Closed,
        "nothing trips by being configured"
    );
    bench.trip();
    bench.clock.advance(SECOND);
    bench
        .configure(|builder| builder.recovery_timeout(SECOND))
        .expect("valid");
    assert_eq!(bench.open_remaining(), Some(4 * SECOND));
    bench.clock.advance(4 * SECOND);
    bench.succeeds();
    assert_eq!(bench.state(), State::Closed);
    let result = bench.call(|| Err::<(), _>(Fault));
    assert_eq!(result.expect_err("its own error").into_inner(), Some(Fault));
    assert_eq!(
        (bench.state(), bench.open_remaining()),
        (State::Open, Some(SECOND))
    );
}

#[test]
fn n3_a_breaker_returns_to_the_mode_it_was_configured_with() {
    let bench = Bench::new(|b| b.mode(Mode::MetricsOnly).failure_threshold(1));
    bench.runs("FF");
    assert_eq!(bench.state(), State::MetricsOnly);
    bench.force_open();
    bench.refusal();
    bench.reset();
    bench.runs("FF");
    assert_eq!(bench.state(), State::MetricsOnly);
    bench.configure(|b| b.mode(Mode::Enforcing)).expect("valid");
    assert_eq!(bench.state(), State::Closed);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}
