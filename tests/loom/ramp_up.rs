//! Ramp-up: threads that share the counter, and the end of a ramp-up against a transition.

use super::*;

const RAMP_UP: Duration = Duration::from_secs(10);

/// The bound for models of two ramp-ups. Complete, they would take hours.
const PREEMPTIONS: Option<usize> = Some(3);

/// Returns a closed circuit that has just begun to ramp up, after `calls` calls.
fn ramping_up(calls: u32) -> (CircuitBreaker, ManualClock) {
    let settings = settings_with_threshold(1).half_open_calls(2);
    let (breaker, clock) = recovering(settings.success_threshold(1).ramp_up(RAMP_UP));
    close(&breaker);
    for call in 0..calls {
        let admitted = breaker.try_acquire().map(Permit::success).is_ok();
        assert_eq!(admitted, is_selected(call), "call {call}");
    }
    (breaker, clock)
}

/// Closes a circuit with a trial.
fn close(breaker: &CircuitBreaker) {
    breaker.try_acquire().expect("a trial").success();
    assert_eq!(breaker.state(), State::Closed);
}

/// Returns whether a call is admitted at the start: the first one, and then one call in ten.
fn is_selected(call: u32) -> bool {
    call == 0 || call % 10 == 9
}

fn is_ramping_up(breaker: &CircuitBreaker) -> bool {
    breaker.snapshot().ramp_up_share.is_some()
}

/// Two calls race to be the calls `first` and `first + 1` of the ramp-up, of which one is admitted.
fn assert_one_of_two_is_admitted(model: &str, first: u32) {
    explore(model, move |race| {
        let (breaker, _) = ramping_up(first);
        let before = totals(&breaker).refused;
        let (one, other) = (breaker.clone(), breaker.clone());
        let (one, other) = race.run(move || one.try_acquire(), move || other.try_acquire());
        let ((Ok(permit), Err(refused)) | (Err(refused), Ok(permit))) = (one, other) else {
            panic!("exactly one call should be admitted");
        };
        assert_eq!(refused.reason(), Refusal::RampingUp);
        permit.success();
        assert_eq!(totals(&breaker).refused, before + 1);
        assert_eq!(totals(&breaker).late, 0);
    });
}

#[test]
fn one_of_two_first_calls_is_admitted() {
    assert_one_of_two_is_admitted("two calls for the first of a part", 0);
}

#[test]
fn counter_admits_one_call_in_ten() {
    assert_one_of_two_is_admitted("two calls for the tenth place", 8);
}

#[test]
fn end_against_trip_leaves_no_ramp_up() {
    explore("the end of a ramp-up against trip", |race| {
        let (breaker, clock) = ramping_up(1);
        clock.advance(RAMP_UP);
        let tripped = breaker.clone();
        let called = breaker.clone();
        let (call, ()) = race.run(move || called.try_acquire(), move || tripped.trip());
        match call {
            Ok(permit) => permit.failure(),
            Err(open) => assert_eq!(open.reason(), Refusal::Open),
        }
        assert_eq!(breaker.state(), State::Open);
        breaker.reset();
        assert!(!is_ramping_up(&breaker));
        let permits: [_; 2] = permits(&breaker);
        permits.into_iter().for_each(Permit::success);
    });
}

#[test]
fn end_is_found_by_two_calls() {
    explore("the end of a ramp-up, found by two calls", |race| {
        let (breaker, clock) = ramping_up(1);
        clock.advance(RAMP_UP);
        let (one, other) = (breaker.clone(), breaker.clone());
        let (one, other) = race.run(move || one.try_acquire(), move || other.try_acquire());
        one.expect("the ramp-up is over").success();
        other.expect("the ramp-up is over").failure();
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(totals(&breaker).late, 0, "the end begins no generation");
    });
}

