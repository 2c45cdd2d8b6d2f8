//! Deadlines that the fleet, commands and hints set.

use crate::support::*;

/// A circuit that a rule opened, with a call from before the opening.
fn opened_by_rule() -> (Fixture, Permit) {
    let fixture = Fixture::with(CircuitBreaker::builder().failure_threshold(1));
    let late = fixture.breaker.try_acquire().unwrap();
    fail(&fixture.breaker);
    fixture.told();
    (fixture, late)
}

#[test]
fn extend_shortens_and_lengthens() {
    let (fixture, _late) = opened_by_rule();
    fixture.clock.advance(SECOND);
    for time in [5 * SECOND, 100 * SECOND, 2 * SECOND] {
        fixture.order(Order::Extend(time)).unwrap();
        assert_eq!(fixture.breaker.open_remaining(), Some(time));
        let view = fixture.view();
        assert_eq!(view.left, Some(time));
        assert_eq!(view.opened_for, Some(RECOVERY), "orders keep it");
        assert_eq!(view.asked_for, None);
        assert_eq!(view.since, SECOND);
        assert_eq!(fixture.view().why, Some(CauseKind::Consecutive));
        assert_eq!(fixture.told(), ["users deadline"]);
    }
    fixture.clock.advance(2 * SECOND);
    assert_eq!(fixture.breaker.state(), State::HalfOpen);
}

