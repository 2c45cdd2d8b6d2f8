//! Expired trials: they hold no slot, but their outcome still counts in their half-open period.

use super::*;

/// A half-open circuit in which the leases of `N` trials have expired, and a new trial has a slot.
struct Expired<const N: usize> {
    breaker: CircuitBreaker,
    clock: ManualClock,
    expired: [Permit; N],
    next: Permit,
}

fn expired<const N: usize>(settings: BreakerBuilder) -> Expired<N> {
    let (breaker, clock) = recovering(settings);
    let expired = permits(&breaker);
    clock.advance(LEASE);
    let [next] = permits(&breaker);
    Expired {
        breaker,
        clock,
        expired,
        next,
    }
}

fn in_flight(breaker: &CircuitBreaker) -> Option<u32> {
    breaker.snapshot().in_flight
}

/// Returns the state, the consecutive failures, and the totals of successes, failures and late calls.
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

const CLOSED_BY_FIRST: (State, u32, Option<u64>, u64, u64) = (State::Closed, 0, Some(1), 0, 1);
const OPENED_BY_FIRST: (State, u32, Option<u64>, u64, u64) = (State::Open, 1, Some(0), 1, 1);

#[test]
fn expired_success_against_replacement_closes() {
    explore("expired success against its replacement", |race| {
        let (breaker, clock) = recovering(settings_with_threshold(1));
        let [expired] = permits(&breaker);
        clock.advance(LEASE);
        let next = breaker.clone();
        let ((), next) = race.run(|| expired.success(), move || next.try_acquire());
        assert_eq!(breaker.state(), State::Closed);
        // Either a late trial, or a call of the closed circuit.
        next.expect("a free slot, or the circuit is closed")
            .success();
        let totals = totals(&breaker);
        assert_eq!(totals.success.map(|n| n + totals.late), Some(2));
        assert_eq!(totals.refused, 0);
    });
}

#[test]
fn expired_failure_against_replacement_reopens() {
    explore("expired failure against its replacement", |race| {
        let (breaker, clock) = recovering(settings_with_threshold(1));
        let [expired] = permits(&breaker);
        clock.advance(LEASE);
        let next = breaker.clone();
        let ((), next) = race.run(|| expired.failure(), move || next.try_acquire());
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
            "the new trial is late"
        );
    });
}

#[test]
fn expired_slot_admits_one_of_two() {
    explore("two calls for an expired slot", |race| {
        let (breaker, clock) = recovering(settings_with_threshold(1));
        let [expired] = permits(&breaker);
        clock.advance(LEASE);
        let (one, other) = (breaker.clone(), breaker.clone());
        let (one, other) = race.run(move || one.try_acquire(), move || other.try_acquire());
        let ((Ok(next), Err(refused)) | (Err(refused), Ok(next))) = (one, other) else {
            panic!("exactly one call should take the slot");
        };
        assert_eq!(refused.reason(), Refusal::TrialsTaken);
        assert_eq!(refused.retry_after(), Some(LEASE));
        assert_eq!(in_flight(&breaker), Some(1));
        expired.failure();
        drop(next);
        assert_eq!(seen(&breaker), OPENED_BY_FIRST);
    });
}

/// An expired trial races with the trial that has its slot. The first outcome decides, and the other is
/// late.
fn assert_first_outcome_decides(model: &str, expired_outcome: Outcome, next_outcome: Outcome) {
    explore(model, move |race| {
        let Expired {
            breaker,
            expired: [expired],
            next,
            ..
        } = expired(settings_with_threshold(1));
        race.run(
            move || expired.record(expired_outcome),
            move || next.record(next_outcome),
        );
        let seen = seen(&breaker);
        let outcomes = [expired_outcome, next_outcome];
        let closed = outcomes.contains(&Outcome::Success) && seen == CLOSED_BY_FIRST;
        let opened = outcomes.contains(&Outcome::Failure) && seen == OPENED_BY_FIRST;
        assert!(closed || opened, "{seen:?}");
    });
}

#[test]
fn expired_success_against_closing_trial_is_first_or_late() {
    assert_first_outcome_decides(
        "expired success against a closing trial",
        Outcome::Success,
        Outcome::Success,
    );
}

#[test]
fn expired_success_against_failing_trial_is_first_or_late() {
    assert_first_outcome_decides(
        "expired success against a failing trial",
        Outcome::Success,
        Outcome::Failure,
    );
}

#[test]
fn expired_failure_against_closing_trial_is_first_or_late() {
    assert_first_outcome_decides(
        "expired failure against a closing trial",
        Outcome::Failure,
        Outcome::Success,
    );
}

