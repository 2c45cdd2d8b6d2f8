//! Precedence and inheritance of layers.

use crate::support::{assert_opens_after, fail, logging_registry, take_events, toml};
use breakerbox::RegistryError;
use breakerbox::prelude::*;
use breakerbox::settings::Settings;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn recovery(breaker: &CircuitBreaker) -> Duration {
    breaker.config().recovery_backoff().delay(0)
}

#[test]
fn entry_overrides_inherited_presets() {
    let registry = BreakerRegistry::new();
    let settings = toml(
        r#"
        [default]
        half_open_calls = 4
        [presets.base]
        failure_threshold = 2
        recovery_timeout = "2s"
        cancelled_as = "failure"
        [presets.patient]
        inherits = "base"
        recovery_timeout = "1m 30s"
        [breakers.users]
        inherits = "patient"
        failure_threshold = 10
        "#,
    );
    registry.apply(&settings).unwrap();
    let users = registry.get("users").unwrap();
    assert_opens_after(&users, 10);
    assert_eq!(recovery(&users), 90 * SECOND);
    assert_eq!(users.config().cancelled_as(), Outcome::Failure);
    assert_eq!(
        users.config().half_open_calls(),
        4,
        "the default applies beneath the entry"
    );
    let other = registry.breaker("other");
    assert_opens_after(&other, 5);
    assert_eq!(other.config().half_open_calls(), 4);
}

#[test]
fn trip_rules_merge_as_in_builder() {
    let registry = BreakerRegistry::new();
    let settings = toml(
        r#"
        [presets.rates]
        failure_threshold = 7
        trip_when = [{ failure_rate = 0.5, over = "100 calls", minimum_calls = 20 }]
        [breakers.adds]
        inherits = "rates"
        trip_when = [{ slow_calls = 0.8, slower_than = "2s", over = "1m in 12 buckets" }]
        [breakers.changes]
        inherits = "rates"
        failure_threshold = 9
        [breakers.replaces]
        inherits = "rates"
        trip_rules = [{ failures = 3, over = "10s" }]
        "#,
    );
    registry.apply(&settings).unwrap();
    let rules = |name: &str| registry.get(name).unwrap().config().trip_rules().to_vec();
    let rate = TripRule::failure_rate(0.5)
        .over(Window::calls(100))
        .minimum_calls(20);
    let slow = TripRule::slow_calls(0.8)
        .slower_than(2 * SECOND)
        .over(Window::time(60 * SECOND).buckets(12));
    let consecutive = TripRule::consecutive_failures;
    assert_eq!(rules("adds"), [consecutive(7), rate, slow]);
    assert_eq!(rules("changes"), [rate, consecutive(9)]);
    assert_eq!(
        rules("replaces"),
        [TripRule::failures(3).over(Window::time(10 * SECOND))]
    );
    // Applying the document again does not add the rules again.
    let again = registry.apply(&settings).unwrap();
    assert!(again.is_empty(), "{again}");
    assert_eq!(rules("adds"), [consecutive(7), rate, slow]);
}

#[test]
fn longer_prefix_overrides_shorter_prefix() {
    let registry = BreakerRegistry::builder()
        .preset_for("http:", CircuitBreaker::builder().failure_threshold(3))
        .preset_for("grpc:", CircuitBreaker::builder().failure_threshold(4))
        .build()
        .unwrap();
    let settings = toml(
        r#"
        [default]
        failure_threshold = 50
        [prefixes."http:"]
        recovery_timeout = "2s"
        [prefixes."http:internal."]
        half_open_calls = 2
        [prefixes."grpc:slow."]
        recovery_timeout = "9s"
        [breakers."http:internal.users"]
        recovery_timeout = "7s"
        "#,
    );
    registry.apply(&settings).unwrap();
    let of = |name: &str| {
        let breaker = registry.breaker(name);
        let config = breaker.config();
        let rules = config.trip_rules()[0].to_string();
        (
            rules,
            recovery(&breaker).as_secs(),
            config.half_open_calls(),
        )
    };
    let rules = |failures: u32| format!("{failures} consecutive failures");
    assert_eq!(of("else"), (rules(50), 30, 1));
    assert_eq!(
        of("http:x"),
        (rules(3), 2, 1),
        "a preset from code overrides the default of the document"
    );
    assert_eq!(of("http:internal.x"), (rules(3), 2, 2));
    assert_eq!(of("http:internal.users"), (rules(3), 7, 2));
    assert_eq!(of("grpc:x"), (rules(4), 30, 1));
    assert_eq!(of("grpc:slow.x"), (rules(4), 9, 1));
}

#[test]
fn empty_prefix_matches_every_name() {
    let registry = BreakerRegistry::new();
    let settings = toml("prefixes.'' = { failure_threshold = 2 }\nprefixes.a = {}");
    registry.apply(&settings).unwrap();
    assert_opens_after(&registry.breaker("b"), 2);
    assert_opens_after(&registry.breaker("a"), 2);
}

