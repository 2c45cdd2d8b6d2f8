//! Calls of every kind and with every outcome, on one breaker, while time passes.

use super::*;
use breakerbox::Outcome;

/// Three tasks with three calls each, while time passes.
fn assert_every_call_is_in_one_total(test: &str, settings: fn(BreakerBuilder) -> BreakerBuilder) {
    explore(test, move |time, cases| async move {
        let transitions = TransitionLog::default();
        let settings = settings(time.settings().half_open_calls(2).success_threshold(1));
        let breaker = build(transitions.observe(settings));
        let counts = CallCounts::default();
        let tasks = [(); 3].map(|()| {
            let (breaker, counts) = (breaker.clone(), counts.clone());
            spawn(async move {
                for _ in 0..3 {
                    let outcome = choose(&[End::Ok, End::Err, End::Panic]);
                    call(outcome, choose(&CALL_STYLES), &breaker, &counts).await;
                }
            })
        });
        let timer = time.clone();
        let timer_task = spawn(async move {
            for _ in 0..4 {
                yield_up_to(4).await;
                timer.advance(5 * SECOND);
            }
        });
        for task in tasks {
            task.await.expect("the task should not panic");
        }
        timer_task.await.expect("the task should not panic");
        let snapshot = breaker.snapshot();
        counts.assert_agree_with(&snapshot.totals);
        counts.count_cases(&cases, &snapshot.totals);
        assert_eq!(snapshot.in_flight.unwrap_or(0), 0);
        let changes = transitions.assert_contiguous(&breaker);
        if let Some((_, last)) = changes.last() {
            // After the deadline a circuit is half-open, but no event reports it before the next call.
            let is_unreported = matches!((last, snapshot.state), (State::Open, State::HalfOpen));
            assert!(*last == snapshot.state || is_unreported, "{changes:?}");
        }
        let reopened = changes.contains(&(State::HalfOpen, State::Open));
        let closed = changes.contains(&(State::HalfOpen, State::Closed));
        cases.count("reopened", reopened.into());
        cases.count("closed again", closed.into());
        time.assert_recovers(&breaker);
        transitions.assert_contiguous(&breaker);
    });
}

#[test]
fn consecutive_failures_count_every_call_once() {
    assert_every_call_is_in_one_total("count alone", |settings| {
        settings.failure_threshold(2).capture_last_failure(false)
    });
}

#[test]
fn count_window_counts_every_call_once() {
    assert_every_call_is_in_one_total("window of calls", |settings| {
        settings.trip_rules([TripRule::failures(2).over(Window::calls(4))])
    });
}

#[test]
fn time_window_counts_every_call_once() {
    assert_every_call_is_in_one_total("window of time", |settings| {
        settings.trip_rules([TripRule::failures(2).over(Window::time(60 * SECOND))])
    });
}

#[test]
fn slow_call_rule_counts_every_call_once() {
    assert_every_call_is_in_one_total("slow calls", |settings| {
        let slow = TripRule::slow_calls(0.5).slower_than(2 * SECOND);
        settings
            .failure_threshold(2)
            .trip_when(slow.over(Window::calls(2)).minimum_calls(2))
            .cancelled_after(6 * SECOND)
    });
}

/// All calls of five tasks fail. The third recorded failure opens the circuit, and no other one does.
#[test]
fn concurrent_failures_open_circuit_at_threshold() {
    explore(
        "failures up to the threshold",
        move |time, cases| async move {
            let transitions = TransitionLog::default();
            let texts = choose(&[false, true]);
            let settings = time.settings().failure_threshold(3);
            let breaker = build(transitions.observe(settings.capture_last_failure(texts)));
            let counts = CallCounts::default();
            let tasks = [(); 5].map(|()| {
                let (breaker, counts) = (breaker.clone(), counts.clone());
                let outcome = choose(&[End::Err, End::Panic]);
                spawn(async move { call(outcome, CallStyle::Awaited, &breaker, &counts).await })
            });
            for task in tasks {
                task.await.expect("the task should not panic");
            }
            let totals = breaker.snapshot().totals;
            counts.assert_agree_with(&totals);
            assert_eq!((totals.failure, breaker.failure_count()), (3, 3));
            assert_eq!(
                transitions.assert_contiguous(&breaker),
                [(State::Closed, State::Open)]
            );
            cases.count("late", totals.late);
            cases.count("refused", totals.refused);
        },
    );
}

/// A call from before the reset is either recorded and cleared by the reset, or late.
#[test]
fn calls_from_before_reset_leave_no_trace() {
    explore("before a reset", move |time, cases| async move {
        // A window lets successes enter the success buffer, which takes no lock.
        let rule = choose(&[
            TripRule::consecutive_failures(5),
            TripRule::failures(5).over(Window::calls(10)),
            TripRule::failures(5).over(Window::time(60 * SECOND)),
        ]);
        let breaker = build(time.settings().trip_rules([rule]));
        let permits = [(); 4].map(|()| breaker.try_acquire().expect("the circuit is closed"));
        // The first success opens the buffer.
        breaker
            .try_acquire()
            .expect("the circuit is closed")
            .success();
        let tasks = permits.map(|permit| {
            let outcome = choose(&[Outcome::Failure, Outcome::Success]);
            spawn(async move { permit.record(outcome) })
        });
        yield_up_to(2).await;
        breaker.reset();
        for task in tasks {
            task.await.expect("the task should not panic");
        }
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.failure_count, 0);
        assert!(snapshot.last_failure.is_none());
        for rule in &snapshot.rules {
            assert_eq!((rule.recorded, rule.failed), (0, 0), "{rule:?}");
        }
        let totals = &snapshot.totals;
        let success = totals.success.expect("successes are counted");
        assert_eq!(success + totals.failure + totals.late, 5);
        cases.count("late", totals.late);
        cases.count("in time", totals.failure);
    });
}
