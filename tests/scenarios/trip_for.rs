//! Retry hints (`Outcome::TripFor`): how long they open the circuit, and how they affect the backoff.

use crate::support::{RECOVERY, SECOND, TestBreaker, ms};
use breakerbox::prelude::*;
use breakerbox::{Backoff, Cause, Permit};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Returns a closure that records a hint of this many seconds.
fn hint(seconds: u32) -> impl Fn(Permit) {
    move |permit| permit.record(Outcome::TripFor(seconds * SECOND))
}

/// Creates a breaker whose backoff doubles from one second up to a minute.
fn exponential(settings: fn(BreakerBuilder) -> BreakerBuilder) -> TestBreaker {
    TestBreaker::new(|b| settings(b).recovery_backoff(Backoff::exponential(SECOND).max(MINUTE)))
}

#[test]
fn late_hints_only_extend_deadline() {
    let breaker = TestBreaker::new(|b| b);
    let in_flight = [(); 4].map(|()| breaker.acquire());
    for (permit, seconds) in in_flight.into_iter().zip([1, 60, 60, 30]) {
        hint(seconds)(permit);
    }
    assert_eq!(breaker.open_remaining(), Some(MINUTE));
    assert_eq!(breaker.expect_refusal().retry_after(), Some(MINUTE));
    assert_eq!(breaker.log.changes(), [(State::Closed, State::Open)]);
    assert_eq!(breaker.snapshot().totals.late, 3);
}

#[test]
fn late_hint_does_not_extend_manual_trip() {
    type Open = fn(&TestBreaker);
    let open_by: [(&str, Open); 3] = [
        ("a rule", |breaker| breaker.fail_times(5)),
        ("a trial", |breaker| {
            breaker.fail_times(5);
            breaker.clock.advance(RECOVERY);
            breaker.fail();
        }),
        ("a hint", |breaker| hint(1)(breaker.acquire())),
    ];
    for (cause, open) in open_by {
        let breaker = TestBreaker::new(|b| b);
        let early = breaker.acquire();
        open(&breaker);
        hint(60)(early);
        assert_eq!(breaker.open_remaining(), Some(MINUTE), "opened by {cause}");
    }
    let commands: [fn(&TestBreaker); 2] = [
        |breaker| breaker.trip_for(SECOND),
        |breaker| {
            breaker.fail_times(5);
            breaker.trip_for(SECOND);
        },
    ];
    for command in commands {
        let breaker = TestBreaker::new(|b| b);
        let early = breaker.acquire();
        command(&breaker);
        hint(60)(early);
        assert_eq!(breaker.open_remaining(), Some(SECOND));
    }
}

#[test]
fn late_hint_changes_no_other_state() {
    let states: [fn(&TestBreaker); 5] = [
        |breaker| breaker.force_open(),
        |breaker| breaker.half_open(),
        |breaker| breaker.reset(),
        |breaker| breaker.disable(),
        |breaker| {
            breaker.fail_times(5);
            breaker.clock.advance(RECOVERY);
        },
    ];
    for enter in states {
        let breaker = TestBreaker::new(|b| b);
        let early = breaker.acquire();
        enter(&breaker);
        let state = breaker.state();
        hint(60)(early);
        assert_eq!((breaker.state(), breaker.open_remaining()), (state, None));
    }
}

