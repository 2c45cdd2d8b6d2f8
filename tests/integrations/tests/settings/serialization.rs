//! Serialized snapshots, configurations and events. Dashboards depend on every field.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn as_json(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn snapshot_serializes_every_field() {
    let clock = ManualClock::new();
    let users = CircuitBreaker::builder()
        .name("users-api")
        .failure_threshold(2)
        .trip_when(TripRule::failure_rate(0.5).over(Window::calls(100)))
        .clock(clock.clone())
        .build()
        .unwrap();
    let _ = users.call(|| Ok::<_, ()>(()));
    for _ in 0..2 {
        let _ = users.call(|| Err::<(), _>("down"));
    }
    clock.advance(Duration::from_millis(2_500));
    let totals = json!({
        "success": 1, "failure": 2, "ignored": 0, "cancelled": 0, "late": 0, "refused": 0,
        "joined": 0, "outlived": 0, "timed_out": 0, "slow": 0, "would_trip": 0,
    });
    let expected = json!({
        "name": "users-api",
        "state": "open",
        "since_seconds": 2.5,
        "cause": {
            "type": "rule",
            "figures": {
                "rule": {"consecutive_failures": 2},
                "recorded": 2, "failed": 2, "slow": 0, "rate": null,
            },
        },
        "failure_count": 2,
        "last_failure": "\"down\"",
        "open_remaining_seconds": 27.5,
        "attempt": 0,
        "ramp_up_share": null,
        "totals": totals,
        "in_flight": null,
        "rules": [
            {"rule": {"consecutive_failures": 2}, "recorded": 2, "failed": 2, "slow": 0, "rate": null},
            {
                "rule": {"failure_rate": 0.5, "over": "100 calls"},
                "recorded": 0, "failed": 0, "slow": 0, "rate": null,
            },
        ],
    });
    assert_eq!(as_json(users.snapshot()), expected);
    // TOML cannot represent `None`, so it is omitted.
    assert!(
        toml::to_string(&users.snapshot())
            .unwrap()
            .contains("since_seconds = 2.5")
    );
}

#[test]
fn config_serializes_all_settings_and_builder_its_own() {
    let builder = CircuitBreaker::builder()
        .failure_threshold(3)
        .clock(ManualClock::new());
    assert_eq!(as_json(&builder), json!({"failure_threshold": 3}));
    let plain = CircuitBreaker::builder().build().unwrap();
    let expected = json!({
        "recovery_timeout": "30s",
        "max_trip_for": "1h",
        "half_open_calls": 1,
        "unexpected_errors_as": "success",
        "cancelled_as": "ignored",
        "mode": "enforcing",
        "count_successes": true,
        "capture_last_failure": true,
        "trip_rules": [{"consecutive_failures": 5}],
    });
    assert_eq!(as_json(&*plain.config()), expected);
}

struct RecordingRegistry {
    registry: BreakerRegistry,
    clock: ManualClock,
    log: Arc<Mutex<Vec<Value>>>,
}

impl RecordingRegistry {
    fn new() -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let writer = log.clone();
        let clock = ManualClock::new();
        let registry = BreakerRegistry::builder()
            .clock(clock.clone())
            .capacity(2)
            .on_event(move |event: &Event| writer.lock().unwrap().push(as_json(event)))
            .build()
            .unwrap();
        Self {
            registry,
            clock,
            log,
        }
    }

    fn take_events(&self) -> Vec<Value> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

