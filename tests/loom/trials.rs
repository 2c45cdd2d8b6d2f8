//! Trials: slots are granted, released and counted exactly once.

use super::*;

/// Two calls compete for the last of `slots` slots.
fn assert_one_of_two_admitted(model: &str, slots: u32) {
    explore(model, move |race| {
        let (breaker, _) = recovering(settings_with_threshold(1).half_open_calls(slots));
        let taken: Vec<_> = (1..slots).map(|_| breaker.try_acquire()).collect();
        let (one, other) = (breaker.clone(), breaker.clone());
        let (one, other) = race.run(move || one.try_acquire(), move || other.try_acquire());
        let ((Ok(_), Err(refused)) | (Err(refused), Ok(_))) = (&one, &other) else {
            panic!("{one:?}, {other:?}");
        };
        assert_eq!(refused.reason(), Refusal::TrialsTaken);
        assert_eq!(refused.retry_after(), Some(LEASE));
        assert_eq!(breaker.snapshot().in_flight, Some(slots));
        drop(taken);
    });
}

#[test]
fn single_slot_admits_one_of_two() {
    assert_one_of_two_admitted("two calls for one slot", 1);
}

#[test]
fn last_slot_admits_one_of_two() {
    assert_one_of_two_admitted("two calls for the last of two slots", 2);
}

#[test]
fn dropped_trial_frees_its_slot() {
    explore("dropped trial against an acquirer", |race| {
        let (breaker, _) = recovering(settings_with_threshold(1));
        let trial = breaker.try_acquire().expect("a free slot");
        let caller = breaker.clone();
        // If the other thread acquires a permit, it also drops it.
        race.run(|| drop(trial), move || drop(caller.try_acquire()));
        assert_eq!(breaker.snapshot().in_flight, Some(0));
        assert!(breaker.try_acquire().is_ok());
    });
}

#[test]
fn concurrent_trial_successes_are_both_counted() {
    explore("two succeeding trials", |race| {
        let (breaker, _) = recovering(settings_with_threshold(1).half_open_calls(2));
        let [one, other] = permits(&breaker);
        race.run(|| one.success(), || other.success());
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(totals(&breaker).success, Some(2));
    });
}