#[test]
fn late_hint_is_capped_by_max_trip_for() {
    let breaker = TestBreaker::new(|b| b.max_trip_for(10 * SECOND));
    let (early, later) = (breaker.acquire(), breaker.acquire());
    hint(1)(early);
    hint(3_600)(later);
    assert_eq!(breaker.open_remaining(), Some(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn late_hint_delays_waiters() {
    let breaker = TestBreaker::new(|b| b);
    let early = breaker.acquire();
    breaker.fail_times(5);
    let waiter = breaker.until_ready();
    let mut waiter = std::pin::pin!(waiter);
    assert!(crate::support::poll(waiter.as_mut()).is_pending());
    hint(60)(early);
    breaker.clock.advance(RECOVERY);
    tokio::time::advance(RECOVERY).await;
    assert!(crate::support::poll(waiter.as_mut()).is_pending());
    breaker.clock.advance(MINUTE);
    waiter.await.success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn backoff_is_a_minimum_after_first_hint() {
    let breaker = exponential(|b| b);
    hint(1)(breaker.acquire());
    let mut waits = vec![breaker.open_remaining().unwrap()];
    for _ in 0..6 {
        breaker.clock.advance(*waits.last().unwrap());
        hint(1)(breaker.acquire());
        waits.push(breaker.open_remaining().unwrap());
    }
    let seconds: Vec<_> = waits.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60]);
    breaker.clock.advance(MINUTE);
    hint(100)(breaker.acquire());
    assert_eq!(
        breaker.open_remaining(),
        Some(100 * SECOND),
        "the longer of hint and backoff"
    );
}

#[test]
fn short_hints_do_not_bypass_backoff() {
    let breaker = exponential(|b| b);
    let (mut trials, mut second) = (0, 0);
    while second < 600 {
        if let Ok(permit) = breaker.try_acquire() {
            trials += 1;
            hint(1)(permit);
        }
        breaker.clock.advance(SECOND);
        second += 1;
    }
    assert!(
        (7..=16).contains(&trials),
        "{trials} calls to a failed service"
    );
}

#[test]
fn hint_jitter_extends_capped_duration() {
    for _ in 0..200 {
        let backoff = Backoff::constant(RECOVERY).jitter(0.5);
        let breaker = TestBreaker::new(|b| b.recovery_backoff(backoff).max_trip_for(10 * SECOND));
        hint(60)(breaker.acquire());
        let open = breaker.open_remaining().unwrap();
        assert!((10 * SECOND..15 * SECOND).contains(&open), "{open:?}");
    }
}

#[test]
fn metrics_only_reports_repeated_hints_once() {
    let breaker = TestBreaker::new(|b| b.mode(Mode::MetricsOnly).failure_threshold(1_000));
    let would_trip = || breaker.snapshot().totals.would_trip;
    for _ in 0..100 {
        hint(600)(breaker.acquire());
    }
    assert_eq!(would_trip(), 1, "reported again only after a success");
    breaker.fail();
    hint(600)(breaker.acquire());
    assert_eq!(would_trip(), 1);
    breaker.succeed();
    hint(600)(breaker.acquire());
    assert_eq!(would_trip(), 2);
    breaker.reset();
    hint(600)(breaker.acquire());
    assert_eq!(would_trip(), 3);
    let causes = breaker
        .log
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::WouldTrip { cause, .. } => Some(cause),
            _ => None,
        });
    let causes: Vec<_> = causes.collect();
    assert_eq!(causes, vec![Cause::Asked(600 * SECOND); 3]);
    assert_eq!(breaker.state(), State::MetricsOnly);
}

#[test]
fn metrics_only_reports_rule_and_hint_together() {
    let breaker = TestBreaker::new(|b| {
        b.mode(Mode::MetricsOnly)
            .failure_threshold(1)
            .max_trip_for(MINUTE)
    });
    hint(600)(breaker.acquire());
    let causes = breaker
        .log
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::WouldTrip { cause, .. } => Some(cause.to_string()),
            _ => None,
        });
    let causes: Vec<_> = causes.collect();
    assert_eq!(causes.len(), 2);
    assert_eq!(
        causes[1], "a call tripped the circuit for 1m",
        "the capped duration"
    );
}