#[test]
fn call_events_serialize_every_field() {
    let events = RecordingRegistry::new();
    let (registry, clock) = (&events.registry, &events.clock);
    let take = || events.take_events();

    let a = registry
        .register("a", CircuitBreaker::builder().failure_threshold(1))
        .unwrap();
    assert_eq!(take(), [json!({"type": "breaker_added", "breaker": "a"})]);
    let _ = a.call(|| Err::<(), _>("down"));
    let figures = json!({
        "rule": {"consecutive_failures": 1},
        "recorded": 1, "failed": 1, "slow": 0, "rate": null,
    });
    let changed = |from: &str, to: &str, cause: Value| {
        // The recovery timeout, unless the call requested another time.
        let time = cause["for_seconds"].as_f64().unwrap_or(30.0);
        let retry_after = (to == "open").then_some(time);
        json!({"type": "state_changed", "breaker": "a", "from": from, "to": to, "cause": cause, "retry_after_seconds": retry_after})
    };
    let recorded = |outcome: &str, requested: Value| json!({"type": "recorded", "breaker": "a", "outcome": outcome, "trip_for_seconds": requested, "elapsed_seconds": null});
    let events = take();
    assert!(
        events.contains(&changed(
            "closed",
            "open",
            json!({"type": "rule", "figures": figures})
        )),
        "{events:?}"
    );
    assert!(
        events.contains(&recorded("failure", Value::Null)),
        "{events:?}"
    );

    let _ = a.call(|| Ok::<_, ()>(()));
    assert_eq!(
        take(),
        [json!({"type": "refused", "breaker": "a", "reason": "open", "retry_after_seconds": 30.0})]
    );
    clock.advance(Duration::from_secs(30));
    a.try_acquire()
        .unwrap()
        .record(Outcome::TripFor(Duration::from_secs(90)));
    let events = take();
    assert!(
        events.contains(&changed("open", "half_open", json!({"type": "recovering"}))),
        "{events:?}"
    );
    assert!(
        events.contains(&changed(
            "half_open",
            "open",
            json!({"type": "asked", "for_seconds": 90.0})
        )),
        "{events:?}"
    );
    assert!(
        events.contains(&recorded("trip_for", json!(90.0))),
        "{events:?}"
    );
    clock.advance(Duration::from_secs(90));
    a.try_acquire().unwrap().failure();
    let events = take();
    assert!(
        events.contains(&changed(
            "half_open",
            "open",
            json!({"type": "trial_failed"})
        )),
        "{events:?}"
    );
    clock.advance(Duration::from_secs(3_600));
    a.try_acquire().unwrap().success();
    let events = take();
    assert!(
        events.contains(&changed(
            "half_open",
            "closed",
            json!({"type": "trials_succeeded"})
        )),
        "{events:?}"
    );
}

#[test]
fn ramp_up_and_nested_calls_serialize_every_field() {
    let events = RecordingRegistry::new();
    let settings = CircuitBreaker::builder().ramp_up(Duration::from_secs(20));
    let a = events.registry.register("a", settings).unwrap();
    a.half_open();
    events.take_events();
    let nested = || a.call(|| Ok::<_, &str>(())).map_err(|_| "refused");
    a.call(nested).unwrap();
    let seen = events.take_events();
    assert_eq!(seen[0], json!({"type": "joined", "breaker": "a"}));
    assert_eq!(as_json(a.snapshot())["totals"]["joined"], 1);

    events.clock.advance(Duration::from_secs(5));
    assert_eq!(as_json(a.snapshot())["ramp_up_share"], 0.325);
    a.try_acquire().unwrap().success();
    let _ = a.try_acquire();
    let expected = [
        json!({"type": "ramping_up", "breaker": "a", "share": 0.325}),
        json!({"type": "recorded", "breaker": "a", "outcome": "success", "trip_for_seconds": null, "elapsed_seconds": null}),
        json!({"type": "refused", "breaker": "a", "reason": "ramping_up", "retry_after_seconds": 1.0}),
    ];
    assert_eq!(events.take_events(), expected);
}

#[test]
fn command_and_settings_events_serialize_every_field() {
    let events = RecordingRegistry::new();
    let take = || events.take_events();
    let once = CircuitBreaker::builder().failure_threshold(1);
    let a = events.registry.register("a", once).unwrap();
    take();
    let figures = json!({
        "rule": {"consecutive_failures": 1},
        "recorded": 1, "failed": 1, "slow": 0, "rate": null,
    });
    let changed = |from: &str, to: &str, cause: Value| {
        // The recovery timeout, unless the call requested another time.
        let time = cause["for_seconds"].as_f64().unwrap_or(30.0);
        let retry_after = (to == "open").then_some(time);
        json!({"type": "state_changed", "breaker": "a", "from": from, "to": to, "cause": cause, "retry_after_seconds": retry_after})
    };
    a.because("INC-1").by("alice").force_open();
    assert_eq!(
        take(),
        [changed(
            "closed",
            "forced_open",
            json!({"type": "manual", "reason": "INC-1", "actor": "alice"})
        )]
    );
    let _ = a.try_acquire();
    assert_eq!(
        take(),
        [
            json!({"type": "refused", "breaker": "a", "reason": "forced", "retry_after_seconds": null})
        ]
    );
    a.reset();
    assert_eq!(
        take(),
        [changed(
            "forced_open",
            "closed",
            json!({"type": "manual", "reason": null, "actor": null})
        )]
    );
    a.configure(|settings| settings.mode(Mode::MetricsOnly))
        .unwrap();
    assert_eq!(
        take(),
        [
            changed("closed", "metrics_only", json!({"type": "configured"})),
            json!({"type": "configured", "breaker": "a"}),
        ]
    );
    let _ = a.call(|| Err::<(), _>("down"));
    let events = take();
    assert!(
        events.contains(&json!({"type": "would_trip", "breaker": "a", "cause": {"type": "rule", "figures": figures}})),
        "{events:?}"
    );
}

