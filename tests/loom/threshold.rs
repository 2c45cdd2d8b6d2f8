use super::*;

fn two_failures_trip_once(model: &str, settings: fn() -> BreakerBuilder) {
    explore(model, move |race| {
        let breaker = build(settings());
        let [one, other] = permits(&breaker);
        race.run(|| one.failure(), || other.failure());
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.failure_count(), 2);
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (2, 0));
    });
}

#[test]
fn two_failures_trip_once_without_texts() {
    two_failures_trip_once("two failures, no texts", || quick(2));
}

#[test]
fn two_failures_trip_once_with_texts() {
    two_failures_trip_once("two failures, texts", || {
        quick(2).capture_last_failure(true)
    });
}

#[test]
fn of_two_failures_that_could_trip_one_does_and_the_other_is_late() {
    explore("two failures at the threshold, heard", |race| {
        let changes = Changes::default();
        let breaker = build(changes.heard_by(quick(2)));
        fail(&breaker);
        let [one, other] = permits(&breaker);
        race.run(|| one.failure(), || other.failure());
        assert_eq!(breaker.failure_count(), 2);
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (2, 1));
        assert_eq!(changes.all(&breaker), [(State::Closed, State::Open)]);
    });
}

fn a_success_resets_or_is_late(model: &str, settings: fn() -> BreakerBuilder) {
    explore(model, move |race| {
        let breaker = build(settings());
        fail(&breaker);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        let totals = totals(&breaker);
        let seen = (
            breaker.state(),
            breaker.failure_count(),
            totals.success,
            totals.late,
        );
        match seen {
            // the failure, then the success; or the other way round
            (State::Open, 2, Some(0), 1) | (State::Closed, 1, Some(1), 0) => {}
            _ => panic!("{seen:?} is the outcome of no order"),
        }
        assert_eq!(totals.failure, 2);
    });
}

#[test]
fn a_success_resets_the_count_or_is_late() {
    a_success_resets_or_is_late("success against the last failure, no texts", || quick(2));
}

#[test]
fn a_success_resets_the_count_or_is_late_with_texts() {
    a_success_resets_or_is_late("success against the last failure, texts", || {
        quick(2).capture_last_failure(true)
    });
}

#[test]
fn the_last_of_three_failures_trips_although_a_streak_was_being_ended() {
    explore("three failures after a dropped call, no texts", |race| {
        let breaker = build(quick(3));
        let [dropped, one, two, three] = permits(&breaker);
        drop(dropped);
        race.run(
            || one.failure(),
            || {
                two.failure();
                three.failure();
            },
        );
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.failure_count(), 3);
    });
}
