//! Trials whose lease has lapsed: they still decide while their half-open period lasts, but hold no slot.

use super::*;

/// A half-open circuit of which `lapsed` trials have lost their slots and one more has taken the first.
struct Lapsed<const N: usize> {
    breaker: CircuitBreaker,
    clock: ManualClock,
    lapsed: [Permit; N],
    next: Permit,
}

fn lapsed<const N: usize>(settings: BreakerBuilder) -> Lapsed<N> {
    let (breaker, clock) = recovering(settings);
    let lapsed = permits(&breaker);
    clock.advance(LEASE);
    let [next] = permits(&breaker);
    Lapsed {
        breaker,
        clock,
        lapsed,
        next,
    }
}

fn in_flight(breaker: &CircuitBreaker) -> Option<u32> {
    breaker.snapshot().in_flight
}

/// What there is to see of a circuit whose period has ended.
fn seen(breaker: &CircuitBreaker) -> (State, u32, Option<u64>, u64, u64) {
    let totals = totals(breaker);
    (
        breaker.state(),
        breaker.failure_count(),
        totals.success,
        totals.failure,
        totals.late,
    )
}

const CLOSED_BY_ONE: (State, u32, Option<u64>, u64, u64) = (State::Closed, 0, Some(1), 0, 1);
const OPENED_BY_ONE: (State, u32, Option<u64>, u64, u64) = (State::Open, 1, Some(0), 1, 1);

#[test]
fn lapsed_success_against_takeover_closes() {
    explore("lapsed success against its takeover", |race| {
        let (breaker, clock) = recovering(quick(1));
        let [lapsed] = permits(&breaker);
        clock.advance(LEASE);
        let next = breaker.clone();
        let ((), next) = race.run(|| lapsed.success(), move || next.try_acquire());
        assert_eq!(breaker.state(), State::Closed);
        // A trial that is late now, or a call of the closed circuit.
        next.expect("a slot or a closed circuit").success();
        let totals = totals(&breaker);
        assert_eq!(totals.success.map(|n| n + totals.late), Some(2));
        assert_eq!(totals.refused, 0);
    });
}

#[test]
fn lapsed_failure_against_takeover_reopens() {
    explore("lapsed failure against its takeover", |race| {
        let (breaker, clock) = recovering(quick(1));
        let [lapsed] = permits(&breaker);
        clock.advance(LEASE);
        let next = breaker.clone();
        let ((), next) = race.run(|| lapsed.failure(), move || next.try_acquire());
        let admitted = match next {
            Ok(next) => {
                next.success();
                1
            }
            Err(refused) => {
                assert_eq!(refused.reason(), Refusal::Open);
                assert_eq!(refused.retry_after(), Some(RECOVERY));
                0
            }
        };
        assert_eq!(
            seen(&breaker),
            (State::Open, 1, Some(0), 1, admitted),
            "the trial that took over is late"
        );
    });
}

#[test]
fn lapsed_slot_goes_to_one_of_two() {
    explore("two for a lapsed slot", |race| {
        let (breaker, clock) = recovering(quick(1));
        let [lapsed] = permits(&breaker);
        clock.advance(LEASE);
        let (one, other) = (breaker.clone(), breaker.clone());
        let (one, other) = race.run(move || one.try_acquire(), move || other.try_acquire());
        let ((Ok(next), Err(refused)) | (Err(refused), Ok(next))) = (one, other) else {
            panic!("one of the two takes the slot");
        };
        assert_eq!(refused.reason(), Refusal::TrialsTaken);
        assert_eq!(refused.retry_after(), Some(LEASE));
        assert_eq!(in_flight(&breaker), Some(1));
        lapsed.failure();
        drop(next);
        assert_eq!(seen(&breaker), OPENED_BY_ONE);
    });
}

/// Of a lapsed trial and the one with its slot, the first to end decides and the other is late.
fn first_of_two_decides(model: &str, lapsed_ends: Outcome, next_ends: Outcome) {
    explore(model, move |race| {
        let Lapsed {
            breaker,
            lapsed: [lapsed],
            next,
            ..
        } = lapsed(quick(1));
        race.run(
            move || lapsed.record(lapsed_ends),
            move || next.record(next_ends),
        );
        let seen = seen(&breaker);
        let ends = [lapsed_ends, next_ends];
        let closed = ends.contains(&Outcome::Success) && seen == CLOSED_BY_ONE;
        let opened = ends.contains(&Outcome::Failure) && seen == OPENED_BY_ONE;
        assert!(closed || opened, "{seen:?}");
    });
}

#[test]
fn lapsed_success_against_closing_trial_is_first_or_late() {
    first_of_two_decides(
        "lapsed success against a closing trial",
        Outcome::Success,
        Outcome::Success,
    );
}

#[test]
fn lapsed_success_against_failing_trial_is_first_or_late() {
    first_of_two_decides(
        "lapsed success against a failing trial",
        Outcome::Success,
        Outcome::Failure,
    );
}

#[test]
fn lapsed_failure_against_closing_trial_is_first_or_late() {
    first_of_two_decides(
        "lapsed failure against a closing trial",
        Outcome::Failure,
        Outcome::Success,
    );
}

#[test]
fn lapsed_failure_against_failing_trial_is_first_or_late() {
    first_of_two_decides(
        "lapsed failure against a failing trial",
        Outcome::Failure,
        Outcome::Failure,
    );
}