#[test]
fn zero_extension_half_opens() {
    let (fixture, _late) = opened_by_rule();
    fixture.order(Order::Extend(Duration::ZERO)).unwrap();
    assert_eq!(fixture.breaker.state(), State::HalfOpen);
    succeed(&fixture.breaker);
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[test]
fn endless_extension_lasts_until_command() {
    let (fixture, _late) = opened_by_rule();
    fixture.order(Order::Extend(Duration::MAX)).unwrap();
    assert_eq!(fixture.view().left, Some(Duration::MAX));
    fixture.breaker.reset();
    assert_eq!(fixture.view().left, None);
}

#[test]
fn late_hint_is_asked_for() {
    let (fixture, late) = opened_by_rule();
    fixture.clock.advance(SECOND);
    late.record(Outcome::TripFor(60 * SECOND));
    let view = fixture.view();
    assert_eq!(view.left, Some(60 * SECOND));
    assert_eq!(view.opened_for, Some(61 * SECOND));
    assert_eq!(view.asked_for, Some(61 * SECOND));
    assert_eq!(
        fixture.view().why,
        Some(CauseKind::Consecutive),
        "the cause is kept"
    );
    assert_eq!(fixture.told(), ["users deadline"]);
}

/// A hint before the deadline that the fleet has set moves nothing. But the fleet must know of it,
/// because it could shorten the opening.
#[test]
fn hint_before_deadline_of_fleet_is_reported() {
    let (fixture, late) = opened_by_rule();
    fixture.order(Order::Extend(100 * SECOND)).unwrap();
    fixture.told();
    late.record(Outcome::TripFor(60 * SECOND));
    let view = fixture.view();
    assert_eq!(view.left, Some(100 * SECOND));
    assert_eq!(view.opened_for, Some(60 * SECOND));
    assert_eq!(view.asked_for, Some(60 * SECOND));
    assert_eq!(fixture.told(), ["users deadline"]);
}

#[test]
fn hint_that_changes_nothing_is_not_reported() {
    let (fixture, late) = opened_by_rule();
    let other = {
        fixture.breaker.reset();
        let other = fixture.breaker.try_acquire().unwrap();
        fixture.breaker.trip_for(90 * SECOND);
        other
    };
    fixture.told();
    let view = fixture.view();
    // After `trip_for`, hints do not count.
    other.record(Outcome::TripFor(100 * SECOND));
    late.record(Outcome::TripFor(100 * SECOND));
    assert_eq!(fixture.view(), view);
    assert!(fixture.told().is_empty());
}

#[test]
fn short_hint_is_asked_for_within_backoff() {
    let (fixture, late) = opened_by_rule();
    late.record(Outcome::TripFor(10 * SECOND));
    let view = fixture.view();
    assert_eq!(view.left, Some(RECOVERY));
    assert_eq!(view.opened_for, Some(RECOVERY));
    assert_eq!(view.asked_for, Some(10 * SECOND));
}

#[test]
fn hint_lengthens_opening_by_fleet() {
    let fixture = Fixture::new();
    let late = fixture.breaker.try_acquire().unwrap();
    fixture.order(Order::OpenFor(5 * SECOND, 0)).unwrap();
    let view = fixture.view();
    assert_eq!((view.opened_for, view.asked_for), (None, None));
    late.record(Outcome::TripFor(10 * SECOND));
    let view = fixture.view();
    assert_eq!(view.left, Some(10 * SECOND));
    assert_eq!(view.opened_for, Some(10 * SECOND));
    assert_eq!(view.asked_for, Some(10 * SECOND));
}

#[test]
fn trip_for_reports_deadline() {
    let (fixture, _late) = opened_by_rule();
    fixture.clock.advance(SECOND);
    fixture.breaker.trip_for(7 * SECOND);
    assert_eq!(fixture.told(), ["users deadline"]);
    let view = fixture.view();
    assert_eq!(view.left, Some(7 * SECOND));
    assert_eq!(view.opened_for, Some(8 * SECOND));
    assert_eq!(view.asked_for, Some(8 * SECOND));
    assert_eq!(fixture.view().why, Some(CauseKind::Manual));
}

#[test]
fn command_takes_over_opening_by_fleet() {
    let fixture = Fixture::new();
    fixture.order(Order::OpenFor(5 * SECOND, 0)).unwrap();
    fixture.told();
    fixture.breaker.by("alice").trip();
    assert_eq!(fixture.told(), ["users deadline"]);
    let view = fixture.view();
    assert_eq!(fixture.view().why, Some(CauseKind::Manual));
    assert_eq!(view.opened_for, Some(5 * SECOND));
    assert_eq!(view.asked_for, Some(5 * SECOND));
}

type Open = fn(&CircuitBreaker);

#[test]
fn opening_tells_what_was_asked() {
    let by_hint = |breaker: &CircuitBreaker| {
        let permit = breaker.try_acquire().unwrap();
        permit.record(Outcome::TripFor(9 * SECOND));
    };
    let by_trip = |breaker: &CircuitBreaker| breaker.trip();
    let by_trip_for = |breaker: &CircuitBreaker| breaker.trip_for(9 * SECOND);
    let cases: [(Open, CauseKind, Duration); 3] = [
        (by_hint, CauseKind::Asked, 9 * SECOND),
        (by_trip, CauseKind::Manual, RECOVERY),
        (by_trip_for, CauseKind::Manual, 9 * SECOND),
    ];
    for (open, kind, time) in cases {
        let fixture = Fixture::new();
        open(&fixture.breaker);
        let view = fixture.view();
        assert_eq!(fixture.view().why, Some(kind));
        assert_eq!(view.opened_for, Some(time));
        assert_eq!(view.asked_for, Some(time));
        fixture.order(Order::Close).unwrap();
        let view = fixture.view();
        assert_eq!((view.opened_for, view.asked_for), (None, None));
    }
}

#[tokio::test(start_paused = true)]
async fn extend_wakes_waiting_call() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker(NAME);
    let port = Port::attach(&registry, |_| {});
    users.trip_for(3_600 * SECOND);
    let waiting = tokio::spawn({
        let users = users.clone();
        async move { users.until_ready().await }
    });
    tokio::task::yield_now().await;
    assert_eq!(port.view(NAME).unwrap().waiting, 1);
    let mark = port.view(NAME).unwrap().mark;
    port.apply(NAME, mark, Order::Extend(Duration::ZERO), fleet_cause())
        .unwrap();
    // Without the notification, the waiter would sleep for an hour.
    let permit = tokio::time::timeout(SECOND, waiting)
        .await
        .unwrap()
        .unwrap();
    permit.success();
    let view = port.view(NAME).unwrap();
    assert_eq!((view.state, view.waiting), (State::Closed, 0));
}