#[test]
fn expired_failure_against_failing_trial_is_first_or_late() {
    assert_first_outcome_decides(
        "expired failure against a failing trial",
        Outcome::Failure,
        Outcome::Failure,
    );
}

/// The command applies in either order, and the state changes are reported in order.
fn assert_reset_applies(model: &str, outcome: Outcome) {
    explore(model, move |race| {
        let changes = TransitionLog::default();
        let Expired {
            breaker,
            expired: [expired],
            next,
            ..
        } = expired(changes.observe(settings_with_threshold(1)));
        let reset = breaker.clone();
        race.run(move || expired.record(outcome), move || reset.reset());
        next.success();
        assert_eq!(
            (breaker.state(), breaker.failure_count()),
            (State::Closed, 0)
        );
        let totals = totals(&breaker);
        let decided = totals.failure + totals.success.expect("successes are counted");
        // The expired trial decided or is late. The other trial is always late.
        assert_eq!((decided + totals.late, totals.late.min(1)), (2, 1));
        let changes = changes.all(&breaker);
        let linked = changes.windows(2).all(|pair| pair[0].1 == pair[1].0);
        assert!(linked, "{changes:?}");
        assert_eq!(changes.len() as u64, 3 + totals.failure);
    });
}

#[test]
fn expired_success_against_reset_is_first_or_late() {
    assert_reset_applies("expired success against reset", Outcome::Success);
}

#[test]
fn expired_failure_against_reset_is_first_or_late() {
    assert_reset_applies("expired failure against reset", Outcome::Failure);
}

#[test]
fn dropped_expired_trial_frees_no_slot() {
    explore("dropped expired trial against an acquirer", |race| {
        let Expired {
            breaker,
            expired: [expired],
            next,
            ..
        } = expired(settings_with_threshold(1));
        let caller = breaker.clone();
        let ((), refused) = race.run(|| drop(expired), move || caller.try_acquire());
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
fn dropped_trial_against_expired_outcome_frees_its_slot() {
    explore("expired success against a dropped trial", |race| {
        let Expired {
            breaker,
            expired: [expired],
            next,
            ..
        } = expired(settings_with_threshold(1).half_open_calls(2));
        race.run(|| expired.success(), || drop(next));
        assert_eq!(in_flight(&breaker), Some(0));
        let [last] = permits(&breaker);
        assert!(
            breaker.try_acquire().is_err(),
            "only one more outcome counts"
        );
        last.success();
        assert_eq!(breaker.state(), State::Closed);
    });
}

#[test]
fn expired_outcome_takes_no_slot_from_trial() {
    explore("expired success against an acquirer", |race| {
        let Expired {
            breaker,
            expired: [expired],
            next,
            ..
        } = expired(settings_with_threshold(1).half_open_calls(2));
        let caller = breaker.clone();
        let ((), other) = race.run(|| expired.success(), move || caller.try_acquire());
        if let Err(refused) = &other {
            // The trial in flight has the last outcome that counts.
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
fn two_expired_successes_are_both_counted() {
    explore("two expired successes", |race| {
        let Expired {
            breaker,
            expired: [one, other],
            next,
            ..
        } = expired(settings_with_threshold(1).half_open_calls(2));
        race.run(|| one.success(), || other.success());
        next.success();
        assert_eq!(seen(&breaker), (State::Closed, 0, Some(2), 0, 1));
    });
}

#[test]
fn two_expired_failures_are_both_counted() {
    explore("two expired failures", |race| {
        let settings = settings_with_threshold(1)
            .half_open_calls(2)
            .success_threshold(1);
        let Expired {
            breaker,
            expired: [one, other],
            next,
            ..
        } = expired(settings);
        race.run(|| one.failure(), || other.failure());
        next.success();
        assert_eq!(seen(&breaker), (State::Open, 2, Some(0), 2, 1));
    });
}

/// Both expired trials have lost the only slot.
#[test]
fn two_expired_outcomes_for_one_slot_count_once() {
    explore("two expired outcomes, one of which counts", |race| {
        let Expired {
            breaker,
            clock,
            expired: [one],
            next: other,
        } = expired(settings_with_threshold(1));
        clock.advance(LEASE);
        let [next] = permits(&breaker);
        race.run(|| one.failure(), || other.success());
        let seen = seen(&breaker);
        assert!(
            [CLOSED_BY_FIRST, OPENED_BY_FIRST].contains(&seen),
            "{seen:?}"
        );
        drop(next);
        assert_eq!(totals(&breaker).late, 2);
    });
}
