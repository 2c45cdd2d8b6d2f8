//! Layers of settings from code: precedence, merging, and errors.
#![cfg(all(not(loom), feature = "macros"))]

use breakerbox::prelude::*;
use breakerbox::{BreakerConfig, RegistryError};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

type CallResult = Result<(), BreakerError>;

/// Builds a registry, and returns it with a log of its warnings about settings.
fn recording(builder: RegistryBuilder) -> (BreakerRegistry, Arc<Mutex<Vec<Event>>>) {
    let warnings = Arc::default();
    let seen: Arc<Mutex<Vec<Event>>> = Arc::clone(&warnings);
    let registry = builder
        .on_event(move |event| {
            if matches!(
                event,
                Event::SettingsIgnored { .. } | Event::SettingsRefused { .. }
            ) {
                seen.lock().unwrap().push(event.clone());
            }
        })
        .build()
        .unwrap();
    (registry, warnings)
}

fn builder() -> BreakerBuilder {
    CircuitBreaker::builder()
}

/// Returns the rules as text, and the recovery timeout.
fn rules_and_recovery(config: &BreakerConfig) -> (String, Duration) {
    let rules: Vec<_> = config
        .trip_rules()
        .iter()
        .map(ToString::to_string)
        .collect();
    (rules.join("; "), config.recovery_backoff().delay(0))
}

#[test]
fn prefix_preset_applies_below_own_settings() {
    struct Http;
    impl Preset for Http {
        const FAILURE_THRESHOLD: u32 = 3;
        const RECOVERY_TIMEOUT: Duration = Duration::from_secs(2);
    }
    #[circuit(name = "http:expected", registry = registry, expected = io::Error)]
    fn expected(registry: &BreakerRegistry) -> CallResult {
        Ok(())
    }
    #[circuit(name = "http:builder", registry = registry, builder = |b| b.half_open_calls(2))]
    fn adjusted(registry: &BreakerRegistry) -> CallResult {
        Ok(())
    }

    let registry = BreakerRegistry::builder()
        .preset_for("http:", Http::preset())
        .build()
        .unwrap();
    expected(&registry).unwrap();
    adjusted(&registry).unwrap();
    registry.breaker_with("http:with", || builder().half_open_calls(2));
    registry
        .register("http:registered", builder().half_open_calls(2))
        .unwrap();
    registry
        .configure("http:configured", builder().half_open_calls(2))
        .unwrap();
    for breaker in &registry {
        let settings = rules_and_recovery(&breaker.config());
        assert_eq!(
            settings,
            ("3 consecutive failures".to_owned(), 2 * SECOND),
            "{breaker:?}"
        );
    }
    assert_eq!(registry.len(), 5);
    assert_eq!(
        registry.breaker("http:builder").config().half_open_calls(),
        2
    );
    let expected = registry.breaker("http:expected");
    let _ = expected.call(|| Err::<(), _>(fmt::Error));
    assert_eq!(expected.failure_count(), 0, "not an expected error");
}

#[test]
fn longer_prefix_overrides_shorter_prefix() {
    let registry = BreakerRegistry::builder()
        .default_preset(builder().half_open_calls(4).success_threshold(1))
        .preset_for("http:eu.", builder().recovery_timeout(7 * SECOND))
        .preset_for(
            "http:",
            builder().failure_threshold(3).recovery_timeout(2 * SECOND),
        )
        .preset_for("httq", builder().failure_threshold(99))
        .build()
        .unwrap();
    let settings_of = |name: &str| {
        let config = registry.breaker(name).config();
        (rules_and_recovery(&config), config.half_open_calls())
    };
    let three = "3 consecutive failures".to_owned();
    assert_eq!(
        settings_of("http:eu.users"),
        ((three.clone(), 7 * SECOND), 4)
    );
    assert_eq!(
        settings_of("http:us.users"),
        ((three.clone(), 2 * SECOND), 4)
    );
    assert_eq!(settings_of("http:eu"), ((three, 2 * SECOND), 4));
    assert_eq!(
        settings_of("http"),
        (("5 consecutive failures".to_owned(), 30 * SECOND), 4)
    );
}

