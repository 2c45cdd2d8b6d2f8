//! Runs of cancelled calls: the fifth in a row sends one event, and any other outcome ends the run.

use crate::support::{Fault, IgnoredError, SECOND, TestBreaker, expect_ready};
use breakerbox::clock::ManualClock;
use breakerbox::{
    BreakerBuilder, BreakerExt, CircuitBreaker, Event, EventStream, Outcome, TripRule, Window,
};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::runtime;

const HOUR: Duration = Duration::from_secs(3_600);

/// Settings that record calls on different code paths.
const SETTINGS: [fn(BreakerBuilder) -> BreakerBuilder; 8] = [
    |b| b.failure_threshold(1_000),
    |b| b.failure_threshold(1_000).capture_last_failure(false),
    |b| b.failure_threshold(1_000).count_successes(false),
    |b| b.trip_rules([TripRule::failures(50).over(Window::calls(50))]),
    |b| b.trip_rules([TripRule::failures(1_000).over(Window::time(60 * SECOND))]),
    |b| {
        let slow = TripRule::slow_calls(1.0).slower_than(SECOND);
        b.trip_rules([slow.over(Window::calls(50)).minimum_calls(50)])
    },
    |b| b.failure_threshold(1_000).cancelled_as(Outcome::Failure),
    |b| b.failure_threshold(1_000).cancelled_as(Outcome::Success),
];

/// Calls that end with any outcome other than a cancellation.
const ENDINGS: [fn(&CircuitBreaker); 10] = [
    |breaker| breaker.try_acquire().expect("admitted").success(),
    |breaker| breaker.call(|| Ok::<_, Fault>(())).expect("admitted"),
    |breaker| expect_ready(async { Ok::<_, Fault>(()) }.guarded_by(breaker)).expect("admitted"),
    |breaker| breaker.try_acquire().expect("admitted").failure(),
    |breaker| drop(breaker.call(|| Err::<(), _>(Fault))),
    |breaker| drop(breaker.call(|| Err::<(), _>(IgnoredError))),
    |breaker| {
        let permit = breaker.try_acquire().expect("admitted");
        permit.record(Outcome::Ignored);
    },
    |breaker| {
        let permit = breaker.try_acquire().expect("admitted");
        permit.record(Outcome::TripFor(SECOND));
    },
    |breaker| {
        let hung = pending::<Result<(), Fault>>().guarded_by(breaker);
        let timers = runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let error = timers.block_on(async { hung.timeout(SECOND).await });
        assert!(error.expect_err("the call hangs").is_timed_out());
    },
    |breaker| {
        let panics = || breaker.call(|| -> Result<(), Fault> { panic!("guarded code panicked") });
        catch_unwind(AssertUnwindSafe(panics)).expect_err("the panic propagates");
    },
];

/// Adds a success threshold that no test reaches, so that a half-open circuit never closes.
fn never_closing(
    settings: fn(BreakerBuilder) -> BreakerBuilder,
) -> impl Fn(BreakerBuilder) -> BreakerBuilder {
    move |builder| settings(builder.half_open_calls(1_000).success_threshold(500))
}

fn cancel(breaker: &CircuitBreaker, times: u32) {
    (0..times).for_each(|_| drop(breaker.try_acquire().expect("admitted")));
}

fn is_run(event: &Event) -> bool {
    match event {
        Event::CancelledInARow { calls, .. } => {
            assert_eq!(*calls, 5);
            true
        }
        _ => false,
    }
}

/// Counts the queued events that report a run.
fn count_runs(events: &mut EventStream) -> usize {
    let queued = std::iter::from_fn(|| events.try_next());
    queued.filter(is_run).count()
}

#[test]
fn cancelled_run_sends_one_event_at_fifth_call() {
    for settings in SETTINGS {
        let breaker = TestBreaker::new(never_closing(settings));
        for calls in 1..=20 {
            cancel(&breaker, 1);
            let expected = usize::from(calls >= 5);
            assert_eq!(breaker.log.count(is_run), expected, "after {calls}");
        }
    }
}

#[test]
fn cancelled_run_ends_with_any_other_outcome() {
    for settings in SETTINGS {
        for (which, ending) in ENDINGS.iter().enumerate() {
            let breaker = TestBreaker::new(never_closing(settings));
            let end_run = || {
                ending(&breaker);
                // After `TripFor`, the next calls must be trials and not refusals.
                breaker.clock.advance(HOUR);
            };
            let runs = || breaker.log.count(is_run);
            for calls in [4, 1] {
                cancel(&breaker, calls);
                end_run();
            }
            cancel(&breaker, 4);
            assert_eq!(runs(), 0, "ending {which}");
            cancel(&breaker, 1);
            assert_eq!(runs(), 1, "ending {which}");
            end_run();
            cancel(&breaker, 4);
            assert_eq!(runs(), 1, "ending {which}");
            cancel(&breaker, 1);
            assert_eq!(runs(), 2, "ending {which}");
        }
    }
}

/// A listener for calls disables the fast path of successes, so this test subscribes after them.
#[test]
fn fast_path_outcome_ends_cancelled_run() {
    for settings in SETTINGS {
        for (which, ending) in ENDINGS.iter().enumerate() {
            let clock = ManualClock::new();
            let builder = CircuitBreaker::builder()
                .ignored_error::<IgnoredError>()
                .clock(clock.clone());
            let breaker = never_closing(settings)(builder).build().expect("valid");
            // Windows take successes on the fast path from the third one on.
            (0..3).for_each(|_| breaker.try_acquire().expect("admitted").success());
            for calls in [4, 1] {
                cancel(&breaker, calls);
                ending(&breaker);
                clock.advance(HOUR);
            }
            let mut events = breaker.subscribe();
            cancel(&breaker, 4);
            assert_eq!(count_runs(&mut events), 0, "ending {which}");
            cancel(&breaker, 1);
            assert_eq!(count_runs(&mut events), 1, "ending {which}");
        }
    }
}

#[test]
fn reset_ends_cancelled_run() {
    let breaker = TestBreaker::new(|b| b);
    cancel(&breaker, 4);
    breaker.reset();
    cancel(&breaker, 4);
    assert_eq!(breaker.log.count(is_run), 0);
    cancel(&breaker, 1);
    assert_eq!(breaker.log.count(is_run), 1);
}
