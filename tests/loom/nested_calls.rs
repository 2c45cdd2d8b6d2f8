//! Nested calls: a call inside a trial of the same circuit joins the trial and records nothing.

use super::*;
use breakerbox::CircuitOpen;

type AdmissionResult = Result<Permit, CircuitOpen>;

/// Runs `trial` successfully, and acquires a permit inside it.
fn acquire_inside(trial: Permit, breaker: CircuitBreaker) -> AdmissionResult {
    let done = trial.call(|| Ok::<_, ()>(breaker.try_acquire()));
    done.expect("a success")
}

/// Returns a half-open circuit with two trials, which closes after `wanted` successes.
fn two_trials(wanted: u32) -> (CircuitBreaker, [Permit; 2]) {
    let settings = settings_with_threshold(5)
        .half_open_calls(2)
        .success_threshold(wanted);
    let (breaker, _) = recovering(settings);
    let trials = permits(&breaker);
    (breaker, trials)
}

/// After the half-open period, the closed circuit admits the inner call and counts it.
fn inner_call_joins_or_is_counted(
    model: &str,
    end: impl Fn(&CircuitBreaker, Permit) + Copy + Send + Sync + 'static,
) {
    explore(model, move |race| {
        let (breaker, [outer, other]) = two_trials(1);
        let (inner_breaker, commanded) = (breaker.clone(), breaker.clone());
        let inner = move || {
            let inner = acquire_inside(outer, inner_breaker);
            inner.expect("joined, or the circuit is closed").failure();
        };
        race.run(inner, move || end(&commanded, other));
        assert_eq!(breaker.state(), State::Closed);
        let totals = totals(&breaker);
        // The two trials, and the inner call if the closed circuit admitted it.
        assert_eq!(recorded(&breaker), 2 + totals.failure);
        assert_eq!(u64::from(breaker.failure_count()), totals.failure);
        if totals.failure > 0 {
            assert!(totals.late > 0, "the outer trial is late");
        }
        assert_eq!(totals.refused, 0);
    });
}

#[test]
fn inner_call_against_closing_trial_joins_or_is_counted() {
    inner_call_joins_or_is_counted("inner call against a closing trial", |_, other| {
        other.success();
    });
}

#[test]
fn inner_call_against_reset_joins_or_is_counted() {
    inner_call_joins_or_is_counted("inner call against reset", |breaker, other| {
        breaker.reset();
        drop(other);
    });
}

/// The inner call is in no total, except that of refusals if it is refused.
#[test]
fn inner_call_against_reopening_joins_or_is_refused() {
    explore("inner call against a failing trial", |race| {
        let (breaker, [outer, other]) = two_trials(2);
        let inner_breaker = breaker.clone();
        let (inner, ()) = race.run(
            move || acquire_inside(outer, inner_breaker),
            || other.failure(),
        );
        assert_eq!(breaker.state(), State::Open);
        let refused = u64::from(inner.is_err());
        match inner {
            Ok(inner) => inner.failure(),
            Err(open) => {
                assert_eq!(open.reason(), Refusal::Open);
                assert_eq!(open.retry_after(), Some(RECOVERY));
            }
        }
        assert_eq!((recorded(&breaker), totals(&breaker).refused), (2, refused));
        assert_eq!(breaker.failure_count(), 1);
    });
}

/// A joined call records nothing, neither in the half-open period nor after it.
#[test]
fn joined_call_against_failing_trial_records_nothing() {
    explore("joined call against a failing trial", |race| {
        let (breaker, [outer, other]) = two_trials(1);
        let inner =
            outer.call(|| Err::<(), _>(breaker.try_acquire().expect("the call joins the trial")));
        let inner = inner.expect_err("a failure");
        let acquired = breaker.clone();
        let fail_and_acquire = move || {
            inner.failure();
            acquired.try_acquire()
        };
        let (last, ()) = race.run(fail_and_acquire, || other.failure());
        assert_eq!((breaker.state(), breaker.failure_count()), (State::Open, 2));
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (2, 0));
        let refused = last.expect_err("the last slot is taken");
        assert!(refused.retry_after() == Some(RECOVERY) || refused.retry_after() == Some(LEASE));
    });
}

#[test]
fn inner_call_against_replacement_of_trial_joins() {
    explore("inner call against the replacement of its trial", |race| {
        let (breaker, clock) = recovering(settings_with_threshold(1));
        let [outer] = permits(&breaker);
        clock.advance(LEASE);
        let (inner_breaker, next) = (breaker.clone(), breaker.clone());
        let (inner, next) = race.run(
            move || acquire_inside(outer, inner_breaker),
            move || next.try_acquire(),
        );
        inner
            .expect("joined, even if the lease has expired")
            .failure();
        assert_eq!(
            (breaker.state(), breaker.failure_count()),
            (State::Closed, 0)
        );
        next.expect("a free slot, or the circuit is closed")
            .success();
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.refused), (0, 0));
        assert_eq!(recorded(&breaker), 2);
    });
}

#[test]
fn inner_calls_of_two_trials_both_join() {
    explore("inner calls of two trials", |race| {
        let (breaker, [one, other]) = two_trials(2);
        let inner_breaker = [breaker.clone(), breaker.clone()];
        let [first, second] = inner_breaker;
        let (one, other) = race.run(
            move || acquire_inside(one, first),
            move || acquire_inside(other, second),
        );
        drop((
            one.expect("the call joins the trial"),
            other.expect("the call joins the trial"),
        ));
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(totals(&breaker).success, Some(2));
        assert_eq!(recorded(&breaker), 2);
    });
}

/// A thread outside the trial is refused while another thread runs the trial.
#[test]
fn call_on_another_thread_does_not_join() {
    explore("call on another thread", |race| {
        let (breaker, _) = recovering(settings_with_threshold(1));
        let [outer] = permits(&breaker);
        let (inner_breaker, outside) = (breaker.clone(), breaker.clone());
        let (inner, outside) = race.run(
            move || acquire_inside(outer, inner_breaker),
            move || outside.try_acquire(),
        );
        inner.expect("the call joins the trial").failure();
        assert_eq!(breaker.state(), State::Closed);
        let admitted = u64::from(outside.is_ok());
        match outside {
            // The trial had closed the circuit.
            Ok(outside) => outside.success(),
            Err(open) => assert_eq!(open.reason(), Refusal::TrialsTaken),
        }
        let totals = totals(&breaker);
        assert_eq!(totals.success, Some(1 + admitted));
        assert_eq!((totals.failure, totals.refused), (0, 1 - admitted));
    });
}
