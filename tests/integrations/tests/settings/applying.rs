//! The effect of `apply` on live breakers: their state is kept, and documents apply completely or not at all.

use crate::support::{assert_opens_after, fail, logging_registry, take_events, toml};
use breakerbox::prelude::*;
use breakerbox::settings::{ApplyError, Change};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn applied_lists_every_change() {
    let (registry, log, _) = logging_registry(BreakerRegistry::builder());
    registry.breaker("http:a");
    registry.breaker("users");
    registry.breaker("else");
    take_events(&log);
    let first = toml(
        r#"
        [prefixes."http:"]
        failure_threshold = 2
        recovery_backoff = { first = "1s", max = "1m", jitter = 0.2 }
        [breakers.users]
        mode = "metrics_only"
        [breakers.orders]
        [breakers.payments]
        "#,
    );
    let applied = registry.apply(&first).unwrap();
    assert_eq!(
        applied.created().collect::<Vec<_>>(),
        ["orders", "payments"]
    );
    let changed: Vec<_> = applied.changed().iter().map(Change::breaker).collect();
    assert_eq!(changed, ["http:a", "users"]);
    assert_eq!(
        applied.changed()[1].settings().collect::<Vec<_>>(),
        [("mode", "enforcing", "metrics_only")]
    );
    assert_eq!(applied.unchanged(), 1);
    assert_eq!(
        applied.to_string(),
        "created \"orders\"\ncreated \"payments\"\n\
         changed \"http:a\": trip_rules: 5 consecutive failures -> 2 consecutive failures, \
         recovery: 30s -> first 1s, factor 2, max 1m, jitter 0.2\n\
         changed \"users\": mode: enforcing -> metrics_only"
    );
    assert_eq!(
        take_events(&log),
        [
            "orders added",
            "payments added",
            "http:a configured",
            "users state",
            "users configured"
        ]
    );

    let again = registry.apply(&first).unwrap();
    assert!(again.is_empty());
    assert_eq!(
        (again.unchanged(), again.to_string()),
        (5, "nothing has changed".to_owned())
    );
    assert_eq!(take_events(&log), [""; 0], "no breaker changed");

    let applied = registry.apply(&toml("breakers.orders = {}")).unwrap();
    let released: Vec<_> = applied.released().iter().map(Change::breaker).collect();
    assert_eq!(released, ["payments", "users"]);
    assert_eq!(
        applied.to_string(),
        "changed \"http:a\": trip_rules: 2 consecutive failures -> 5 consecutive failures, \
         recovery: first 1s, factor 2, max 1m, jitter 0.2 -> 30s\n\
         released \"payments\"\n\
         released \"users\": mode: metrics_only -> enforcing"
    );
    assert_eq!(
        take_events(&log),
        ["http:a configured", "users state", "users configured"]
    );
    assert_eq!(registry.breaker("users").state(), State::Closed);
}

#[test]
fn state_counts_and_deadline_stay() {
    let (registry, _, clock) = logging_registry(BreakerRegistry::builder());
    let open = registry.breaker("open");
    let counting = registry.breaker("counting");
    let forced = registry.breaker("forced");
    for _ in 0..5 {
        fail(&open);
    }
    for _ in 0..3 {
        fail(&counting);
    }
    forced.because("INC-1").force_open();
    clock.advance(10 * SECOND);
    let settings = toml(
        "default = { failure_threshold = 4, recovery_timeout = '1h' }\nbreakers.open.half_open_calls = 2",
    );
    registry.apply(&settings).unwrap();
    assert_eq!(open.state(), State::Open);
    assert_eq!(
        open.open_remaining(),
        Some(20 * SECOND),
        "the deadline does not change"
    );
    assert_eq!(open.failure_count(), 5);
    assert_eq!(open.last_failure().as_deref(), Some("\"down\""));
    assert_eq!(open.snapshot().totals.failure, 5);
    assert_eq!(counting.failure_count(), 3);
    assert_eq!(forced.state(), State::ForcedOpen);
    fail(&counting);
    assert_eq!(counting.state(), State::Open, "the lower threshold applies");
    assert_eq!(counting.open_remaining(), Some(3_600 * SECOND));
}

#[test]
fn windows_of_unchanged_size_keep_their_calls() {
    let registry = BreakerRegistry::new();
    let rate = |rate: &str| {
        toml(&format!(
            "breakers.a.trip_rules = [{{ failure_rate = {rate}, over = '10 calls', minimum_calls = 4 }}]"
        ))
    };
    registry.apply(&rate("0.9")).unwrap();
    let a = registry.get("a").unwrap();
    for _ in 0..3 {
        fail(&a);
        let _ = a.call(|| Ok::<_, ()>(()));
    }
    registry.apply(&rate("0.5")).unwrap();
    assert_eq!(a.snapshot().rules[0].recorded, 6);
    fail(&a);
    assert_eq!(a.state(), State::Open);
}