#[test]
fn flapping_circuit_backs_off_exponentially() {
    let breaker = exponential(|b| b.failure_threshold(1));
    let mut waits = Vec::new();
    for _ in 0..8 {
        breaker.fail();
        let wait = breaker.open_remaining().unwrap();
        waits.push(wait.as_secs());
        breaker.clock.advance(wait);
        breaker.succeed();
        assert_eq!(breaker.state(), State::Closed);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
}

/// Closes the circuit with a trial, waits for `closed_for`, fails a call, and checks how long the
/// circuit is open.
#[track_caller]
fn assert_reopens_for(breaker: &TestBreaker, closed_for: Duration, expected: Duration) {
    breaker.succeed();
    breaker.clock.advance(closed_for);
    breaker.fail();
    assert_eq!(breaker.open_remaining(), Some(expected), "{closed_for:?}");
}

#[test]
fn backoff_restarts_after_long_closed_period() {
    for (closed_for, next) in [(ms(3_999), 8), (ms(4_000), 1), (MINUTE, 1)] {
        let breaker = exponential(|b| b.failure_threshold(1));
        breaker.fail();
        for wait in [1, 2] {
            breaker.clock.advance(wait * SECOND);
            breaker.fail();
        }
        assert_eq!(breaker.open_remaining(), Some(4 * SECOND));
        breaker.clock.advance(4 * SECOND);
        assert_reopens_for(&breaker, closed_for, next * SECOND);
    }
}

#[test]
fn reset_backoff_after_overrides_default() {
    for (closed_for, next) in [(ms(9_999), 2), (10 * SECOND, 1)] {
        let breaker = exponential(|b| b.failure_threshold(1).reset_backoff_after(10 * SECOND));
        breaker.fail();
        breaker.clock.advance(SECOND);
        assert_reopens_for(&breaker, closed_for, next * SECOND);
    }
    let zero = CircuitBreaker::builder().reset_backoff_after(Duration::ZERO);
    let error = zero.build().unwrap_err();
    assert_eq!(error.field(), "reset_backoff_after");
}

#[test]
fn hint_does_not_delay_backoff_reset() {
    let breaker = exponential(|b| b.failure_threshold(1));
    hint(50)(breaker.acquire());
    breaker.clock.advance(50 * SECOND);
    breaker.succeed();
    breaker.clock.advance(SECOND);
    breaker.fail();
    assert_eq!(
        breaker.open_remaining(),
        Some(SECOND),
        "the first attempt lasts a second"
    );
}

#[test]
fn commands_continue_or_restart_backoff() {
    let recovered = || {
        let breaker = exponential(|b| b.failure_threshold(1));
        breaker.fail();
        breaker.clock.advance(SECOND);
        breaker.fail();
        breaker.clock.advance(2 * SECOND);
        breaker.succeed();
        assert_eq!(
            (breaker.state(), breaker.snapshot().attempt),
            (State::Closed, 1)
        );
        breaker
    };
    let breaker = recovered();
    breaker.trip();
    assert_eq!(breaker.snapshot().attempt, 2);
    assert_eq!(breaker.open_remaining(), Some(4 * SECOND));

    let breaker = recovered();
    breaker.trip_for(MINUTE);
    assert_eq!(
        breaker.snapshot().attempt,
        1,
        "trip_for does not change the attempt"
    );
    breaker.clock.advance(MINUTE);
    breaker.fail();
    assert_eq!(breaker.snapshot().attempt, 2);

    let restarts: [fn(&TestBreaker); 5] = [
        |breaker| breaker.reset(),
        |breaker| {
            breaker.half_open();
            breaker.succeed();
        },
        |breaker| breaker.half_open(),
        |breaker| {
            breaker.disable();
            breaker.reset();
        },
        |breaker| {
            let configure = |mode| breaker.configure(|settings| settings.mode(mode)).unwrap();
            configure(Mode::MetricsOnly);
            configure(Mode::Enforcing);
        },
    ];
    for restart in restarts {
        let breaker = recovered();
        restart(&breaker);
        assert_eq!(breaker.snapshot().attempt, 0);
        breaker.fail();
        assert_eq!(
            (breaker.state(), breaker.snapshot().attempt),
            (State::Open, 0)
        );
        assert_eq!(breaker.open_remaining(), Some(SECOND));
    }
}
