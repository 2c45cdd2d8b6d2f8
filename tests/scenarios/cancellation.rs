//! Five cancelled calls in a row send one event. Every other outcome ends the run.

use crate::support::{Bench, Cancelled, Fault, SECOND, now};
use breakerbox::clock::ManualClock;
use breakerbox::{
    BreakerBuilder, BreakerExt, CircuitBreaker, Event, EventStream, Outcome, TripRule, Window,
};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::runtime;

const HOUR: Duration = Duration::from_secs(3_600);

/// Settings under which calls are recorded in different ways.
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

/// Calls that end in every other way.
const ENDINGS: [fn(&CircuitBreaker); 10] = [
    |breaker| breaker.try_acquire().expect("admitted").success(),
    |breaker| breaker.call(|| Ok::<_, Fault>(())).expect("admitted"),
    |breaker| now(async { Ok::<_, Fault>(()) }.guarded_by(breaker)).expect("admitted"),
    |breaker| breaker.try_acquire().expect("admitted").failure(),
    |breaker| drop(breaker.call(|| Err::<(), _>(Fault))),
    |breaker| drop(breaker.call(|| Err::<(), _>(Cancelled))),
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
        assert!(error.expect_err("it hangs").is_timed_out());
    },
    |breaker| {
        let panics = || breaker.call(|| -> Result<(), Fault> { panic!("broken") });
        catch_unwind(AssertUnwindSafe(panics)).expect_err("the panic propagates");
    },
];

/// `settings` under which only `TripFor` opens the circuit, and no call of this file closes it again.
fn patient(
    settings: fn(BreakerBuilder) -> BreakerBuilder,
) -> impl Fn(BreakerBuilder) -> BreakerBuilder {
    move |builder| settings(builder.half_open_calls(1_000).success_threshold(500))
}

fn cancel(breaker: &CircuitBreaker, times: u32) {
    (0..times).for_each(|_| drop(breaker.try_acquire().expect("admitted")));
}

fn reports_run(event: &Event) -> bool {
    match event {
        Event::CancelledInARow { calls, .. } => {
            assert_eq!(*calls, 5);
            true
        }
        _ => false,
    }
}

/// How many of the events that wait report a run.
fn reported(events: &mut EventStream) -> usize {
    let waiting = std::iter::from_fn(|| events.try_next());
    waiting.filter(reports_run).count()
}

#[test]
fn cancelled_run_reports_fifth_call_once() {
    for settings in SETTINGS {
        let bench = Bench::new(patient(settings));
        for calls in 1..=20 {
            cancel(&bench, 1);
            let expected = usize::from(calls >= 5);
            assert_eq!(bench.log.count(reports_run), expected, "after {calls}");
        }
    }
}

#[test]
fn cancelled_run_ends_with_any_other_outcome() {
    for settings in SETTINGS {
        for (which, ending) in ENDINGS.iter().enumerate() {
            let bench = Bench::new(patient(settings));
            let ends = || {
                ending(&bench);
                // After `TripFor` the next calls are trials.
                bench.clock.advance(HOUR);
            };
            let runs = || bench.log.count(reports_run);
            for calls in [4, 1] {
                cancel(&bench, calls);
                ends();
            }
            cancel(&bench, 4);
            assert_eq!(runs(), 0, "ending {which}");
            cancel(&bench, 1);
            assert_eq!(runs(), 1, "ending {which}");
            ends();
            cancel(&bench, 4);
            assert_eq!(runs(), 1, "ending {which}");
            cancel(&bench, 1);
            assert_eq!(runs(), 2, "ending {which}");
        }
    }
}

/// With a listener for calls, no success is recorded on the fast path.
#[test]
fn cancelled_run_without_listener_ends_the_same() {
    for settings in SETTINGS {
        for (which, ending) in ENDINGS.iter().enumerate() {
            let clock = ManualClock::new();
            let builder = CircuitBreaker::builder()
                .ignored_error::<Cancelled>()
                .clock(clock.clone());
            let breaker = patient(settings)(builder).build().expect("valid");
            // From the third success on, windows take them on the fast path.
            (0..3).for_each(|_| breaker.try_acquire().expect("admitted").success());
            for calls in [4, 1] {
                cancel(&breaker, calls);
                ending(&breaker);
                clock.advance(HOUR);
            }
            let mut events = breaker.subscribe();
            cancel(&breaker, 4);
            assert_eq!(reported(&mut events), 0, "ending {which}");
            cancel(&breaker, 1);
            assert_eq!(reported(&mut events), 1, "ending {which}");
        }
    }
}

#[test]
fn cancelled_run_ends_with_reset() {
    let bench = Bench::new(|b| b);
    cancel(&bench, 4);
    bench.reset();
    cancel(&bench, 4);
    assert_eq!(bench.log.count(reports_run), 0);
    cancel(&bench, 1);
    assert_eq!(bench.log.count(reports_run), 1);
}
