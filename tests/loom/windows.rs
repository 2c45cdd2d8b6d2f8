use super::*;

fn watched_by(rule: TripRule) -> CircuitBreaker {
    build(quick(5).trip_rules([rule]))
}

fn figures(breaker: &CircuitBreaker) -> (u32, u32) {
    let rule = breaker.snapshot().rules[0];
    (rule.recorded, rule.failed)
}

/// A success may find the window sated and leave it alone, while a failure makes it matter again.
#[test]
fn a_failure_counts_in_a_window_that_was_full_of_successes() {
    explore("sated window", |race| {
        let breaker = watched_by(TripRule::failures(2).over(Window::calls(2)));
        for permit in permits::<3>(&breaker) {
            permit.success();
        }
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(figures(&breaker), (2, 1));
        // What comes next is recorded, whichever of them was the last.
        breaker.acquire().expect("a closed circuit").success();
        breaker.acquire().expect("a closed circuit").success();
        assert_eq!(figures(&breaker), (2, 0));
    });
}

#[test]
fn the_last_two_failures_trip_a_count_window_once() {
    explore("count window", |race| {
        let breaker = watched_by(TripRule::failures(2).over(Window::calls(3)));
        let [one, other] = permits(&breaker);
        race.run(|| one.failure(), || other.failure());
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(totals(&breaker).failure, 2);
    });
}

#[test]
fn a_time_window_loses_nothing() {
    explore("time window", |race| {
        let minute = Window::time(Duration::from_secs(60));
        let breaker = watched_by(TripRule::failures(3).over(minute));
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(figures(&breaker), (2, 1));
    });
}

#[test]
fn a_window_is_empty_after_a_reset_or_holds_what_came_after_it() {
    explore("window against reset", |race| {
        let breaker = watched_by(TripRule::failures(3).over(Window::calls(3)));
        let [bad] = permits(&breaker);
        let steered = breaker.clone();
        race.run(|| bad.failure(), move || steered.reset());
        let totals = totals(&breaker);
        assert_eq!(totals.failure + totals.late, 1);
        assert_eq!(figures(&breaker), (0, 0));
    });
}
