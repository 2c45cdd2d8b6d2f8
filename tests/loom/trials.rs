use super::*;

/// Two for the last of `slots`.
fn one_of_two_passes(model: &str, slots: u32) {
    explore(model, move |race| {
        let (breaker, _) = recovering(quick(1).half_open_calls(slots));
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
fn of_two_one_passes_where_one_slot_is() {
    one_of_two_passes("two for one slot", 1);
}

#[test]
fn of_two_one_passes_where_another_slot_is_taken() {
    one_of_two_passes("two for the last of two slots", 2);
}

#[test]
fn a_dropped_trial_gives_its_slot_back() {
    explore("dropped trial against an acquirer", |race| {
        let (breaker, _) = recovering(quick(1));
        let trial = breaker.try_acquire().expect("the trial");
        let waiting = breaker.clone();
        // The other's, if it got one, is dropped too.
        race.run(|| drop(trial), move || drop(waiting.try_acquire()));
        assert_eq!(breaker.snapshot().in_flight, Some(0));
        assert!(breaker.try_acquire().is_ok());
    });
}

#[test]
fn two_trials_that_end_together_are_both_counted() {
    explore("two succeeding trials", |race| {
        let (breaker, _) = recovering(quick(1).half_open_calls(2));
        let [one, other] = permits(&breaker);
        race.run(|| one.success(), || other.success());
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(totals(&breaker).success, Some(2));
    });
}
