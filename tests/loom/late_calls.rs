//! Late calls: outcomes that race with a transition.

use super::*;

#[test]
fn failure_against_trip_counts_or_is_late() {
    explore("failure against trip", |race| {
        let breaker = build(settings_with_threshold(5));
        let [permit] = permits(&breaker);
        let tripped = breaker.clone();
        race.run(|| permit.failure(), move || tripped.trip());
        assert_eq!(breaker.state(), State::Open);
        let totals = totals(&breaker);
        assert_eq!(totals.failure + totals.late, 1);
        assert_eq!(u64::from(breaker.failure_count()), totals.failure);
    });
}

#[test]
fn failure_against_reset_counts_or_is_late() {
    explore("failure against reset", |race| {
        let breaker = build(settings_with_threshold(5));
        let [permit] = permits(&breaker);
        let reset = breaker.clone();
        race.run(|| permit.failure(), move || reset.reset());
        assert_eq!(
            (breaker.state(), breaker.failure_count()),
            (State::Closed, 0)
        );
        let totals = totals(&breaker);
        assert_eq!(totals.failure + totals.late, 1);
    });
}

#[test]
fn late_failure_does_not_affect_trial() {
    explore("late failure against a closing trial", |race| {
        let clock = ManualClock::new();
        let breaker = build(settings_with_threshold(1).clock(clock.clone()));
        let [late] = permits(&breaker);
        breaker.trip();
        clock.advance(RECOVERY);
        let caller = breaker.clone();
        race.run(
            || late.failure(),
            move || caller.try_acquire().expect("a free slot").success(),
        );
        assert_eq!(
            (breaker.state(), breaker.failure_count()),
            (State::Closed, 0)
        );
        let totals = totals(&breaker);
        assert_eq!(
            (totals.success, totals.failure, totals.late),
            (Some(1), 0, 1)
        );
    });
}

#[test]
fn failing_trial_against_reset_counts_or_is_late() {
    explore("failing trial against reset", |race| {
        let changes = TransitionLog::default();
        let (breaker, _) = recovering(changes.observe(settings_with_threshold(1)));
        let trial = breaker.try_acquire().expect("a free slot");
        let reset = breaker.clone();
        race.run(|| trial.failure(), move || reset.reset());
        assert_eq!(breaker.state(), State::Closed);
        let totals = totals(&breaker);
        assert_eq!(totals.failure + totals.late, 1);
        // Each change begins in the state where the previous one ended.
        let changes = changes.all(&breaker);
        let linked = changes.windows(2).all(|pair| pair[0].1 == pair[1].0);
        assert!(linked, "{changes:?}");
        assert_eq!(changes.len() as u64, 3 + totals.failure);
    });
}
