//! Hints of late calls (`Outcome::TripFor`), which may move the deadline of an open circuit later.

use super::*;

const HINT: Duration = Duration::from_secs(90);
const COMMAND: Duration = Duration::from_secs(60);

fn record_hint(permit: Permit) {
    permit.record(Outcome::TripFor(HINT));
}

/// Returns a circuit that is open for [`RECOVERY`], and a late call.
fn open_with_late_call() -> (CircuitBreaker, Permit) {
    let breaker = build(settings_with_threshold(5));
    let [late] = permits(&breaker);
    breaker.trip();
    (breaker, late)
}

#[test]
fn hint_against_trip_keeps_longer_deadline() {
    explore("hint against trip", |race| {
        let breaker = build(settings_with_threshold(5));
        let [call] = permits(&breaker);
        let tripped = breaker.clone();
        race.run(|| record_hint(call), move || tripped.trip());
        assert_eq!(breaker.open_remaining(), Some(HINT));
        let totals = totals(&breaker);
        assert_eq!(totals.failure + totals.late, 1);
    });
}

#[test]
fn longer_of_two_hints_wins() {
    explore("two hints", |race| {
        let breaker = build(settings_with_threshold(5));
        let [one, other] = permits(&breaker);
        race.run(
            || record_hint(one),
            || other.record(Outcome::TripFor(COMMAND)),
        );
        assert_eq!(breaker.open_remaining(), Some(HINT));
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (1, 1));
    });
}

#[test]
fn longer_of_two_late_hints_wins() {
    explore("two late hints", |race| {
        let breaker = build(settings_with_threshold(5));
        let [one, other] = permits(&breaker);
        breaker.trip();
        race.run(
            || record_hint(one),
            || other.record(Outcome::TripFor(COMMAND)),
        );
        assert_eq!(breaker.open_remaining(), Some(HINT));
        assert_eq!(totals(&breaker).late, 2);
    });
}

#[test]
fn late_hint_never_overrides_trip_for() {
    explore("late hint against trip_for", |race| {
        let (breaker, late) = open_with_late_call();
        let commanded = breaker.clone();
        race.run(|| record_hint(late), move || commanded.trip_for(COMMAND));
        assert_eq!(breaker.open_remaining(), Some(COMMAND));
        assert_eq!(totals(&breaker).late, 1);
    });
}

#[test]
fn late_hint_never_overrides_reset_and_trip_for() {
    explore("late hint against reset and trip_for", |race| {
        let (breaker, late) = open_with_late_call();
        let commanded = breaker.clone();
        let reset_and_trip = move || {
            commanded.reset();
            commanded.trip_for(COMMAND);
        };
        race.run(|| record_hint(late), reset_and_trip);
        assert_eq!(breaker.open_remaining(), Some(COMMAND));
    });
}

/// The clock reaches the deadline before the hint is recorded.
#[test]
fn late_hint_against_first_trial_delays_it_or_nothing() {
    explore("late hint against the first trial", |race| {
        let clock = ManualClock::new();
        let breaker = build(settings_with_threshold(5).clock(clock.clone()));
        let [late] = permits(&breaker);
        breaker.trip();
        let caller = breaker.clone();
        let recover = move || {
            clock.advance(RECOVERY);
            caller.try_acquire()
        };
        let ((), trial) = race.run(|| record_hint(late), recover);
        assert_eq!(totals(&breaker).late, 1);
        match trial {
            Ok(trial) => {
                assert_eq!(breaker.snapshot().in_flight, Some(1));
                trial.success();
                assert_eq!(breaker.state(), State::Closed);
            }
            Err(refused) => {
                assert_eq!(refused.reason(), Refusal::Open);
                assert_eq!(refused.retry_after(), Some(HINT - RECOVERY));
                assert_eq!(breaker.open_remaining(), Some(HINT - RECOVERY));
            }
        }
    });
}

fn assert_retry_after(model: &str, act: fn(&CircuitBreaker, Permit), seconds: &'static [u64]) {
    explore(model, move |race| {
        let (breaker, late) = open_with_late_call();
        let (caller, commanded) = (breaker.clone(), breaker.clone());
        let (result, ()) = race.run(move || caller.try_acquire(), move || act(&commanded, late));
        if let Err(refused) = result {
            assert_eq!(refused.reason(), Refusal::Open);
            let remaining = refused
                .retry_after()
                .expect("the circuit has a deadline")
                .as_secs();
            assert!(seconds.contains(&remaining), "{remaining} s");
        }
    });
}

#[test]
fn refusal_against_late_hint_shows_one_deadline() {
    assert_retry_after(
        "refusal against a late hint",
        |_, late| record_hint(late),
        &[10, 90],
    );
}

/// The hint applies to the opening before the reset, not to the one after it.
#[test]
fn refusal_against_hint_and_reset_is_consistent() {
    let act = |breaker: &CircuitBreaker, late: Permit| {
        record_hint(late);
        breaker.reset();
        breaker.trip_for(COMMAND);
    };
    assert_retry_after("refusal against a late hint and reset", act, &[10, 90, 60]);
}

/// The failure count shows which opening the refusal belongs to.
#[test]
fn refusal_against_hint_and_reopening_is_consistent() {
    explore(
        "refusal against a late hint and a trial's failure",
        |race| {
            let clock = ManualClock::new();
            let backoff = Backoff::exponential(RECOVERY).factor(4.0);
            let breaker = build(
                settings_with_threshold(5)
                    .recovery_backoff(backoff)
                    .clock(clock.clone()),
            );
            let [late] = permits(&breaker);
            breaker.trip();
            clock.advance(RECOVERY);
            let [trial] = permits(&breaker);
            let caller = breaker.clone();
            let reopen = || {
                trial.failure();
                record_hint(late);
            };
            let (result, ()) = race.run(move || caller.try_acquire(), reopen);
            let refused =
                result.expect_err("the trial holds the only slot until the circuit reopens");
            let remaining = refused
                .retry_after()
                .expect("the circuit has a deadline")
                .as_secs();
            match refused.reason() {
                Refusal::Open => {
                    assert!([40, 90].contains(&remaining), "{remaining} s");
                    assert_eq!(refused.failure_count(), 1);
                }
                _ => assert_eq!(remaining, LEASE.as_secs()),
            }
            assert_eq!(breaker.open_remaining(), Some(HINT));
        },
    );
}

#[test]
fn expired_hint_against_failing_trial_keeps_longer_deadline() {
    explore("hint of an expired trial against a failing trial", |race| {
        let (breaker, clock) = recovering(settings_with_threshold(1));
        let [expired] = permits(&breaker);
        clock.advance(LEASE);
        let [next] = permits(&breaker);
        race.run(|| record_hint(expired), || next.failure());
        assert_eq!(breaker.open_remaining(), Some(HINT));
        assert_eq!(breaker.snapshot().attempt, 1);
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (1, 1));
    });
}

#[test]
fn expired_hint_against_closing_trial_opens_or_is_late() {
    explore("hint of an expired trial against a closing trial", |race| {
        let (breaker, clock) = recovering(settings_with_threshold(1));
        let [expired] = permits(&breaker);
        clock.advance(LEASE);
        let [next] = permits(&breaker);
        race.run(|| record_hint(expired), || next.success());
        let totals = totals(&breaker);
        let seen = (breaker.open_remaining(), totals.success, totals.failure);
        match seen {
            (Some(HINT), Some(0), 1) | (None, Some(1), 0) => assert_eq!(totals.late, 1),
            _ => panic!("no order of the two calls results in {seen:?}"),
        }
    });
}
