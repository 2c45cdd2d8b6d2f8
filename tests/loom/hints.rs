//! Late calls whose outcome says how long to stay away: they postpone the deadline of an open circuit.

use super::*;

const ASKED: Duration = Duration::from_secs(90);
const COMMANDED: Duration = Duration::from_secs(60);

fn ask(permit: Permit) {
    permit.record(Outcome::TripFor(ASKED));
}

/// Open for [`RECOVERY`], and a call from before that.
fn open() -> (CircuitBreaker, Permit) {
    let breaker = build(quick(5));
    let [late] = permits(&breaker);
    breaker.trip();
    (breaker, late)
}

#[test]
fn hint_against_trip_is_never_shortened() {
    explore("hint against trip", |race| {
        let breaker = build(quick(5));
        let [call] = permits(&breaker);
        let tripped = breaker.clone();
        race.run(|| ask(call), move || tripped.trip());
        assert_eq!(breaker.open_remaining(), Some(ASKED));
        let totals = totals(&breaker);
        assert_eq!(totals.failure + totals.late, 1);
    });
}

#[test]
fn two_hints_leave_the_longer_one() {
    explore("two hints", |race| {
        let breaker = build(quick(5));
        let [one, other] = permits(&breaker);
        race.run(|| ask(one), || other.record(Outcome::TripFor(COMMANDED)));
        assert_eq!(breaker.open_remaining(), Some(ASKED));
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (1, 1));
    });
}

#[test]
fn two_late_hints_leave_the_longer_one() {
    explore("two late hints", |race| {
        let breaker = build(quick(5));
        let [one, other] = permits(&breaker);
        breaker.trip();
        race.run(|| ask(one), || other.record(Outcome::TripFor(COMMANDED)));
        assert_eq!(breaker.open_remaining(), Some(ASKED));
        assert_eq!(totals(&breaker).late, 2);
    });
}

#[test]
fn late_hint_against_trip_for_never_wins() {
    explore("late hint against trip_for", |race| {
        let (breaker, late) = open();
        let steered = breaker.clone();
        race.run(|| ask(late), move || steered.trip_for(COMMANDED));
        assert_eq!(breaker.open_remaining(), Some(COMMANDED));
        assert_eq!(totals(&breaker).late, 1);
    });
}

#[test]
fn late_hint_against_reset_and_trip_for_never_wins() {
    explore("late hint against reset and trip_for", |race| {
        let (breaker, late) = open();
        let steered = breaker.clone();
        let anew = move || {
            steered.reset();
            steered.trip_for(COMMANDED);
        };
        race.run(|| ask(late), anew);
        assert_eq!(breaker.open_remaining(), Some(COMMANDED));
    });
}

/// The clock reaches the deadline while the hint is on its way.
#[test]
fn late_hint_against_first_trial_postpones_or_changes_nothing() {
    explore("late hint against the first trial", |race| {
        let clock = ManualClock::new();
        let breaker = build(quick(5).clock(clock.clone()));
        let [late] = permits(&breaker);
        breaker.trip();
        let tried = breaker.clone();
        let recover = move || {
            clock.advance(RECOVERY);
            tried.try_acquire()
        };
        let ((), trial) = race.run(|| ask(late), recover);
        assert_eq!(totals(&breaker).late, 1);
        match trial {
            Ok(trial) => {
                assert_eq!(breaker.snapshot().in_flight, Some(1));
                trial.success();
                assert_eq!(breaker.state(), State::Closed);
            }
            Err(refused) => {
                assert_eq!(refused.reason(), Refusal::Open);
                assert_eq!(refused.retry_after(), Some(ASKED - RECOVERY));
                assert_eq!(breaker.open_remaining(), Some(ASKED - RECOVERY));
            }
        }
    });
}

fn refusals(model: &str, act: fn(&CircuitBreaker, Permit), seconds: &'static [u64]) {
    explore(model, move |race| {
        let (breaker, late) = open();
        let (asked, steered) = (breaker.clone(), breaker.clone());
        let (answer, ()) = race.run(move || asked.try_acquire(), move || act(&steered, late));
        if let Err(refused) = answer {
            assert_eq!(refused.reason(), Refusal::Open);
            let left = refused.retry_after().expect("an end").as_secs();
            assert!(seconds.contains(&left), "{left} s");
        }
    });
}

#[test]
fn refusal_against_late_hint_shows_either_deadline() {
    refusals(
        "refusal against a late hint",
        |_, late| ask(late),
        &[10, 90],
    );
}

/// The deadline of the hint belongs to the circuit that was open before the reset.
#[test]
fn refusal_against_hint_and_reset_shows_no_mixture() {
    let act = |breaker: &CircuitBreaker, late: Permit| {
        ask(late);
        breaker.reset();
        breaker.trip_for(COMMANDED);
    };
    refusals("refusal against a late hint and reset", act, &[10, 90, 60]);
}

/// The failure count tells which opening a refusal belongs to.
#[test]
fn refusal_against_hint_and_reopening_belongs_to_one_opening() {
    explore(
        "refusal against a late hint and a trial's failure",
        |race| {
            let clock = ManualClock::new();
            let backoff = Backoff::exponential(RECOVERY).factor(4.0);
            let breaker = build(quick(5).recovery_backoff(backoff).clock(clock.clone()));
            let [late] = permits(&breaker);
            breaker.trip();
            clock.advance(RECOVERY);
            let [trial] = permits(&breaker);
            let asked = breaker.clone();
            let reopen = || {
                trial.failure();
                ask(late);
            };
            let (answer, ()) = race.run(move || asked.try_acquire(), reopen);
            let refused = answer.expect_err("the trial has the only slot, until it reopens");
            let left = refused.retry_after().expect("an end").as_secs();
            match refused.reason() {
                Refusal::Open => {
                    assert!([40, 90].contains(&left), "{left} s");
                    assert_eq!(refused.failure_count(), 1);
                }
                _ => assert_eq!(left, LEASE.as_secs()),
            }
            assert_eq!(breaker.open_remaining(), Some(ASKED));
        },
    );
}

#[test]
fn lapsed_hint_against_failing_trial_is_never_shortened() {
    explore("lapsed hint against a failing trial", |race| {
        let (breaker, clock) = recovering(quick(1));
        let [lapsed] = permits(&breaker);
        clock.advance(LEASE);
        let [next] = permits(&breaker);
        race.run(|| ask(lapsed), || next.failure());
        assert_eq!(breaker.open_remaining(), Some(ASKED));
        assert_eq!(breaker.snapshot().attempt, 1);
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (1, 1));
    });
}

#[test]
fn lapsed_hint_against_closing_trial_opens_or_is_late() {
    explore("lapsed hint against a closing trial", |race| {
        let (breaker, clock) = recovering(quick(1));
        let [lapsed] = permits(&breaker);
        clock.advance(LEASE);
        let [next] = permits(&breaker);
        race.run(|| ask(lapsed), || next.success());
        let totals = totals(&breaker);
        let seen = (breaker.open_remaining(), totals.success, totals.failure);
        match seen {
            (Some(ASKED), Some(0), 1) | (None, Some(1), 0) => assert_eq!(totals.late, 1),
            _ => panic!("{seen:?} is the outcome of no order"),
        }
    });
}
