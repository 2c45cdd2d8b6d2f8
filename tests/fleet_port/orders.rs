//! Each order in each state.

use crate::support::*;
use State::{Closed, Disabled, ForcedOpen, HalfOpen, MetricsOnly, Open};

/// What a circuit is like before an order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Closed,
    Open,
    /// Open past its deadline, without a trial yet.
    PastDeadline,
    HalfOpen,
    /// Half-open, with a trial in flight.
    Trying,
    ForcedOpen,
    Disabled,
    /// Disabled by an order.
    DisabledByFleet,
    MetricsOnly,
}

const BEFORE: [Before; 9] = [
    Before::Closed,
    Before::Open,
    Before::PastDeadline,
    Before::HalfOpen,
    Before::Trying,
    Before::ForcedOpen,
    Before::Disabled,
    Before::DisabledByFleet,
    Before::MetricsOnly,
];

const ORDERS: [Order; 6] = [
    Order::OpenFor(SECOND, 3),
    Order::Extend(SECOND),
    Order::Try,
    Order::Close,
    Order::Disable,
    Order::Enable,
];

/// The state after an order that is taken.
fn expected(before: Before, order: Order) -> Option<State> {
    match (order, before) {
        (
            Order::OpenFor(..),
            Before::Closed | Before::PastDeadline | Before::HalfOpen | Before::Trying,
        )
        | (Order::Extend(_), Before::Open) => Some(Open),
        (Order::Try, Before::Open | Before::PastDeadline) => Some(HalfOpen),
        (Order::Close, Before::Open | Before::PastDeadline | Before::HalfOpen | Before::Trying) => {
            Some(Closed)
        }
        (
            Order::Disable,
            Before::Closed
            | Before::Open
            | Before::PastDeadline
            | Before::HalfOpen
            | Before::Trying,
        ) => Some(Disabled),
        (Order::Enable, Before::DisabledByFleet) => Some(Closed),
        _ => None,
    }
}

fn fixture(before: Before) -> (Fixture, Option<Permit>) {
    let fixture = Fixture::new();
    let breaker = &fixture.breaker;
    let mut trial = None;
    match before {
        Before::Closed => fail(breaker),
        Before::Open => breaker.trip(),
        Before::PastDeadline => {
            breaker.trip();
            fixture.clock.advance(RECOVERY);
        }
        Before::HalfOpen => breaker.half_open(),
        Before::Trying => {
            breaker.trip();
            fixture.clock.advance(RECOVERY);
            trial = Some(breaker.try_acquire().unwrap());
        }
        Before::ForcedOpen => breaker.force_open(),
        Before::Disabled => breaker.disable(),
        Before::DisabledByFleet => {
            fixture.order(Order::Disable).unwrap();
        }
        Before::MetricsOnly => breaker.metrics_only(),
    }
    fixture.told();
    (fixture, trial)
}

#[test]
fn each_order_is_taken_in_its_states_only() {
    let mut taken = 0;
    for before in BEFORE {
        for order in ORDERS {
            let (fixture, _trial) = fixture(before);
            let seen = fixture.view();
            let result = fixture.port.apply(NAME, seen.mark, order, fleet_cause());
            let view = fixture.view();
            let case = format!("{before:?}, {order:?}");
            let Some(state) = expected(before, order) else {
                assert_eq!(view, seen, "{case}");
                assert_eq!(result, Err(NotApplied::Rejected(Box::new(view))), "{case}");
                assert!(fixture.told().is_empty(), "{case}");
                continue;
            };
            taken += 1;
            assert_eq!(result, Ok(view.mark), "{case}");
            assert_ne!(view.mark, seen.mark, "{case}");
            assert_eq!(fixture.breaker.state(), state, "{case}");
            assert!(!fixture.told().is_empty(), "{case}");
            if let Order::Extend(_) = order {
                assert_eq!(view.cause, seen.cause, "{case}");
                assert_eq!(view.since, seen.since, "{case}");
            } else {
                assert_eq!(view.cause, Some(fleet_cause()), "{case}");
                assert_eq!(view.since, Duration::ZERO, "{case}");
            }
            let left = (state == Open).then_some(SECOND);
            assert_eq!(view.left, left, "{case}");
        }
    }
    assert_eq!(taken, 17);
}

#[test]
fn orders_send_events_in_chain() {
    for before in BEFORE {
        for order in ORDERS {
            let (fixture, _trial) = fixture(before);
            // What a subscriber has been told: past the deadline, the circuit is still open.
            let mut state = match before {
                Before::PastDeadline => Open,
                _ => fixture.breaker.state(),
            };
            let mut events = fixture.registry.subscribe_changes();
            let taken = fixture.order(order).is_ok();
            let mut changes = 0;
            while let Some(event) = events.try_next() {
                if let Event::StateChanged { from, to, .. } = event {
                    assert_eq!(from, state, "{before:?}, {order:?}");
                    state = to;
                    changes += 1;
                }
            }
            if taken {
                assert_eq!(state, fixture.breaker.state(), "{before:?}, {order:?}");
            }
            let is_silent = !taken || matches!(order, Order::Extend(_));
            assert_eq!(changes == 0, is_silent, "{before:?}, {order:?}");
        }
    }
}

#[test]
fn open_for_keeps_attempt_and_failures() {
    let fixture = Fixture::new();
    fail(&fixture.breaker);
    fixture.order(Order::OpenFor(SECOND, 3)).unwrap();
    let view = fixture.view();
    assert_eq!((view.attempt, view.failures), (3, 1));
    let refusal = fixture.breaker.try_acquire().unwrap_err();
    assert_eq!(refusal.retry_after(), Some(SECOND));
    fixture.clock.advance(SECOND);
    fail(&fixture.breaker);
    let view = fixture.view();
    assert_eq!(view.cause, Some(Cause::TrialFailed));
    assert_eq!(view.attempt, 4, "the backoff continues");
    assert_eq!(view.failures, 2);
}