#[test]
fn end_does_not_end_next_ramp_up() {
    explore_up_to(PREEMPTIONS, "the end against the next ramp-up", |race| {
        let (breaker, clock) = ramping_up(1);
        clock.advance(RAMP_UP);
        let (called, recovered) = (breaker.clone(), breaker.clone());
        let (call, ()) = race.run(
            move || called.try_acquire(),
            move || {
                recovered.half_open();
                close(&recovered);
            },
        );
        drop(call.expect("the ramp-up is over, a trial, or the first of a part"));
        assert_eq!(breaker.snapshot().ramp_up_share, Some(0.1));
    });
}

/// A call that begins as a trial may find under the lock that the circuit has closed.
#[test]
fn call_against_closing_trial_is_counted() {
    explore("a call against the trial that begins a ramp-up", |race| {
        let settings = settings_with_threshold(1).half_open_calls(2);
        let (breaker, _) = recovering(settings.success_threshold(1).ramp_up(RAMP_UP));
        let [trial] = permits(&breaker);
        let called = breaker.clone();
        let (call, ()) = race.run(move || called.try_acquire(), || trial.success());
        let call = call.expect("a trial, or the first of a part");
        call.success();
        // A trial is late. Otherwise the call was the first of the ramp-up.
        let is_first = totals(&breaker).late == 0;
        let next = breaker.try_acquire().map(Permit::success).is_ok();
        assert_eq!(next, !is_first);
    });
}

/// A call races with the recovery that begins the next ramp-up. A call that has read the word of the
/// earlier ramp-up must not count in the counter of the next one.
#[test]
fn stale_call_is_not_counted_by_next_ramp_up() {
    explore_up_to(PREEMPTIONS, "a call against the next ramp-up", |race| {
        let (breaker, _) = ramping_up(1);
        let (called, recovered) = (breaker.clone(), breaker.clone());
        let (call, ()) = race.run(
            move || called.try_acquire(),
            move || {
                recovered.half_open();
                close(&recovered);
            },
        );
        // A trial, a refusal by the first ramp-up, or the first call of the second one.
        let first = match call {
            Ok(permit) => {
                let late = totals(&breaker).late;
                permit.success();
                u32::from(totals(&breaker).late == late)
            }
            Err(refused) => {
                assert_eq!(refused.reason(), Refusal::RampingUp);
                0
            }
        };
        for call in first..2 {
            let admitted = breaker.try_acquire().map(Permit::success).is_ok();
            assert_eq!(admitted, is_selected(call), "call {call} after {first}");
        }
    });
}

/// A call near the end of a ramp-up races with the recovery that begins the next one. It is admitted
/// by either of them, unless it is decided by the counter of one and the start of the other.
#[test]
fn stale_call_does_not_mix_two_ramp_ups() {
    explore_up_to(
        PREEMPTIONS,
        "a call near the end against the next ramp-up",
        |race| {
            let (breaker, clock) = ramping_up(1);
            clock.advance(RAMP_UP - Duration::from_nanos(1));
            let first_of_last_part = breaker.try_acquire();
            first_of_last_part.expect("it is admitted").success();
            let (called, recovered) = (breaker.clone(), breaker.clone());
            let (call, ()) = race.run(
                move || called.try_acquire(),
                move || {
                    recovered.half_open();
                    close(&recovered);
                },
            );
            let call = call.expect("a share of nearly 1, a trial, or the first of a part");
            drop(call);
            assert_eq!(breaker.snapshot().ramp_up_share, Some(0.1));
        },
    );
}

#[test]
fn configure_against_call_ends_ramp_up() {
    explore("configure without ramp-up against a call", |race| {
        let (breaker, _) = ramping_up(1);
        let (called, configured) = (breaker.clone(), breaker.clone());
        let (call, ()) = race.run(
            move || called.try_acquire(),
            move || {
                let without = |settings: BreakerBuilder| settings.inherit().failure_threshold(1);
                configured.configure(without).expect("valid settings");
            },
        );
        if let Err(refused) = &call {
            assert_eq!(refused.reason(), Refusal::RampingUp);
        }
        assert!(!is_ramping_up(&breaker));
        let permits: [_; 2] = permits(&breaker);
        permits.into_iter().for_each(Permit::success);
    });
}
