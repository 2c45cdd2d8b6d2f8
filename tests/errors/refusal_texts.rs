//! The alternate text of a refusal: why the circuit refuses calls.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

fn pass(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Ok::<_, &str>(()));
}

/// Makes a successful call that takes three seconds.
fn pass_slowly(breaker: &CircuitBreaker, clock: &ManualClock) {
    let permit = breaker.try_acquire().unwrap();
    clock.advance(3 * SECOND);
    permit.success();
}

/// Returns what `{:#}` adds to `{}` in the refusal by a circuit with `rule`, after `open` has run.
fn added(rule: TripRule, open: impl FnOnce(&CircuitBreaker, &ManualClock)) -> String {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().trip_rules([rule]);
    let breaker = builder.clock(clock.clone()).build().unwrap();
    open(&breaker, &clock);
    let refusal = breaker.try_acquire().unwrap_err();
    let (short, long) = (refusal.to_string(), format!("{refusal:#}"));
    assert!(!short.contains("down"), "{short}");
    long.strip_prefix(&short).unwrap().to_owned()
}

fn consecutive() -> TripRule {
    TripRule::consecutive_failures(3)
}

fn rate() -> TripRule {
    let rule = TripRule::failure_rate(0.5).over(Window::calls(10));
    rule.minimum_calls(4)
}

fn slow() -> TripRule {
    let rule = TripRule::slow_calls(0.5).slower_than(2 * SECOND);
    rule.over(Window::calls(10)).minimum_calls(2)
}

/// Three of four calls fail, and the last one follows a success.
fn trip_rate(breaker: &CircuitBreaker) {
    (0..2).for_each(|_| fail(breaker));
    pass(breaker);
    fail(breaker);
}

#[test]
fn consecutive_rule_is_described_by_failures() {
    let text = added(consecutive(), |breaker, _| {
        (0..3).for_each(|_| fail(breaker));
    });
    assert_eq!(text, " (3 failures, last: \"down\")");
    let text = added(TripRule::consecutive_failures(1), |breaker, _| {
        fail(breaker);
    });
    assert_eq!(text, " (1 failure, last: \"down\")");
}

#[test]
fn other_rules_are_described_by_their_values() {
    let text = added(rate(), |breaker, _| trip_rate(breaker));
    let values = "failure rate of 50% over 10 calls: 3 of 4 calls failed, 75%";
    assert_eq!(text, format!(" ({values}, last: \"down\")"));

    let count = TripRule::failures(2).over(Window::calls(10));
    let text = added(count, |breaker, _| {
        fail(breaker);
        pass(breaker);
        fail(breaker);
    });
    let values = "2 failures over 10 calls: 2 of 3 calls failed";
    assert_eq!(text, format!(" ({values}, last: \"down\")"));

    let text = added(slow(), |breaker, clock| {
        (0..2).for_each(|_| pass_slowly(breaker, clock));
    });
    let values = "slow-call rate of 50% (slower than 2s) over 10 calls: 2 of 2 calls slow, 100%";
    assert_eq!(text, format!(" ({values})"));
}

#[test]
fn failed_trial_is_named_under_every_rule() {
    for rule in [consecutive(), rate()] {
        let text = added(rule, |breaker, clock| {
            (0..4).for_each(|_| fail(breaker));
            clock.advance(30 * SECOND);
            fail(breaker);
        });
        assert_eq!(text, " (a trial failed, last: \"down\")", "{rule}");
    }
    let text = added(slow(), |breaker, clock| {
        (0..2).for_each(|_| pass_slowly(breaker, clock));
        clock.advance(30 * SECOND);
        pass_slowly(breaker, clock);
    });
    assert_eq!(text, " (a trial failed)");
}

#[test]
fn requested_trip_is_named() {
    let text = added(consecutive(), |breaker, _| {
        let permit = breaker.try_acquire().unwrap();
        permit.record(Outcome::TripFor(90 * SECOND));
    });
    assert_eq!(text, " (a call tripped the circuit for 1m 30s)");
}

#[test]
fn command_is_named_by_reason_and_actor() {
    let text = added(consecutive(), |breaker, _| {
        breaker.because("INC\n123").by("al\u{202e}ice").force_open();
    });
    assert_eq!(text, r" (a command by al\u{202e}ice: INC\n123)");
    let text = added(consecutive(), |breaker, _| breaker.because("drill").trip());
    assert_eq!(text, " (a command: drill)");
    // Two failures are not why the circuit is open.
    let text = added(consecutive(), |breaker, _| {
        (0..2).for_each(|_| fail(breaker));
        breaker.trip();
    });
    assert_eq!(text, " (2 consecutive failures, last: \"down\")");
    assert_eq!(added(consecutive(), |breaker, _| breaker.trip()), "");
    assert_eq!(added(consecutive(), |breaker, _| breaker.force_open()), "");
}

#[test]
fn changed_mode_is_named() {
    let text = added(consecutive(), |breaker, _| {
        breaker.configure(|b| b.mode(Mode::ForcedOpen)).unwrap();
    });
    assert_eq!(text, " (new settings changed the mode)");
}

#[test]
fn taken_trials_count_consecutive_failures() {
    let mut trial = None;
    let text = added(rate(), |breaker, clock| {
        trip_rate(breaker);
        clock.advance(30 * SECOND);
        trial = breaker.try_acquire().ok();
    });
    assert_eq!(text, " (1 consecutive failure, last: \"down\")");
}

#[test]
fn later_transition_hides_cause() {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().trip_rules([rate()]);
    let breaker = builder.clock(clock.clone()).build().unwrap();
    trip_rate(&breaker);
    let refusal = breaker.try_acquire().unwrap_err();
    breaker.because("drill").force_open();
    let expected = format!("{refusal} (1 consecutive failure)");
    assert_eq!(format!("{refusal:#}"), expected);
    drop(breaker);
    assert_eq!(format!("{refusal:#}"), expected);
}