#[test]
fn preset_sets_threshold_and_only_changed_timeout() {
    struct Plain;
    impl Preset for Plain {}
    let registry = BreakerRegistry::builder()
        .default_preset(builder().failure_threshold(9).recovery_timeout(9 * SECOND))
        .preset_for("plain", Plain::preset())
        .build()
        .unwrap();
    let config = registry.breaker("plain").config();
    let expected = ("5 consecutive failures".to_owned(), 9 * SECOND);
    assert_eq!(rules_and_recovery(&config), expected);
}

#[test]
fn error_rules_of_layers_accumulate_until_reset() {
    #[derive(Debug, thiserror::Error)]
    #[error("odd")]
    struct Odd;

    let registry = BreakerRegistry::builder()
        .default_preset(builder().expected_error::<io::Error>())
        .preset_for("a", builder().expected_error::<fmt::Error>())
        .preset_for(
            "ab",
            builder().own_error_rules().ignored_error::<io::Error>(),
        )
        .build()
        .unwrap();
    let classify = |breaker: &CircuitBreaker| {
        let mut failures = Vec::new();
        for call in [
            &|| Err::<(), Box<dyn std::error::Error + Send + Sync>>(io::Error::other("x").into()),
            &(|| Err(fmt::Error.into())) as &dyn Fn() -> Result<(), _>,
            &|| Err(Odd.into()),
        ] {
            breaker.reset();
            let _ = breaker.call(call);
            failures.push(breaker.failure_count() > 0);
        }
        failures
    };
    assert_eq!(classify(&registry.breaker("a")), [true, true, false]);
    assert_eq!(
        classify(&registry.breaker("ab")),
        [false, true, true],
        "all errors except the ignored type"
    );
    let abc = registry.breaker_with("abc", || builder().expected_error::<Odd>());
    assert_eq!(classify(&abc), [false, false, true]);
    abc.configure(|code| code.inherit().own_error_rules())
        .unwrap();
    assert_eq!(classify(&abc), [true, true, true]);
}

#[test]
fn listeners_of_all_layers_receive_events() {
    let events: Arc<Mutex<Vec<&str>>> = Arc::default();
    let recording_layer = |layer: &'static str| {
        let events = events.clone();
        builder().on_event(move |_| events.lock().unwrap().push(layer))
    };
    let registry = BreakerRegistry::builder()
        .default_preset(recording_layer("default"))
        .preset_for("a", recording_layer("prefix"))
        .build()
        .unwrap();
    let a = registry.register("a", recording_layer("register")).unwrap();
    a.trip();
    assert_eq!(*events.lock().unwrap(), ["default", "prefix", "register"]);
    let config = a.config();
    let explanation = config.explain();
    let layers = explanation
        .settings()
        .filter(|(key, ..)| *key == "on_event");
    let layers: Vec<_> = layers
        .map(|(.., layer)| layer.split(" at ").next().unwrap())
        .collect();
    assert_eq!(layers, ["default_preset", "preset_for(\"a\")", "register"]);
}

