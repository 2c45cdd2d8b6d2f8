//! How an order shows in texts, events and errors.

use crate::support::*;

const ALL: [(CauseKind, &str, &str); 10] = [
    (
        CauseKind::Consecutive,
        "consecutive",
        "opened by the fleet: a, consecutive failures",
    ),
    (
        CauseKind::Failures,
        "failures",
        "opened by the fleet: a, number of failures",
    ),
    (
        CauseKind::FailureRate,
        "rate",
        "opened by the fleet: a, failure rate",
    ),
    (
        CauseKind::SlowCalls,
        "slow",
        "opened by the fleet: a, slow calls",
    ),
    (
        CauseKind::TrialFailed,
        "trial",
        "opened by the fleet: a, a trial failed",
    ),
    (
        CauseKind::Asked,
        "asked",
        "opened by the fleet: a, a call asked for it",
    ),
    (
        CauseKind::Manual,
        "manual",
        "changed by the fleet: a, a command",
    ),
    (
        CauseKind::TrialsSucceeded,
        "recovered",
        "closed by the fleet: a, enough trials succeeded",
    ),
    (
        CauseKind::Recovering,
        "recovering",
        "half-opened by the fleet: a, its turn to try",
    ),
    (
        CauseKind::Configured,
        "configured",
        "changed by the fleet: a, new settings",
    ),
];

#[test]
fn codes_and_texts_are_stable() {
    for (kind, code, text) in ALL {
        assert_eq!(kind.code(), code);
        assert_eq!(CauseKind::from_code(code), Some(kind));
        let cause = Cause::fleet("a", kind);
        assert_eq!(cause.to_string(), text);
        assert_eq!(cause.kind(), kind);
    }
    assert_eq!(CauseKind::from_code(""), None);
    assert_eq!(CauseKind::from_code("RATE"), None);
}

#[test]
fn node_is_escaped_and_cut() {
    let cause = Cause::fleet("a\nb\u{1b}[2J", CauseKind::Asked);
    assert_eq!(
        cause.to_string(),
        "opened by the fleet: a\\nb\\u{1b}[2J, a call asked for it"
    );
    let Cause::Fleet { node, .. } = Cause::fleet("ä".repeat(200), CauseKind::Asked) else {
        unreachable!("a cause of the fleet")
    };
    assert_eq!(node.len(), 256);
}

#[test]
fn refusal_names_fleet_in_alternate_form() {
    let fixture = Fixture::new();
    fixture.order(Order::OpenFor(SECOND, 0)).unwrap();
    let refusal = fixture.breaker.try_acquire().unwrap_err();
    let plain = "circuit \"users\" is open for another 1.0s";
    assert_eq!(refusal.to_string(), plain);
    let fleet = "opened by the fleet: web-7, failure rate";
    assert_eq!(format!("{refusal:#}"), format!("{plain} ({fleet})"));
    // The text of a later state is not that of this refusal.
    fixture.breaker.reset();
    assert_eq!(format!("{refusal:#}"), plain);

    fail(&fixture.breaker);
    fixture.order(Order::OpenFor(SECOND, 0)).unwrap();
    let refusal = fixture.breaker.try_acquire().unwrap_err();
    assert_eq!(
        format!("{refusal:#}"),
        format!("{plain} ({fleet}, last: \"down\")")
    );
}

#[test]
fn snapshot_and_event_name_fleet() {
    let fixture = Fixture::new();
    let mut events = fixture.registry.subscribe_changes();
    fixture.order(Order::OpenFor(SECOND, 0)).unwrap();
    let snapshot = fixture.breaker.snapshot().to_string();
    assert!(
        snapshot.contains("\n  because   opened by the fleet: web-7, failure rate\n"),
        "{snapshot}"
    );
    assert!(matches!(
        events.try_next(),
        Some(Event::StateChanged { cause, retry_after: Some(SECOND), .. })
            if cause == fleet_cause()
    ));
}

#[cfg(feature = "serde")]
#[test]
fn cause_is_serialized() {
    let cause = serde_json::to_value(fleet_cause()).unwrap();
    let expected = serde_json::json!({ "type": "fleet", "node": "web-7", "why": "rate" });
    assert_eq!(cause, expected);
}

fn assert_plain<T: Send + Sync + Unpin + 'static>() {}
fn assert_unwind_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}

#[test]
fn types_of_port_are_plain() {
    assert_plain::<(
        Port,
        View,
        Mark,
        Order,
        Change,
        NotApplied,
        CauseKind,
        Cause,
    )>();
    assert_unwind_safe::<(Port, View, Mark, Order, Change, NotApplied, CauseKind)>();
}
