//! An order applies only to the circuit that was seen.

use crate::support::*;

/// Gives an order with `mark`, which must be stale.
fn assert_stale(fixture: &Fixture, mark: Mark, order: Order) {
    let before = fixture.view();
    assert_ne!(before.mark, mark);
    let result = fixture.port.apply(NAME, mark, order, fleet_cause());
    assert_eq!(result, Err(NotApplied::Changed(Box::new(before.clone()))));
    assert_eq!(fixture.view(), before);
}

#[test]
fn mark_stays_while_nothing_changes() {
    let fixture = Fixture::new();
    let mark = fixture.view().mark;
    succeed(&fixture.breaker);
    fail(&fixture.breaker);
    fixture.clock.advance(SECOND);
    assert_eq!(fixture.view().mark, mark);
    fixture.breaker.trip();
    let mark = fixture.view().mark;
    assert!(fixture.breaker.try_acquire().is_err());
    fixture.clock.advance(RECOVERY);
    assert_eq!(fixture.view().state, State::HalfOpen);
    assert_eq!(fixture.view().mark, mark, "time alone changes no mark");
}

#[test]
fn transition_changes_mark() {
    let fixture = Fixture::new();
    let mark = fixture.view().mark;
    fixture.breaker.trip();
    assert_stale(&fixture, mark, Order::Close);
    let open = fixture.view().mark;
    fixture.breaker.reset();
    assert_stale(&fixture, open, Order::OpenFor(SECOND, 0));
    assert_stale(&fixture, mark, Order::OpenFor(SECOND, 0));
}

#[test]
fn reset_of_closed_circuit_changes_mark() {
    let fixture = Fixture::new();
    let mark = fixture.view().mark;
    fixture.breaker.reset();
    assert_stale(&fixture, mark, Order::OpenFor(SECOND, 0));
}

#[test]
fn extend_changes_mark() {
    let fixture = Fixture::new();
    fixture.breaker.trip();
    let mark = fixture.view().mark;
    let extended = fixture.order(Order::Extend(SECOND)).unwrap();
    assert_stale(&fixture, mark, Order::Extend(2 * SECOND));
    fixture
        .port
        .apply(NAME, extended, Order::Extend(3 * SECOND), fleet_cause())
        .unwrap();
    assert_eq!(fixture.breaker.open_remaining(), Some(3 * SECOND));
}

#[test]
fn hint_changes_mark() {
    let fixture = Fixture::new();
    let late = fixture.breaker.try_acquire().unwrap();
    fixture.breaker.trip();
    // The cause of a rule would be the usual case; a silent command behaves the same.
    let mark = fixture.view().mark;
    late.record(Outcome::TripFor(90 * SECOND));
    assert_stale(&fixture, mark, Order::Extend(SECOND));
    assert_eq!(fixture.view().asked_for, Some(90 * SECOND));
}

#[test]
fn command_that_takes_over_changes_mark() {
    let fixture = Fixture::with(CircuitBreaker::builder().failure_threshold(1));
    fail(&fixture.breaker);
    let mark = fixture.view().mark;
    fixture.breaker.trip();
    assert_eq!(fixture.view().mark, mark, "a command without a reason");
    fixture.breaker.because("INC-1").trip();
    assert_stale(&fixture, mark, Order::Try);
    assert_eq!(fixture.view().why, Some(CauseKind::Manual));
}

#[test]
fn successor_never_has_mark_of_predecessor() {
    let fixture = Fixture::new();
    let mark = fixture.view().mark;
    fixture.registry.remove(NAME);
    let unknown = fixture
        .port
        .apply(NAME, mark, Order::OpenFor(SECOND, 0), fleet_cause());
    assert_eq!(unknown, Err(NotApplied::Unknown));
    let successor = fixture.registry.breaker(NAME);
    assert_stale(&fixture, mark, Order::OpenFor(SECOND, 0));
    assert_eq!(successor.state(), State::Closed);
    assert_eq!(fixture.breaker.state(), State::Closed, "the removed one");
}

#[test]
fn not_applied_describes_itself() {
    let fixture = Fixture::new();
    let mark = fixture.view().mark;
    let rejected = fixture.order(Order::Try).unwrap_err();
    assert_eq!(
        rejected.to_string(),
        "a circuit that is closed takes no such order"
    );
    assert_eq!(rejected.view(), Some(&fixture.view()));
    fixture.breaker.trip();
    let changed = fixture.port.apply(NAME, mark, Order::Close, fleet_cause());
    let changed = changed.unwrap_err();
    assert_eq!(changed.to_string(), "the circuit has changed, and is open");
    let unknown = fixture.port.apply("no", mark, Order::Close, fleet_cause());
    let unknown = unknown.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "the registry has no breaker of this name"
    );
    assert_eq!(unknown.view(), None);
}
