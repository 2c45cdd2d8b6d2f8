//! Calls of every kind that end in every way, on one breaker whose time goes by.

use super::*;
use breakerbox::Outcome;

/// Three tasks with two calls each, while time goes by.
fn every_call_is_in_one_total(test: &str, settings: fn(BreakerBuilder) -> BreakerBuilder) {
    explore(test, move |time, happened| async move {
        let chain = Chain::default();
        let settings = settings(time.settings().half_open_calls(2).success_threshold(1));
        let breaker = build(chain.heard_by(settings));
        let books = Books::default();
        let tasks = [(); 3].map(|()| {
            let (breaker, books) = (breaker.clone(), books.clone());
            spawn(async move {
                for _ in 0..3 {
                    let end = any(&[End::Ok, End::Err, End::Panic]);
                    call(end, any(&WAYS), &breaker, &books).await;
                }
            })
        });
        let passing = time.clone();
        let passes = spawn(async move {
            for _ in 0..4 {
                yields(4).await;
                passing.pass(5 * SECOND);
            }
        });
        for task in tasks {
            task.await.expect("a task that ends");
        }
        passes.await.expect("a task that ends");
        let snapshot = breaker.snapshot();
        books.agree_with(&snapshot.totals);
        books.tell(&happened, &snapshot.totals);
        assert_eq!(snapshot.in_flight.unwrap_or(0), 0);
        let changes = chain.unbroken(&breaker);
        if let Some((_, last)) = changes.last() {
            // A circuit whose time has come is half-open before anybody hears of it.
            let told = matches!((last, snapshot.state), (State::Open, State::HalfOpen));
            assert!(*last == snapshot.state || told, "{changes:?}");
        }
        let reopened = changes.contains(&(State::HalfOpen, State::Open));
        let closed = changes.contains(&(State::HalfOpen, State::Closed));
        happened.note("reopened", reopened.into());
        happened.note("closed again", closed.into());
        time.assert_revives(&breaker);
        chain.unbroken(&breaker);
    });
}

#[test]
fn with_a_count_alone() {
    every_call_is_in_one_total("count alone", |settings| {
        settings.failure_threshold(2).capture_last_failure(false)
    });
}

#[test]
fn with_texts_and_a_window_of_calls() {
    every_call_is_in_one_total("window of calls", |settings| {
        settings.trip_rules([TripRule::failures(2).over(Window::calls(4))])
    });
}

#[test]
fn with_a_window_of_time() {
    every_call_is_in_one_total("window of time", |settings| {
        settings.trip_rules([TripRule::failures(2).over(Window::time(60 * SECOND))])
    });
}

#[test]
fn with_slow_calls_and_dropped_ones_that_fail() {
    every_call_is_in_one_total("slow calls", |settings| {
        let slow = TripRule::slow_calls(0.5).slower_than(2 * SECOND);
        settings
            .failure_threshold(2)
            .trip_when(slow.over(Window::calls(2)).minimum_calls(2))
            .cancelled_after(6 * SECOND)
    });
}

/// Five tasks whose calls all fail: the third recorded failure opens, and no other.
#[test]
fn a_failing_dependency_opens_after_exactly_so_many_failures() {
    explore(
        "exactly so many failures",
        move |time, happened| async move {
            let chain = Chain::default();
            let texts = any(&[false, true]);
            let settings = time.settings().failure_threshold(3);
            let breaker = build(chain.heard_by(settings.capture_last_failure(texts)));
            let books = Books::default();
            let tasks = [(); 5].map(|()| {
                let (breaker, books) = (breaker.clone(), books.clone());
                let end = any(&[End::Err, End::Panic]);
                spawn(async move { call(end, Way::Awaited, &breaker, &books).await })
            });
            for task in tasks {
                task.await.expect("a task that ends");
            }
            let totals = breaker.snapshot().totals;
            books.agree_with(&totals);
            assert_eq!((totals.failure, breaker.failure_count()), (3, 3));
            assert_eq!(chain.unbroken(&breaker), [(State::Closed, State::Open)]);
            happened.note("late", totals.late);
            happened.note("refused", totals.refused);
        },
    );
}

/// Whatever was called before a reset is late after it, or was forgotten by it.
#[test]
fn what_began_before_a_reset_says_nothing_after_it() {
    explore("before a reset", move |time, happened| async move {
        // With the last one alone, quick successes put themselves down without the lock.
        let rule = any(&[
            TripRule::consecutive_failures(5),
            TripRule::failures(5).over(Window::calls(10)),
            TripRule::failures(5).over(Window::time(60 * SECOND)),
        ]);
        let breaker = build(time.settings().trip_rules([rule]));
        let permits = [(); 4].map(|()| breaker.try_acquire().expect("a closed circuit"));
        // The first success makes the way for those without the lock.
        breaker.try_acquire().expect("a closed circuit").success();
        let tasks = permits.map(|permit| {
            let outcome = any(&[Outcome::Failure, Outcome::Success]);
            spawn(async move { permit.record(outcome) })
        });
        yields(2).await;
        breaker.reset();
        for task in tasks {
            task.await.expect("a task that ends");
        }
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.failure_count, 0);
        assert!(snapshot.last_failure.is_none());
        for rule in &snapshot.rules {
            assert_eq!((rule.recorded, rule.failed), (0, 0), "{rule:?}");
        }
        let totals = &snapshot.totals;
        let success = totals.success.expect("they are counted");
        assert_eq!(success + totals.failure + totals.late, 5);
        happened.note("late", totals.late);
        happened.note("in time", totals.failure);
    });
}