#[test]
fn default_and_prefixes_do_not_override_code() {
    let registry = BreakerRegistry::new();
    let builder = |failures| CircuitBreaker::builder().failure_threshold(failures);
    let registered = registry.register("registered", builder(11)).unwrap();
    let configured = registry.configure("configured", builder(12)).unwrap();
    let with = registry.breaker_with("with", || builder(13));
    let by_use = registry.breaker("by use");
    let by_handle = registry.breaker("by handle");
    by_handle
        .configure(|settings| settings.failure_threshold(14))
        .unwrap();
    let applied = registry
        .apply(&toml(
            "default.failure_threshold = 2\nprefixes.''.failure_threshold = 3",
        ))
        .unwrap();
    assert_eq!(applied.unchanged(), 4);
    assert_opens_after(&registered, 11);
    assert_opens_after(&configured, 12);
    assert_opens_after(&with, 13);
    assert_opens_after(&by_handle, 14);
    assert_opens_after(&by_use, 3);
    // An entry for the name overrides the settings from code while the document contains it.
    registry
        .apply(&toml(
            "breakers.registered.failure_threshold = 4\nbreakers.with.failure_threshold = 5",
        ))
        .unwrap();
    assert_opens_after(&registered, 4);
    assert_opens_after(&with, 5);
    registry.apply(&toml("")).unwrap();
    assert_opens_after(&registered, 11);
    assert_opens_after(&with, 13);
    assert_opens_after(&by_use, 5);
}

#[test]
fn entry_contradicting_code_applies_nothing() {
    let (registry, log, _) = logging_registry(BreakerRegistry::builder());
    let strict = CircuitBreaker::builder()
        .half_open_calls(5)
        .success_threshold(5);
    registry.register("strict", strict).unwrap();
    let other = registry.breaker("other");
    registry
        .apply(&toml("breakers.other.failure_threshold = 3"))
        .unwrap();
    take_events(&log);
    let settings = toml(
        r"
        [default]
        failure_threshold = 2
        [breakers.aa]
        [breakers.other]
        failure_threshold = 9
        [breakers.strict]
        half_open_calls = 2
        ",
    );
    let error = registry.apply(&settings).unwrap_err();
    assert_eq!(
        error.to_string(),
        "breakers.strict.success_threshold is 5, but must be 1 to 2 (limited by half_open_calls)"
    );
    assert!(matches!(error, ApplyError::Config(_)));
    assert_eq!(registry.len(), 2, "no breaker was created");
    assert_eq!(take_events(&log), [""; 0]);
    assert_opens_after(&other, 3);
    assert_opens_after(&registry.breaker("new"), 5);

    // The same applies to presets from code.
    let registry = BreakerRegistry::builder()
        .preset_for(
            "s",
            CircuitBreaker::builder()
                .half_open_calls(5)
                .success_threshold(5),
        )
        .build()
        .unwrap();
    for (text, path) in [
        (
            "prefixes.s.half_open_calls = 2",
            "prefixes.s.success_threshold",
        ),
        (
            "breakers.'s:1'.half_open_calls = 2",
            "breakers.\"s:1\".success_threshold",
        ),
    ] {
        let Err(ApplyError::Config(error)) = registry.apply(&toml(text)) else {
            panic!("{text}");
        };
        assert_eq!(error.field(), path);
    }
    assert!(registry.is_empty());
}

#[test]
fn full_registry_applies_nothing() {
    let (registry, log, _) = logging_registry(BreakerRegistry::builder().capacity(3));
    let held = registry.breaker("held");
    registry
        .register("lasting", CircuitBreaker::builder().failure_threshold(9))
        .unwrap();
    registry.breaker("idle");
    take_events(&log);
    let settings = toml("default.failure_threshold = 2\nbreakers = { a = {}, b = {} }");
    let error = registry.apply(&settings).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the registry has no room for 2 more breakers: its capacity is 3, and too few breakers can be evicted; raise the capacity"
    );
    assert!(matches!(
        error,
        ApplyError::Full {
            missing: 2,
            capacity: 3,
            ..
        }
    ));
    assert_eq!(
        take_events(&log),
        [""; 0],
        "the idle breaker was not evicted"
    );
    assert_opens_after(&held, 5);

    let applied = registry.apply(&toml("breakers.a = {}")).unwrap();
    assert_eq!(applied.created().count(), 1);
    assert_eq!(take_events(&log), ["idle evicted", "a added"]);
    drop(held);
    let applied = registry.apply(&settings).unwrap();
    assert_eq!(applied.created().collect::<Vec<_>>(), ["b"]);
    assert_eq!(
        take_events(&log),
        ["held evicted", "b added", "a configured"]
    );
}