/// The command has the last word, and all changes are told in order.
fn reset_has_the_last_word(model: &str, ends: Outcome) {
    explore(model, move |race| {
        let changes = Changes::default();
        let Lapsed {
            breaker,
            lapsed: [lapsed],
            next,
            ..
        } = lapsed(changes.heard_by(quick(1)));
        let reset = breaker.clone();
        race.run(move || lapsed.record(ends), move || reset.reset());
        next.success();
        assert_eq!(
            (breaker.state(), breaker.failure_count()),
            (State::Closed, 0)
        );
        let totals = totals(&breaker);
        let decided = totals.failure + totals.success.expect("successes are counted");
        // The lapsed trial decided or is late; the other one is late in any case.
        assert_eq!((decided + totals.late, totals.late.min(1)), (2, 1));
        let changes = changes.all(&breaker);
        let linked = changes.windows(2).all(|pair| pair[0].1 == pair[1].0);
        assert!(linked, "{changes:?}");
        assert_eq!(changes.len() as u64, 3 + totals.failure);
    });
}

#[test]
fn lapsed_success_against_reset_is_first_or_late() {
    reset_has_the_last_word("lapsed success against reset", Outcome::Success);
}

#[test]
fn lapsed_failure_against_reset_is_first_or_late() {
    reset_has_the_last_word("lapsed failure against reset", Outcome::Failure);
}

#[test]
fn dropped_lapsed_trial_frees_no_slot() {
    explore("dropped lapsed trial against an acquirer", |race| {
        let Lapsed {
            breaker,
            lapsed: [lapsed],
            next,
            ..
        } = lapsed(quick(1));
        let waiting = breaker.clone();
        let ((), refused) = race.run(|| drop(lapsed), move || waiting.try_acquire());
        let refused = refused.expect_err("the slot is taken");
        assert_eq!(refused.reason(), Refusal::TrialsTaken);
        assert_eq!(refused.retry_after(), Some(LEASE));
        assert_eq!(in_flight(&breaker), Some(1));
        next.success();
        assert_eq!(breaker.state(), State::Closed);
        let totals = totals(&breaker);
        assert_eq!((totals.cancelled, totals.late), (1, 0));
    });
}

#[test]
fn dropped_trial_against_lapsed_verdict_frees_its_own_slot() {
    explore("lapsed success against a dropped trial", |race| {
        let Lapsed {
            breaker,
            lapsed: [lapsed],
            next,
            ..
        } = lapsed(quick(1).half_open_calls(2));
        race.run(|| lapsed.success(), || drop(next));
        assert_eq!(in_flight(&breaker), Some(0));
        let [last] = permits(&breaker);
        assert!(breaker.try_acquire().is_err(), "one verdict is left");
        last.success();
        assert_eq!(breaker.state(), State::Closed);
    });
}

#[test]
fn lapsed_verdict_takes_no_slot_from_a_trial() {
    explore("lapsed success against an acquirer", |race| {
        let Lapsed {
            breaker,
            lapsed: [lapsed],
            next,
            ..
        } = lapsed(quick(1).half_open_calls(2));
        let waiting = breaker.clone();
        let ((), other) = race.run(|| lapsed.success(), move || waiting.try_acquire());
        if let Err(refused) = &other {
            // The trial in flight is the last one that can count.
            assert_eq!(refused.reason(), Refusal::TrialsTaken);
            assert_eq!(refused.retry_after(), Some(LEASE));
        }
        assert_eq!(in_flight(&breaker), Some(1 + u32::from(other.is_ok())));
        next.success();
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(totals(&breaker).success, Some(2));
        let late = u64::from(other.is_ok());
        drop(other);
        assert_eq!(totals(&breaker).late, late);
    });
}

#[test]
fn two_lapsed_successes_are_both_counted() {
    explore("two lapsed successes", |race| {
        let Lapsed {
            breaker,
            lapsed: [one, other],
            next,
            ..
        } = lapsed(quick(1).half_open_calls(2));
        race.run(|| one.success(), || other.success());
        next.success();
        assert_eq!(seen(&breaker), (State::Closed, 0, Some(2), 0, 1));
    });
}

#[test]
fn two_lapsed_failures_are_both_counted() {
    explore("two lapsed failures", |race| {
        let settings = quick(1).half_open_calls(2).success_threshold(1);
        let Lapsed {
            breaker,
            lapsed: [one, other],
            next,
            ..
        } = lapsed(settings);
        race.run(|| one.failure(), || other.failure());
        next.success();
        assert_eq!(seen(&breaker), (State::Open, 2, Some(0), 2, 1));
    });
}

/// Each of them lost the only slot to the next one.
#[test]
fn two_lapsed_verdicts_in_period_of_one_count_once() {
    explore("two lapsed verdicts where one counts", |race| {
        let Lapsed {
            breaker,
            clock,
            lapsed: [one],
            next: other,
        } = lapsed(quick(1));
        clock.advance(LEASE);
        let [next] = permits(&breaker);
        race.run(|| one.failure(), || other.success());
        let seen = seen(&breaker);
        assert!([CLOSED_BY_ONE, OPENED_BY_ONE].contains(&seen), "{seen:?}");
        drop(next);
        assert_eq!(totals(&breaker).late, 2);
    });
}
