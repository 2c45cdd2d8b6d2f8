//! How long the dependency asks to be left alone, and how the backoff goes on.

use crate::support::{Bench, RECOVERY, SECOND, ms};
use breakerbox::prelude::*;
use breakerbox::{Backoff, Cause, Permit};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn hint(seconds: u32) -> impl Fn(Permit) {
    move |permit| permit.record(Outcome::TripFor(seconds * SECOND))
}

/// An exponential backoff from one second to a minute.
fn ladder(bench: fn(BreakerBuilder) -> BreakerBuilder) -> Bench {
    Bench::new(|b| bench(b).recovery_backoff(Backoff::exponential(SECOND).max(MINUTE)))
}

#[test]
fn late_hints_move_deadline_only_later() {
    let bench = Bench::new(|b| b);
    let in_flight = [(); 4].map(|()| bench.begin());
    for (permit, seconds) in in_flight.into_iter().zip([1, 60, 60, 30]) {
        hint(seconds)(permit);
    }
    assert_eq!(bench.open_remaining(), Some(MINUTE));
    assert_eq!(bench.refusal().retry_after(), Some(MINUTE));
    assert_eq!(bench.log.changes(), [(State::Closed, State::Open)]);
    assert_eq!(bench.snapshot().totals.late, 3);
}

#[test]
fn late_hint_extends_any_opening_but_of_a_command() {
    type Open = fn(&Bench);
    let open_by: [(&str, Open); 3] = [
        ("a rule", |bench| bench.fails_times(5)),
        ("a trial", |bench| {
            bench.fails_times(5);
            bench.clock.advance(RECOVERY);
            bench.fails();
        }),
        ("a hint", |bench| hint(1)(bench.begin())),
    ];
    for (cause, open) in open_by {
        let bench = Bench::new(|b| b);
        let early = bench.begin();
        open(&bench);
        hint(60)(early);
        assert_eq!(bench.open_remaining(), Some(MINUTE), "opened by {cause}");
    }
    let commands: [fn(&Bench); 2] = [
        |bench| bench.trip_for(SECOND),
        |bench| {
            bench.fails_times(5);
            bench.trip_for(SECOND);
        },
    ];
    for command in commands {
        let bench = Bench::new(|b| b);
        let early = bench.begin();
        command(&bench);
        hint(60)(early);
        assert_eq!(bench.open_remaining(), Some(SECOND));
    }
}

#[test]
fn late_hint_leaves_other_states_alone() {
    let states: [fn(&Bench); 5] = [
        |bench| bench.force_open(),
        |bench| bench.half_open(),
        |bench| bench.reset(),
        |bench| bench.disable(),
        |bench| {
            bench.fails_times(5);
            bench.clock.advance(RECOVERY);
        },
    ];
    for enter in states {
        let bench = Bench::new(|b| b);
        let early = bench.begin();
        enter(&bench);
        let state = bench.state();
        hint(60)(early);
        assert_eq!((bench.state(), bench.open_remaining()), (state, None));
    }
}

#[test]
fn late_hint_is_capped() {
    let bench = Bench::new(|b| b.max_trip_for(10 * SECOND));
    let (early, later) = (bench.begin(), bench.begin());
    hint(1)(early);
    hint(3_600)(later);
    assert_eq!(bench.open_remaining(), Some(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn late_hint_keeps_waiters_until_its_deadline() {
    let bench = Bench::new(|b| b);
    let early = bench.begin();
    bench.fails_times(5);
    let waiter = bench.until_ready();
    let mut waiter = std::pin::pin!(waiter);
    assert!(crate::support::poll(waiter.as_mut()).is_pending());
    hint(60)(early);
    bench.clock.advance(RECOVERY);
    tokio::time::advance(RECOVERY).await;
    assert!(crate::support::poll(waiter.as_mut()).is_pending());
    bench.clock.advance(MINUTE);
    waiter.await.success();
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn first_hint_decides_alone_then_backoff_bounds_it() {
    let bench = ladder(|b| b);
    hint(1)(bench.begin());
    let mut waits = vec![bench.open_remaining().unwrap()];
    for _ in 0..6 {
        bench.clock.advance(*waits.last().unwrap());
        hint(1)(bench.begin());
        waits.push(bench.open_remaining().unwrap());
    }
    let seconds: Vec<_> = waits.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60]);
    bench.clock.advance(MINUTE);
    hint(100)(bench.begin());
    assert_eq!(
        bench.open_remaining(),
        Some(100 * SECOND),
        "the longer of both"
    );
}

#[test]
fn short_hints_do_not_hasten_trials() {
    let bench = ladder(|b| b);
    let (mut trials, mut second) = (0, 0);
    while second < 600 {
        if let Ok(permit) = bench.try_acquire() {
            trials += 1;
            hint(1)(permit);
        }
        bench.clock.advance(SECOND);
        second += 1;
    }
    assert!(
        (7..=16).contains(&trials),
        "{trials} calls of a dead service"
    );
}

#[test]
fn hint_jitter_only_lengthens_after_the_cap() {
    for _ in 0..200 {
        let backoff = Backoff::constant(RECOVERY).jitter(0.5);
        let bench = Bench::new(|b| b.recovery_backoff(backoff).max_trip_for(10 * SECOND));
        hint(60)(bench.begin());
        let open = bench.open_remaining().unwrap();
        assert!((10 * SECOND..15 * SECOND).contains(&open), "{open:?}");
    }
}

#[test]
fn metrics_only_reports_hints_like_rules() {
    let bench = Bench::new(|b| b.mode(Mode::MetricsOnly).failure_threshold(1_000));
    let would_trip = || bench.snapshot().totals.would_trip;
    for _ in 0..100 {
        hint(600)(bench.begin());
    }
    assert_eq!(would_trip(), 1, "again only after a success");
    bench.fails();
    hint(600)(bench.begin());
    assert_eq!(would_trip(), 1);
    bench.succeeds();
    hint(600)(bench.begin());
    assert_eq!(would_trip(), 2);
    bench.reset();
    hint(600)(bench.begin());
    assert_eq!(would_trip(), 3);
    let told = bench
        .log
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::WouldTrip { cause, .. } => Some(cause),
            _ => None,
        });
    let told: Vec<_> = told.collect();
    assert_eq!(told, vec![Cause::Asked(600 * SECOND); 3]);
    assert_eq!(bench.state(), State::MetricsOnly);
}