#[test]
fn failed_trial_after_try_continues_backoff() {
    let backoff = Backoff::exponential(RECOVERY);
    let fixture = Fixture::with(CircuitBreaker::builder().recovery_backoff(backoff));
    fixture.breaker.trip();
    fixture.order(Order::Try).unwrap();
    assert_eq!(fixture.view().in_flight, 0);
    let trial = fixture.breaker.try_acquire().unwrap();
    assert_eq!(fixture.view().in_flight, 1);
    assert!(fixture.breaker.try_acquire().is_err(), "one trial");
    trial.failure();
    let view = fixture.view();
    assert_eq!((view.state, view.attempt), (Open, 1));
    assert_eq!(view.left, Some(2 * RECOVERY));
}

#[test]
fn close_keeps_attempt_and_begins_ramp_up() {
    let settings = CircuitBreaker::builder()
        .failure_threshold(1)
        .ramp_up(100 * SECOND)
        .reset_backoff_after(60 * SECOND);
    let fixture = Fixture::with(settings);
    fixture.order(Order::OpenFor(SECOND, 2)).unwrap();
    fixture.order(Order::Close).unwrap();
    let snapshot = fixture.breaker.snapshot();
    assert_eq!(snapshot.state, Closed);
    assert_eq!(snapshot.attempt, 2);
    assert!(snapshot.ramp_up_share.is_some());
    // The next opening continues the backoff, but only for a while.
    let late = fixture.breaker.try_acquire();
    fixture.clock.advance(59 * SECOND);
    assert_eq!(fixture.view().attempt, 2);
    fixture.clock.advance(SECOND);
    assert_eq!(fixture.view().attempt, 0);
    drop(late);
}

#[test]
fn close_makes_trial_late() {
    let (fixture, trial) = fixture(Before::Trying);
    fixture.order(Order::Close).unwrap();
    trial.unwrap().failure();
    let snapshot = fixture.breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.totals.late), (Closed, 1));
}

#[test]
fn close_returns_to_metrics_only_mode() {
    let fixture = Fixture::with(CircuitBreaker::builder().mode(Mode::MetricsOnly));
    fixture.breaker.trip();
    fixture.order(Order::Close).unwrap();
    assert_eq!(fixture.breaker.state(), MetricsOnly);
}

#[test]
fn metrics_only_circuit_reports_opening() {
    let fixture = Fixture::new();
    fixture.breaker.metrics_only();
    let mut events = fixture.registry.subscribe_changes();
    for order in ORDERS {
        assert!(matches!(
            fixture.order(order),
            Err(NotApplied::Rejected(view)) if view.state == MetricsOnly
        ));
    }
    let reported: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(matches!(
        &reported[0],
        Event::WouldTrip { cause, .. } if *cause == fleet_cause()
    ));
    assert_eq!(fixture.breaker.snapshot().totals.would_trip, 1);
}

#[test]
fn silent_states_report_no_opening() {
    for command in [CircuitBreaker::force_open, CircuitBreaker::disable] {
        let fixture = Fixture::new();
        command(&fixture.breaker);
        let mut events = fixture.registry.subscribe_changes();
        fixture.order(Order::OpenFor(SECOND, 0)).unwrap_err();
        assert_eq!(events.try_next(), None);
        assert!(matches!(fixture.breaker.state(), ForcedOpen | Disabled));
    }
}

#[test]
fn orders_flush_buffered_successes() {
    let rule = TripRule::failure_rate(0.5).over(Window::calls(10));
    let fixture = Fixture::with(CircuitBreaker::builder().trip_when(rule));
    for _ in 0..7 {
        succeed(&fixture.breaker);
    }
    fail(&fixture.breaker);
    assert_eq!(fixture.view().recorded_failures, 1);
    succeed(&fixture.breaker);
    fixture.order(Order::OpenFor(SECOND, 0)).unwrap();
    let totals = fixture.breaker.snapshot().totals;
    assert_eq!((totals.success, totals.failure), (Some(8), 1));
    fixture.order(Order::Close).unwrap();
    assert_eq!(fixture.view().recorded_failures, 0, "the windows are empty");
}

#[test]
fn enable_returns_to_configured_mode() {
    let fixture = Fixture::with(CircuitBreaker::builder().mode(Mode::MetricsOnly));
    fixture.breaker.reset();
    fixture.breaker.trip();
    fixture.order(Order::Disable).unwrap();
    fixture.order(Order::Enable).unwrap();
    assert_eq!(fixture.breaker.state(), MetricsOnly);
}

#[test]
fn command_takes_over_disabled_circuit_of_fleet() {
    let fixture = Fixture::new();
    fixture.order(Order::Disable).unwrap();
    let seen = fixture.view();
    fixture.breaker.disable();
    let late = fixture
        .port
        .apply(NAME, seen.mark, Order::Enable, fleet_cause());
    assert!(matches!(late, Err(NotApplied::Changed(_))));
    fixture.order(Order::Enable).unwrap_err();
    assert_eq!(fixture.breaker.state(), Disabled);
}

#[test]
fn reset_takes_over_disabled_circuit_of_fleet() {
    let fixture = Fixture::with(CircuitBreaker::builder().mode(Mode::Disabled));
    fixture.breaker.trip();
    fixture.order(Order::Disable).unwrap();
    fixture.breaker.reset();
    fixture.order(Order::Enable).unwrap_err();
}