#[test]
fn registry_events_serialize_every_field() {
    let events = RecordingRegistry::new();
    let registry = &events.registry;
    let take = || events.take_events();
    let a = registry.register("a", CircuitBreaker::builder()).unwrap();
    take();
    registry.breaker_with("b", || CircuitBreaker::builder().half_open_calls(0));
    let error = json!({"field": "half_open_calls", "value": "0", "allowed": "1 to 1000"});
    assert_eq!(
        take()[1],
        json!({"type": "settings_refused", "breaker": "b", "error": error})
    );
    registry.breaker("c");
    assert_eq!(
        take(),
        [
            json!({"type": "breaker_evicted", "breaker": "b"}),
            json!({"type": "breaker_added", "breaker": "c"}),
        ]
    );
    registry.register("c", CircuitBreaker::builder()).unwrap();
    assert!(take().contains(&json!({"type": "breaker_adopted", "breaker": "c"})));
    registry.breaker("d");
    assert_eq!(
        take(),
        [json!({"type": "not_kept", "breaker": "d", "reason": "no_room"})]
    );
    registry.remove("c");
    assert_eq!(take(), [json!({"type": "breaker_removed", "breaker": "c"})]);
    for _ in 0..5 {
        drop(a.try_acquire().unwrap());
    }
    assert!(take().contains(&json!({"type": "cancelled_in_a_row", "breaker": "a", "calls": 5})));
}

#[test]
fn bug_events_serialize_every_field() {
    let plain = CircuitBreaker::builder()
        .name("a")
        .expected_error::<std::fmt::Error>()
        .on_event(|_| panic!("deliberate panic"))
        .build()
        .unwrap();
    let mut events = plain.subscribe();
    let _ = plain.call(|| Err::<(), _>("down"));
    let mut seen = Vec::new();
    while let Some(event) = events.try_next() {
        seen.push(as_json(event));
    }
    let unknown = json!({"type": "unknown_error_type", "breaker": "a", "error_type": "&str"});
    let panicked =
        json!({"type": "listener_panicked", "breaker": "a", "message": "deliberate panic"});
    assert!(
        seen.contains(&unknown) && seen.contains(&panicked),
        "{seen:?}"
    );
    for _ in 0..100_000 {
        let _ = plain.call(|| Ok::<_, ()>(()));
    }
    let missed = std::iter::from_fn(|| events.try_next())
        .map(as_json)
        .find(|event| event["type"] == "missed");
    assert!(missed.unwrap()["events"].as_u64() > Some(0));
}

/// Collects the numbers of all fields whose name ends in `_seconds`.
fn seconds_in(value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                if key.ends_with("_seconds") && field.is_number() {
                    found.push((key.clone(), field.to_string()));
                }
                seconds_in(field, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| seconds_in(item, found)),
        _ => {}
    }
}

/// A time such as 4.512789792 s has no short decimal fraction, so it shows whether it was rounded.
#[test]
fn seconds_have_at_most_six_decimals() {
    const ODD: Duration = Duration::from_nanos(4_512_789_792);
    let clock = ManualClock::new();
    let slow = TripRule::slow_calls(1.0).slower_than(1_000 * ODD);
    let slow = slow.over(Window::calls(10)).minimum_calls(10);
    let default = CircuitBreaker::builder()
        .trial_timeout(3 * ODD)
        .trip_when(slow);
    let registry = BreakerRegistry::builder().default_preset(default);
    let registry = registry.clock(clock.clone()).build().unwrap();
    let users = registry.breaker("users");
    let mut events = users.subscribe();
    let hinted = users.try_acquire().unwrap();
    clock.advance(ODD);
    hinted.record(Outcome::TripFor(3 * ODD));
    clock.advance(ODD);
    assert!(users.try_acquire().is_err());
    let mut seen = vec![
        as_json(users.snapshot()),
        as_json(registry.health(&["users"])),
    ];
    users.half_open();
    let hung = users.try_acquire().unwrap();
    clock.advance(3 * ODD);
    users.try_acquire().unwrap().success();
    drop(hung);
    seen.extend(std::iter::from_fn(|| events.try_next()).map(as_json));
    let mut found = Vec::new();
    for value in &seen {
        seconds_in(value, &mut found);
    }
    let keys: BTreeSet<_> = found.iter().map(|(key, _)| key.as_str()).collect();
    let expected = [
        "elapsed_seconds",
        "for_seconds",
        "lease_seconds",
        "open_remaining_seconds",
        "retry_after_seconds",
        "since_seconds",
        "trip_for_seconds",
    ];
    assert_eq!(keys, BTreeSet::from(expected), "{seen:#?}");
    for (key, number) in &found {
        let decimals = number
            .split_once('.')
            .map_or(0, |(_, decimals)| decimals.len());
        assert!(decimals <= 6, "{key}: {number}");
    }
}
