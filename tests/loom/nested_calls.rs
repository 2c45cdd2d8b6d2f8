//! Calls of a circuit inside one of its own trials: they join it and record nothing.

use super::*;
use breakerbox::CircuitOpen;

type Admitted = Result<Permit, CircuitOpen>;

/// Acquires inside the work of `trial`, which succeeds.
fn acquire_inside(trial: Permit, breaker: CircuitBreaker) -> Admitted {
    let done = trial.call(|| Ok::<_, ()>(breaker.try_acquire()));
    done.expect("a success")
}

/// A half-open circuit with two trials, of which `wanted` must succeed to close it.
fn two_trials(wanted: u32) -> (CircuitBreaker, [Permit; 2]) {
    let settings = quick(5).half_open_calls(2).success_threshold(wanted);
    let (breaker, _) = recovering(settings);
    let trials = permits(&breaker);
    (breaker, trials)
}

/// Once the period has ended an inner call is one of the closed circuit, and counted.
fn inner_call_joins_or_is_counted(
    model: &str,
    end: impl Fn(&CircuitBreaker, Permit) + Copy + Send + Sync + 'static,
) {
    explore(model, move |race| {
        let (breaker, [outer, other]) = two_trials(1);
        let (nested, steered) = (breaker.clone(), breaker.clone());
        let inner = move || {
            let inner = acquire_inside(outer, nested);
            inner.expect("a trial or a closed circuit").failure();
        };
        race.run(inner, move || end(&steered, other));
        assert_eq!(breaker.state(), State::Closed);
        let totals = totals(&breaker);
        // The two trials, and the inner call if it was admitted by the closed circuit.
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

/// Joined or refused, the inner call is in no total but that of refusals.
#[test]
fn inner_call_against_reopening_joins_or_is_refused() {
    explore("inner call against a failing trial", |race| {
        let (breaker, [outer, other]) = two_trials(2);
        let nested = breaker.clone();
        let (inner, ()) = race.run(move || acquire_inside(outer, nested), || other.failure());
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

/// A call that joined says nothing, neither in the period nor after it.
#[test]
fn joined_call_against_failing_trial_records_nothing() {
    explore("joined call against a failing trial", |race| {
        let (breaker, [outer, other]) = two_trials(1);
        let inner = outer.call(|| Err::<(), _>(breaker.try_acquire().expect("it joins")));
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
        let refused = last.expect_err("one verdict is left, and its slot taken");
        assert!(refused.retry_after() == Some(RECOVERY) || refused.retry_after() == Some(LEASE));
    });
}

#[test]
fn inner_call_against_takeover_joins() {
    explore("inner call against the takeover of its trial", |race| {
        let (breaker, clock) = recovering(quick(1));
        let [outer] = permits(&breaker);
        clock.advance(LEASE);
        let (nested, next) = (breaker.clone(), breaker.clone());
        let (inner, next) = race.run(
            move || acquire_inside(outer, nested),
            move || next.try_acquire(),
        );
        inner.expect("it joins its trial, lapsed or not").failure();
        assert_eq!(
            (breaker.state(), breaker.failure_count()),
            (State::Closed, 0)
        );
        next.expect("a slot or a closed circuit").success();
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.refused), (0, 0));
        assert_eq!(recorded(&breaker), 2);
    });
}

#[test]
fn inner_calls_of_two_trials_both_join() {
    explore("inner calls of two trials", |race| {
        let (breaker, [one, other]) = two_trials(2);
        let nested = [breaker.clone(), breaker.clone()];
        let [first, second] = nested;
        let (one, other) = race.run(
            move || acquire_inside(one, first),
            move || acquire_inside(other, second),
        );
        drop((one.expect("it joins"), other.expect("it joins")));
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(totals(&breaker).success, Some(2));
        assert_eq!(recorded(&breaker), 2);
    });
}

/// A thread without a trial is refused while another one is inside its trial.
#[test]
fn call_of_another_thread_does_not_join() {
    explore("call of another thread", |race| {
        let (breaker, _) = recovering(quick(1));
        let [outer] = permits(&breaker);
        let (nested, outside) = (breaker.clone(), breaker.clone());
        let (inner, outside) = race.run(
            move || acquire_inside(outer, nested),
            move || outside.try_acquire(),
        );
        inner.expect("it joins").failure();
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
