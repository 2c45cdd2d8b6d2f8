use super::*;

#[test]
fn a_failure_counts_before_a_trip_or_is_late() {
    explore("failure against trip", |race| {
        let breaker = build(quick(5));
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
fn a_failure_counts_before_a_reset_or_is_late() {
    explore("failure against reset", |race| {
        let breaker = build(quick(5));
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
fn a_result_from_before_does_not_steer_the_trial() {
    explore("late failure against a closing trial", |race| {
        let clock = ManualClock::new();
        let breaker = build(quick(1).clock(clock.clone()));
        let [late] = permits(&breaker);
        breaker.trip();
        clock.advance(RECOVERY);
        let tried = breaker.clone();
        race.run(
            || late.failure(),
            move || tried.try_acquire().expect("the trial").success(),
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
fn a_trial_decides_or_a_command_does() {
    explore("failing trial against reset", |race| {
        let changes = Changes::default();
        let (breaker, _) = recovering(changes.heard_by(quick(1)));
        let trial = breaker.try_acquire().expect("the trial");
        let reset = breaker.clone();
        race.run(|| trial.failure(), move || reset.reset());
        assert_eq!(breaker.state(), State::Closed);
        let totals = totals(&breaker);
        assert_eq!(totals.failure + totals.late, 1);
        // Told in order, each beginning where the one before ended.
        let changes = changes.all(&breaker);
        let linked = changes.windows(2).all(|pair| pair[0].1 == pair[1].0);
        assert!(linked, "{changes:?}");
        assert_eq!(changes.len() as u64, 3 + totals.failure);
    });
}