#[test]
fn metrics_only_reports_rule_and_hint_of_one_call() {
    let bench = Bench::new(|b| {
        b.mode(Mode::MetricsOnly)
            .failure_threshold(1)
            .max_trip_for(MINUTE)
    });
    hint(600)(bench.begin());
    let causes = bench
        .log
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::WouldTrip { cause, .. } => Some(cause.to_string()),
            _ => None,
        });
    let causes: Vec<_> = causes.collect();
    assert_eq!(causes.len(), 2);
    assert_eq!(causes[1], "asked to wait for 1m", "as capped");
}

#[test]
fn flapping_climbs_the_ladder() {
    let bench = ladder(|b| b.failure_threshold(1));
    let mut waits = Vec::new();
    for _ in 0..8 {
        bench.fails();
        let wait = bench.open_remaining().unwrap();
        waits.push(wait.as_secs());
        bench.clock.advance(wait);
        bench.succeeds();
        assert_eq!(bench.state(), State::Closed);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
}

/// Closes the circuit by its trial, and lets it fail after it was `closed_for` so long.
#[track_caller]
fn assert_reopens_for(bench: &Bench, closed_for: Duration, expected: Duration) {
    bench.succeeds();
    bench.clock.advance(closed_for);
    bench.fails();
    assert_eq!(bench.open_remaining(), Some(expected), "{closed_for:?}");
}

#[test]
fn backoff_restarts_after_the_last_opening_lasted() {
    for (closed_for, next) in [(ms(3_999), 8), (ms(4_000), 1), (MINUTE, 1)] {
        let bench = ladder(|b| b.failure_threshold(1));
        bench.fails();
        for wait in [1, 2] {
            bench.clock.advance(wait * SECOND);
            bench.fails();
        }
        assert_eq!(bench.open_remaining(), Some(4 * SECOND));
        bench.clock.advance(4 * SECOND);
        assert_reopens_for(&bench, closed_for, next * SECOND);
    }
}

#[test]
fn reset_backoff_after_replaces_the_default() {
    for (closed_for, next) in [(ms(9_999), 2), (10 * SECOND, 1)] {
        let bench = ladder(|b| b.failure_threshold(1).reset_backoff_after(10 * SECOND));
        bench.fails();
        bench.clock.advance(SECOND);
        assert_reopens_for(&bench, closed_for, next * SECOND);
    }
    let zero = CircuitBreaker::builder().reset_backoff_after(Duration::ZERO);
    let error = zero.build().unwrap_err();
    assert_eq!(error.field(), "reset_backoff_after");
}

#[test]
fn hints_do_not_lengthen_the_reset_of_the_backoff() {
    let bench = ladder(|b| b.failure_threshold(1));
    hint(50)(bench.begin());
    bench.clock.advance(50 * SECOND);
    bench.succeeds();
    bench.clock.advance(SECOND);
    bench.fails();
    assert_eq!(
        bench.open_remaining(),
        Some(SECOND),
        "attempt 0 lasts a second"
    );
}

#[test]
fn commands_continue_or_restart_the_backoff() {
    let recovered = || {
        let bench = ladder(|b| b.failure_threshold(1));
        bench.fails();
        bench.clock.advance(SECOND);
        bench.fails();
        bench.clock.advance(2 * SECOND);
        bench.succeeds();
        assert_eq!(
            (bench.state(), bench.snapshot().attempt),
            (State::Closed, 1)
        );
        bench
    };
    let bench = recovered();
    bench.trip();
    assert_eq!(bench.snapshot().attempt, 2);
    assert_eq!(bench.open_remaining(), Some(4 * SECOND));

    let bench = recovered();
    bench.trip_for(MINUTE);
    assert_eq!(bench.snapshot().attempt, 1, "trip_for leaves the attempt");
    bench.clock.advance(MINUTE);
    bench.fails();
    assert_eq!(bench.snapshot().attempt, 2);

    let restarts: [fn(&Bench); 5] = [
        |bench| bench.reset(),
        |bench| {
            bench.half_open();
            bench.succeeds();
        },
        |bench| bench.half_open(),
        |bench| {
            bench.disable();
            bench.reset();
        },
        |bench| {
            let configure = |mode| bench.configure(|settings| settings.mode(mode)).unwrap();
            configure(Mode::MetricsOnly);
            configure(Mode::Enforcing);
        },
    ];
    for restart in restarts {
        let bench = recovered();
        restart(&bench);
        assert_eq!(bench.snapshot().attempt, 0);
        bench.fails();
        assert_eq!((bench.state(), bench.snapshot().attempt), (State::Open, 0));
        assert_eq!(bench.open_remaining(), Some(SECOND));
    }
}