#[test]
fn closures_from_code_survive_apply() {
    let (registry, ..) = logging_registry(BreakerRegistry::builder().preset_for(
        "http:",
        CircuitBreaker::builder().expected_error::<std::fmt::Error>(),
    ));
    let events = Arc::new(AtomicUsize::new(0));
    let counter = events.clone();
    let with_listener = CircuitBreaker::builder().on_event(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let payments = registry.register("payments", with_listener).unwrap();
    let live = registry.breaker("http:live");
    let settings = toml(
        "prefixes.'http:'.failure_threshold = 1\nbreakers.payments.failure_threshold = 1\nbreakers.'http:named'.failure_threshold = 1",
    );
    registry.apply(&settings).unwrap();
    for breaker in [
        live,
        registry.breaker("http:new"),
        registry.breaker("http:named"),
    ] {
        let _ = breaker.call(|| Err::<(), _>(std::io::Error::other("odd")));
        assert_eq!(
            breaker.state(),
            State::Closed,
            "{breaker:?}: an unexpected error"
        );
        let _ = breaker.call(|| Err::<(), _>(std::fmt::Error));
        assert_eq!(breaker.state(), State::Open, "{breaker:?}");
    }
    let before = events.load(Ordering::SeqCst);
    fail(&payments);
    assert_eq!(payments.state(), State::Open);
    assert!(events.load(Ordering::SeqCst) > before);
}

#[test]
fn later_code_lies_beneath_document() {
    let registry = BreakerRegistry::new();
    let settings = toml(
        "default.half_open_calls = 9\nbreakers.a.failure_threshold = 2\nbreakers.b.failure_threshold = 2\nbreakers.c.failure_threshold = 2",
    );
    registry.apply(&settings).unwrap();
    let code = || {
        CircuitBreaker::builder()
            .failure_threshold(7)
            .half_open_calls(3)
    };

    // `register` adopts the breaker beneath the document. A second `register` is refused.
    let a = registry.register("a", code()).unwrap();
    assert_opens_after(&a, 2);
    assert_eq!(a.config().half_open_calls(), 3);
    let again = registry.register("a", code());
    assert!(matches!(
        again,
        Err(RegistryError::AlreadyRegistered { .. })
    ));
    registry.breaker_with("a", || unreachable!("the breaker was registered"));

    // `breaker_with` uses its settings once.
    let b = registry.breaker_with("b", code);
    assert_opens_after(&b, 2);
    assert_eq!(b.config().half_open_calls(), 3);
    registry.breaker_with("b", || unreachable!("the breaker has settings from code"));

    // `configure` changes the settings beneath the document as well.
    let c = registry.configure("c", code()).unwrap();
    assert_opens_after(&c, 2);
    assert_eq!(c.config().half_open_calls(), 3);

    // Without the document, the settings from code have effect.
    registry.apply(&toml("")).unwrap();
    for breaker in [a, b, c] {
        assert_opens_after(&breaker, 7);
        assert_eq!(breaker.config().half_open_calls(), 3);
    }
}

#[test]
fn later_code_contradicting_document_is_refused() {
    let (registry, ..) = logging_registry(BreakerRegistry::builder());
    let settings = toml(
        "breakers.a = { half_open_calls = 3, success_threshold = 3 }\nbreakers.b.success_threshold = 1\nprefixes.c.half_open_calls = 2",
    );
    registry.apply(&settings).unwrap();
    // The document sets both values of `a`, so code cannot contradict it.
    let code = CircuitBreaker::builder()
        .half_open_calls(2)
        .success_threshold(2);
    registry.register("a", code.clone()).unwrap();
    registry.register("b", code).unwrap();

    let registry = BreakerRegistry::new();
    registry
        .apply(&toml("breakers.a.half_open_calls = 2"))
        .unwrap();
    let code = CircuitBreaker::builder()
        .half_open_calls(5)
        .success_threshold(4);
    let error = registry.register("a", code.clone()).unwrap_err();
    let expected =
        "breakers.a.success_threshold is 4, but must be 1 to 2 (limited by half_open_calls)";
    assert_eq!(error.to_string(), expected);
    // `breaker_with` cannot return an error: the breaker stays unchanged, and an event reports why.
    let (registry, log, _) = logging_registry(BreakerRegistry::builder());
    registry
        .apply(&toml("breakers.a.half_open_calls = 2"))
        .unwrap();
    let a = registry.breaker_with("a", || code.clone());
    assert_eq!(a.config().success_threshold(), 2);
    assert_eq!(*log.lock().unwrap(), ["a added", "a refused"]);
    // A preset from code is refused as well.
    let error: RegistryError = registry.preset_for("a", code).unwrap_err();
    assert!(
        matches!(&error, RegistryError::Config(error) if error.field() == "breakers.a.success_threshold"),
        "{error}"
    );
}

#[test]
fn later_preset_lies_beneath_document() {
    let registry = BreakerRegistry::new();
    registry
        .apply(&toml(
            "prefixes.'http:'.failure_threshold = 2\nbreakers.'http:a'.failure_threshold = 3",
        ))
        .unwrap();
    let code = CircuitBreaker::builder()
        .failure_threshold(9)
        .half_open_calls(6);
    registry.preset_for("http:", code).unwrap();
    let new = registry.breaker("http:new");
    assert_opens_after(&new, 2);
    assert_eq!(new.config().half_open_calls(), 6);
    // Live breakers do not change until settings are applied.
    let named = registry.get("http:a").unwrap();
    assert_eq!(named.config().half_open_calls(), 1);
    registry
        .apply(&toml("breakers.'http:a'.failure_threshold = 3"))
        .unwrap();
    assert_opens_after(&named, 3);
    assert_eq!(named.config().half_open_calls(), 6);
}

#[test]
fn removed_name_gets_its_entry_again() {
    let registry = BreakerRegistry::new();
    let settings = toml("breakers.a.failure_threshold = 2");
    registry.apply(&settings).unwrap();
    registry.remove("a").unwrap();
    assert_opens_after(&registry.breaker("a"), 2);
    registry.remove("a").unwrap();
    let code = CircuitBreaker::builder().half_open_calls(3);
    let a = registry.breaker_with("a", || code);
    assert_opens_after(&a, 2);
    assert_eq!(a.config().half_open_calls(), 3);
    registry.remove("a").unwrap();
    let applied = registry.apply(&settings).unwrap();
    assert_eq!(applied.created().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn later_preset_rules_apply_with_next_document() {
    let (registry, log, _) = logging_registry(BreakerRegistry::builder());
    let live = registry.breaker("http:live");
    // Returns whether each of two kinds of errors counts as a failure.
    let are_failures = || -> (bool, bool) {
        live.reset();
        let _ = live.call(|| Err::<(), _>(std::fmt::Error));
        let first = live.failure_count();
        live.reset();
        let _ = live.call(|| "x".parse::<u8>());
        (first > 0, live.failure_count() > 0)
    };
    assert_eq!(are_failures(), (true, true));
    let first = CircuitBreaker::builder().expected_error::<std::fmt::Error>();
    let second = CircuitBreaker::builder().expected_error::<std::num::ParseIntError>();
    let neither = second.clone().ignored_error::<std::num::ParseIntError>();
    for (preset, expected) in [
        (first, (true, false)),
        (second, (false, true)),
        (neither, (false, false)),
    ] {
        registry.preset_for("http:", preset).unwrap();
        take_events(&log);
        registry.apply(&toml("")).unwrap();
        assert_eq!(are_failures(), expected);
        assert!(take_events(&log).contains(&"http:live configured".to_owned()));
        registry.apply(&toml("")).unwrap();
        assert_eq!(
            take_events(&log),
            Vec::<String>::new(),
            "the error rules have not changed"
        );
    }
}

#[test]
fn document_prefix_applies_beneath_code_settings() {
    #[circuit(name = "http:expected", registry = registry, expected = std::io::Error)]
    fn expected(registry: &BreakerRegistry) -> Result<(), BreakerError> {
        Ok(())
    }
    #[circuit(name = "http:builder", registry = registry, builder = |b| b.half_open_calls(2))]
    fn adjusted(registry: &BreakerRegistry) -> Result<(), BreakerError> {
        Ok(())
    }

    let settings = toml("prefixes.'http:' = { failure_threshold = 3, recovery_timeout = '2s' }");
    let code = || CircuitBreaker::builder().half_open_calls(2);
    for apply_first in [true, false] {
        let registry = BreakerRegistry::new();
        if apply_first {
            registry.apply(&settings).unwrap();
        }
        expected(&registry).unwrap();
        adjusted(&registry).unwrap();
        registry.breaker_with("http:with", code);
        registry.register("http:registered", code()).unwrap();
        registry.configure("http:configured", code()).unwrap();
        if !apply_first {
            let applied = registry.apply(&settings).unwrap();
            assert_eq!(applied.changed().len(), 5);
        }
        assert_eq!(registry.len(), 5);
        for breaker in &registry {
            assert_opens_after(&breaker, 3);
            assert_eq!(recovery(&breaker), 2 * SECOND, "{breaker:?}");
        }
        registry.apply(&toml("")).unwrap();
        for breaker in &registry {
            assert_opens_after(&breaker, 5);
            assert_eq!(recovery(&breaker), 30 * SECOND, "{breaker:?}");
        }
    }
}

#[test]
fn configure_overridden_by_document_is_kept_and_reported() {
    let registry = BreakerRegistry::new();
    let settings = toml("breakers.a = { failure_threshold = 2 }\nprefixes.a.half_open_calls = 5");
    registry.apply(&settings).unwrap();
    let a = registry.get("a").unwrap();
    let mut events = registry.subscribe();
    let change = |code: BreakerBuilder| code.failure_threshold(20).half_open_calls(3);
    a.configure(change).unwrap();
    let line = line!() - 1;
    assert_opens_after(&a, 2);
    assert_eq!(a.config().half_open_calls(), 3, "code overrides the prefix");
    let ignored = std::iter::from_fn(|| events.try_next())
        .find(|event| matches!(event, Event::SettingsIgnored { .. }));
    let Some(Event::SettingsIgnored {
        settings,
        place,
        first,
        ..
    }) = ignored
    else {
        panic!("{ignored:?}");
    };
    assert_eq!(&*settings, "trip_rules");
    assert_eq!(*place, format!("{}:{line}", file!()));
    assert!(first.contains("breakers.a"), "{first}");
    // Without a contradiction, there is no event.
    a.configure(|code| code.cancelled_as(Outcome::Failure))
        .unwrap();
    registry
        .configure("a", CircuitBreaker::builder().failure_threshold(2))
        .unwrap();
    let mut events = std::iter::from_fn(|| events.try_next());
    assert!(!events.any(|event| matches!(event, Event::SettingsIgnored { .. })));

    // The document drops the entry.
    a.configure(change).unwrap();
    let applied = registry
        .apply(&toml("prefixes.a.half_open_calls = 5"))
        .unwrap();
    assert_eq!(applied.released().len(), 1);
    assert_opens_after(&a, 20);
    assert_eq!(a.config().half_open_calls(), 3);
    a.configure(BreakerBuilder::inherit).unwrap();
    assert_opens_after(&a, 5);
    assert_eq!(a.config().half_open_calls(), 5);
}

#[test]
fn removed_setting_falls_back_to_lower_layer() {
    let registry = BreakerRegistry::builder()
        .preset_for("a", CircuitBreaker::builder().recovery_timeout(9 * SECOND))
        .build()
        .unwrap();
    let a = registry.breaker("a");
    for (document, expected) in [
        (
            "default.recovery_timeout = '1s'\nprefixes.a.recovery_timeout = '2s'\nbreakers.a.recovery_timeout = '3s'",
            3,
        ),
        (
            "default.recovery_timeout = '1s'\nprefixes.a.recovery_timeout = '2s'\nbreakers.a = {}",
            2,
        ),
        ("default.recovery_timeout = '1s'\nprefixes.a = {}", 9),
        ("prefixes.a.recovery_timeout = '4s'", 4),
        ("", 9),
    ] {
        registry.apply(&toml(document)).unwrap();
        assert_eq!(recovery(&a), expected * SECOND, "{document}");
    }
}

#[test]
fn explanation_names_path_in_document() {
    let registry = BreakerRegistry::new();
    let settings = toml(
        r#"
        [default]
        max_trip_for = "2h"
        [presets.patient]
        recovery_timeout = "1m"
        [prefixes."http:"]
        failure_threshold = 3
        [breakers."http:users"]
        inherits = "patient"
        half_open_calls = 2
        fleet = "quorum:3"
        "#,
    );
    registry.apply(&settings).unwrap();
    let config = registry.get("http:users").unwrap().config();
    assert_eq!(config.fleet(), Some(breakerbox::fleet::Share::quorum(3)));
    let explanation = config.explain();
    for (key, value, path) in [
        ("max_trip_for", "2h", "default"),
        ("recovery", "1m", "presets.patient"),
        ("trip_rules", "3 consecutive failures", "prefixes.\"http:\""),
        ("half_open_calls", "2", "breakers.\"http:users\""),
        ("fleet", "quorum:3", "breakers.\"http:users\""),
    ] {
        let (text, layer) = explanation.get(key).unwrap();
        assert_eq!(text, value);
        assert!(layer.starts_with("document: "), "{layer}");
        assert!(layer.contains(path), "{layer}");
    }
}

#[test]
fn document_prefixes_are_bounded() {
    let document = |count: u32| {
        (0..count).fold(String::new(), |text, n| {
            format!("{text}prefixes.p{n:05}.failure_threshold = 2\n")
        })
    };
    let registry = BreakerRegistry::new();
    registry.apply(&toml(&document(10_000))).unwrap();
    assert_opens_after(&registry.breaker("p09999"), 2);
    let read = toml::from_str::<Settings>(&document(16_000));
    if let Ok(settings) = read {
        registry.apply(&settings).unwrap_err();
    }
    assert_opens_after(&registry.breaker("p00000"), 2);
}