#[test]
fn open_breaker_is_evicted_only_after_deadline() {
    let (registry, _, clock) = logging_registry(BreakerRegistry::builder().capacity(2));
    for name in ["x", "y"] {
        registry.breaker(name).trip();
    }
    let settings = toml("breakers = { a = {}, b = {} }");
    assert!(registry.apply(&settings).is_err());
    assert_eq!(registry.open_breakers().len(), 2);
    clock.advance(31 * SECOND);
    let applied = registry.apply(&settings).unwrap();
    assert_eq!(applied.created().count(), 2);
}

#[test]
fn names_in_document_are_not_evicted() {
    let registry = BreakerRegistry::builder().capacity(20).build().unwrap();
    registry.breaker("b");
    registry
        .apply(&toml("breakers = { a = {}, b = {} }"))
        .unwrap();
    let flood = |times: u32| {
        for n in 0..times {
            registry.breaker(format!("x{n}"));
        }
    };
    flood(200);
    assert!(registry.get("a").is_some() && registry.get("b").is_some());
    // This includes a breaker that was removed and created again by a lookup.
    registry.remove("a").unwrap();
    registry.breaker("a");
    flood(200);
    assert!(registry.get("a").is_some());
    registry.apply(&toml("")).unwrap();
    assert!(
        registry.get("a").is_some(),
        "the breaker stays until it is evicted"
    );
    flood(200);
    assert!(registry.get("a").is_none() && registry.get("b").is_none());
    // Reloads with new names do not fill the registry.
    for n in 0..100 {
        registry
            .apply(&toml(&format!("breakers.y{n} = {{}}")))
            .unwrap();
    }
    assert!(registry.len() <= 20);
}

#[test]
fn registered_name_outlives_its_document_entry() {
    let registry = BreakerRegistry::builder().capacity(5).build().unwrap();
    registry.apply(&toml("breakers.a = {}")).unwrap();
    registry.register("a", CircuitBreaker::builder()).unwrap();
    registry.apply(&toml("")).unwrap();
    for n in 0..50 {
        registry.breaker(format!("x{n}"));
    }
    assert!(registry.get("a").is_some());
}

#[test]
fn calls_by_name_use_applied_settings() {
    let registry = BreakerRegistry::new();
    let call = || {
        let work = || Err::<(), _>("down");
        work.with_breaker(&registry, "users")
            .call()
            .unwrap_err()
            .is_open()
    };
    assert!(!call());
    registry
        .apply(&toml("breakers.users.failure_threshold = 2"))
        .unwrap();
    assert!(!call());
    assert!(
        call(),
        "the second failure opened the circuit, not the fifth"
    );
}

#[test]
fn listener_may_apply_settings() {
    let registry = BreakerRegistry::builder();
    let cell = std::sync::Arc::new(std::sync::OnceLock::<BreakerRegistry>::new());
    let inner = cell.clone();
    let registry = registry
        .on_event(move |event| {
            if let (Event::Configured { .. }, Some(registry)) = (event, inner.get()) {
                let _ = registry.apply(&toml("default.failure_threshold = 3"));
            }
        })
        .build()
        .unwrap();
    let _ = cell.set(registry.clone());
    let users = registry.breaker("users");
    let _ = registry
        .apply(&toml("default.failure_threshold = 2"))
        .unwrap();
    assert_opens_after(&users, 3);
    assert_opens_after(&registry.breaker("new"), 3);
}

#[test]
fn room_is_found_among_many_held_breakers() {
    let registry = BreakerRegistry::builder().capacity(384).build().unwrap();
    let held: Vec<_> = (0..300)
        .map(|name| registry.breaker(name.to_string()))
        .collect();
    (300..384).for_each(|name| drop(registry.breaker(name.to_string())));
    let names: Vec<_> = (0..50)
        .map(|name| format!("breakers.new{name} = {{}}"))
        .collect();
    let applied = registry.apply(&toml(&names.join("\n"))).unwrap();
    assert_eq!(applied.created().count(), 50);
    assert_eq!(registry.len(), 384);
    for breaker in &held {
        assert!(registry.get(breaker.name()).is_some());
    }
}