#[test]
fn invalid_layer_is_ignored_and_reported() {
    #[circuit(name = "a", registry = registry, failure_threshold = 2, success_threshold = COUNT)]
    fn site(registry: &BreakerRegistry) -> CallResult {
        Ok(())
    }
    const COUNT: u32 = 3;

    let (registry, warnings) = recording(BreakerRegistry::builder());
    let a = registry.breaker("a");
    site(&registry).unwrap();
    site(&registry).unwrap();
    let b = registry.breaker_with("b", || builder().failure_threshold(2).success_threshold(3));
    for breaker in [a, b] {
        let (rules, _) = rules_and_recovery(&breaker.config());
        assert_eq!(
            rules, "5 consecutive failures",
            "the whole layer is ignored"
        );
    }
    let refused: Vec<_> = std::mem::take(&mut *warnings.lock().unwrap());
    assert_eq!(refused.len(), 2);
    for event in refused {
        let Event::SettingsRefused { error, .. } = event else {
            panic!("{event:?}");
        };
        let expected = "success_threshold is 3, but must be 1 to 1 (limited by half_open_calls)";
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn invalid_layer_returns_error_and_changes_nothing() {
    let (registry, warnings) =
        recording(BreakerRegistry::builder().preset_for("a", builder().half_open_calls(2)));
    let ab = registry.breaker_with("ab", || builder().success_threshold(2));
    let one_trial = || builder().failure_threshold(9).half_open_calls(1);
    let expected = "success_threshold is 2, but must be 1 to 1 (limited by half_open_calls)";
    assert_eq!(
        registry
            .register("ab", one_trial())
            .unwrap_err()
            .to_string(),
        expected
    );
    assert_eq!(
        registry
            .configure("ab", one_trial())
            .unwrap_err()
            .to_string(),
        expected
    );
    let error = ab.configure(|code| code.half_open_calls(1)).unwrap_err();
    assert_eq!(error.to_string(), expected);
    let (rules, _) = rules_and_recovery(&ab.config());
    assert_eq!(rules, "5 consecutive failures");
    registry
        .register("ab", builder().half_open_calls(3))
        .expect("the name is not registered yet");

    let error = registry
        .preset_for("a", builder().success_threshold(2))
        .unwrap_err();
    let expected =
        "preset_for(\"a\").success_threshold is 2, but must be 1 to 1 (limited by half_open_calls)";
    assert_eq!(error.to_string(), expected);
    let preset = builder().success_threshold(3);
    let error = BreakerRegistry::builder()
        .default_preset(preset)
        .build()
        .unwrap_err();
    assert_eq!(error.field(), "default_preset.success_threshold");
    assert!(warnings.lock().unwrap().is_empty());
}

#[test]
fn configure_extends_code_layer_and_inherit_clears_it() {
    let registry = BreakerRegistry::builder()
        .default_preset(builder().recovery_timeout(2 * SECOND))
        .build()
        .unwrap();
    let a = registry
        .register("a", builder().failure_threshold(3).half_open_calls(2))
        .unwrap();
    a.configure(|code| code.failure_threshold(20)).unwrap();
    registry
        .configure("a", builder().cancelled_as(Outcome::Failure))
        .unwrap();
    let config = a.config();
    let expected = ("20 consecutive failures".to_owned(), 2 * SECOND);
    assert_eq!(rules_and_recovery(&config), expected);
    assert_eq!(
        (config.half_open_calls(), config.cancelled_as()),
        (2, Outcome::Failure)
    );

    a.configure(|code| code.inherit().half_open_calls(7))
        .unwrap();
    let config = a.config();
    let expected = ("5 consecutive failures".to_owned(), 2 * SECOND);
    assert_eq!(rules_and_recovery(&config), expected);
    assert_eq!(
        (config.half_open_calls(), config.cancelled_as()),
        (7, Outcome::Ignored)
    );
}

#[test]
fn configure_replaces_code_layer_with_returned_settings() {
    let registry = BreakerRegistry::new();
    let a = registry
        .register("a", builder().failure_threshold(3).half_open_calls(2))
        .unwrap();
    a.configure(|_| builder().failure_threshold(4)).unwrap();
    let (rules, _) = rules_and_recovery(&a.config());
    assert_eq!(rules, "4 consecutive failures");
    assert_eq!(a.config().half_open_calls(), 1, "no longer set");
}

#[test]
fn repeated_configure_frees_replaced_settings() {
    let registry = BreakerRegistry::new();
    let captured = Arc::new(());
    for recovery in 1..100 {
        let token = captured.clone();
        let settings = builder()
            .recovery_timeout(recovery * SECOND)
            .redact_last_failure(move |_| format!("{token:?}"));
        registry.configure("a", settings).unwrap();
    }
    assert_eq!(
        Arc::strong_count(&captured),
        2,
        "only the latest redaction is kept"
    );
}

#[test]
fn rules_of_layers_merge_like_builder_methods() {
    let rate = TripRule::failure_rate(0.5).over(Window::calls(10));
    let count = TripRule::failures(3).over(Window::calls(10));
    let registry = BreakerRegistry::builder()
        .default_preset(builder().failure_threshold(7).trip_when(rate))
        .preset_for("adds", builder().trip_when(rate).trip_when(count))
        .preset_for("replaces", builder().trip_rules([count]))
        .preset_for("changes", builder().failure_threshold(9))
        .build()
        .unwrap();
    let consecutive = TripRule::consecutive_failures;
    for (name, rules) in [
        ("adds", &[consecutive(7), rate, count][..]),
        ("replaces", &[count]),
        ("changes", &[rate, consecutive(9)]),
    ] {
        assert_eq!(
            registry.breaker(name).config().trip_rules(),
            rules,
            "{name}"
        );
    }
}

#[test]
fn merged_rules_are_limited() {
    let rules = |range: std::ops::Range<u32>| {
        let rule = |n| TripRule::failures(n).over(Window::calls(100));
        range.fold(builder(), |builder, n| builder.trip_when(rule(n)))
    };
    let registry = BreakerRegistry::builder()
        .default_preset(rules(1..21))
        .build()
        .unwrap();
    registry.register("fits", rules(10..33)).expect("32 rules");
    let error = registry.register("no", rules(21..34)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "trip_rules is a list of 33 rules, but must be a list of 1 to 32 rules"
    );
    let RegistryError::Config(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.allowed(), "a list of 1 to 32 rules");
    assert!(rules(1..34).build().is_err());
}

#[test]
fn prefixes_are_limited_to_ten_thousand() {
    let prefixes = |count: u32| {
        (0..count).fold(BreakerRegistry::builder(), |registry, n| {
            registry.preset_for(format!("{n:05}"), builder().failure_threshold(n + 1))
        })
    };
    let registry = prefixes(10_000).build().unwrap();
    let rules = registry
        .breaker("01234:users")
        .config()
        .trip_rules()
        .to_vec();
    assert_eq!(rules, [TripRule::consecutive_failures(1_235)]);
    assert_eq!(registry.breaker("1234").config().trip_rules().len(), 1);
    let error = prefixes(10_001).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "prefixes is 10001 prefixes, but must be at most 10000 prefixes"
    );
    registry.preset_for("new", builder()).unwrap_err();
    registry
        .preset_for("00001", builder())
        .expect("replaces an existing prefix");
}

#[test]
fn explanation_names_source_location() {
    let registry = BreakerRegistry::new();
    let location = |line: u32| format!(" at {}:{line}", file!());
    let three = builder().failure_threshold(3);
    registry.preset_for("a", three).unwrap();
    let prefix = location(line!() - 1);
    let two = || builder().half_open_calls(2);
    let a = registry.breaker_with("a", two);
    let with = location(line!() - 1);
    let change = |code: BreakerBuilder| code.cancelled_after(SECOND);
    a.configure(change).unwrap();
    let configure = location(line!() - 1);
    let config = a.config();
    let explanation = config.explain();
    for (key, value, layer) in [
        (
            "trip_rules",
            "3 consecutive failures",
            format!("preset_for(\"a\"){prefix}"),
        ),
        ("half_open_calls", "2", format!("breaker_with{with}")),
        ("cancelled_after", "1s", format!("configure{configure}")),
        ("mode", "enforcing", "default".to_owned()),
    ] {
        assert_eq!(
            explanation.get(key),
            Some((value, &*layer)),
            "{explanation}"
        );
    }
    assert_eq!(
        explanation.to_string().lines().count(),
        17 + usize::from(cfg!(feature = "fleet"))
    );
    let alone = two().build().unwrap();
    let built = location(line!() - 1);
    let config = alone.config();
    assert_eq!(
        config.explain().get("half_open_calls"),
        Some(("2", &*format!("build{built}")))
    );
}

#[test]
fn configure_keeps_rules_of_later_call_sites() {
    #[derive(Debug, thiserror::Error)]
    #[error("later")]
    struct Later;

    #[circuit(name = "users", registry = registry, expected = Later, fallback = |_| Ok(()))]
    fn later_site(registry: &BreakerRegistry) -> Result<(), Later> {
        Err(Later)
    }

    let registry = BreakerRegistry::new();
    let own = || CircuitBreaker::builder().own_error_rules();
    let users = registry.breaker_with("users", || own().ignored_error::<fmt::Error>());
    let configured = users.configure(BreakerBuilder::expected_error::<io::Error>);
    configured.unwrap();
    assert!(later_site(&registry).is_err());
    assert_eq!(users.failure_count(), 1);
}
