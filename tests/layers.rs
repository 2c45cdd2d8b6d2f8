//! Layers of settings from code: which layer wins, and what is refused or reported.
#![cfg(all(not(loom), feature = "macros"))]

use breakerbox::prelude::*;
use breakerbox::{BreakerConfig, RegistryError};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

type Answer = Result<(), BreakerError>;

/// A registry, and the warnings about settings that it emitted.
fn watched(builder: RegistryBuilder) -> (BreakerRegistry, Arc<Mutex<Vec<Event>>>) {
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

/// The rules as text, and the recovery timeout.
fn rules_and_recovery(config: &BreakerConfig) -> (String, Duration) {
    let rules: Vec<_> = config
        .trip_rules()
        .iter()
        .map(ToString::to_string)
        .collect();
    (rules.join("; "), config.recovery_backoff().delay(0))
}

#[test]
fn prefix_reaches_a_name_with_settings_of_its_own() {
    struct Http;
    impl Preset for Http {
        const FAILURE_THRESHOLD: u32 = 3;
        const RECOVERY_TIMEOUT: Duration = Duration::from_secs(2);
    }
    #[circuit(name = "http:expected", registry = registry, expected = io::Error)]
    fn expected(registry: &BreakerRegistry) -> Answer {
        Ok(())
    }
    #[circuit(name = "http:builder", registry = registry, builder = |b| b.half_open_calls(2))]
    fn adjusted(registry: &BreakerRegistry) -> Answer {
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
    for breaker in registry.iter() {
        let settings = rules_and_recovery(&breaker.config());
        assert_eq!(
            settings,
            ("3 failures in a row".to_owned(), 2 * SECOND),
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
    assert_eq!(expected.failure_count(), 0, "an unexpected error");
}

#[test]
fn longer_prefixes_are_layered_over_shorter_ones() {
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
    let of = |name: &str| {
        let config = registry.breaker(name).config();
        (rules_and_recovery(&config), config.half_open_calls())
    };
    let three = "3 failures in a row".to_owned();
    assert_eq!(of("http:eu.users"), ((three.clone(), 7 * SECOND), 4));
    assert_eq!(of("http:us.users"), ((three.clone(), 2 * SECOND), 4));
    assert_eq!(of("http:eu"), ((three, 2 * SECOND), 4));
    assert_eq!(
        of("http"),
        (("5 failures in a row".to_owned(), 30 * SECOND), 4)
    );
}

#[test]
fn preset_names_its_threshold_and_only_a_special_timeout() {
    struct Plain;
    impl Preset for Plain {}
    let registry = BreakerRegistry::builder()
        .default_preset(builder().failure_threshold(9).recovery_timeout(9 * SECOND))
        .preset_for("plain", Plain::preset())
        .build()
        .unwrap();
    let config = registry.breaker("plain").config();
    let expected = ("5 failures in a row".to_owned(), 9 * SECOND);
    assert_eq!(rules_and_recovery(&config), expected);
}

#[test]
fn error_rules_of_all_layers_add_up_until_dropped() {
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
    let fails = |breaker: &CircuitBreaker| {
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
    assert_eq!(fails(&registry.breaker("a")), [true, true, false]);
    assert_eq!(
        fails(&registry.breaker("ab")),
        [false, true, true],
        "all but the ignored"
    );
    let abc = registry.breaker_with("abc", || builder().expected_error::<Odd>());
    assert_eq!(fails(&abc), [false, false, true]);
    abc.configure(|code| code.inherit().own_error_rules())
        .unwrap();
    assert_eq!(fails(&abc), [true, true, true]);
}

#[test]
fn listeners_of_all_layers_hear_events() {
    let heard: Arc<Mutex<Vec<&str>>> = Arc::default();
    let listening = |layer: &'static str| {
        let heard = heard.clone();
        builder().on_event(move |_| heard.lock().unwrap().push(layer))
    };
    let registry = BreakerRegistry::builder()
        .default_preset(listening("default"))
        .preset_for("a", listening("prefix"))
        .build()
        .unwrap();
    let a = registry.register("a", listening("register")).unwrap();
    a.trip();
    assert_eq!(*heard.lock().unwrap(), ["default", "prefix", "register"]);
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
fn layer_that_cannot_work_is_left_out_and_reported() {
    #[circuit(name = "a", registry = registry, failure_threshold = 2, success_threshold = COUNT)]
    fn site(registry: &BreakerRegistry) -> Answer {
        Ok(())
    }
    const COUNT: u32 = 3;

    let (registry, warnings) = watched(BreakerRegistry::builder());
    let a = registry.breaker("a");
    site(&registry).unwrap();
    site(&registry).unwrap();
    let b = registry.breaker_with("b", || builder().failure_threshold(2).success_threshold(3));
    for breaker in [a, b] {
        let (rules, _) = rules_and_recovery(&breaker.config());
        assert_eq!(rules, "5 failures in a row", "the whole layer is left out");
    }
    let refused: Vec<_> = std::mem::take(&mut *warnings.lock().unwrap());
    assert_eq!(refused.len(), 2);
    for event in refused {
        let Event::SettingsRefused { error, .. } = event else {
            panic!("{event:?}");
        };
        let expected = "success_threshold is 3, but must be 1 to 1 (the half_open_calls)";
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn layer_that_cannot_work_changes_nothing_where_an_error_is_returned() {
    let (registry, warnings) =
        watched(BreakerRegistry::builder().preset_for("a", builder().half_open_calls(2)));
    let ab = registry.breaker_with("ab", || builder().success_threshold(2));
    let few = || builder().failure_threshold(9).half_open_calls(1);
    let expected = "success_threshold is 2, but must be 1 to 1 (the half_open_calls)";
    assert_eq!(
        registry.register("ab", few()).unwrap_err().to_string(),
        expected
    );
    assert_eq!(
        registry.configure("ab", few()).unwrap_err().to_string(),
        expected
    );
    let error = ab.configure(|code| code.half_open_calls(1)).unwrap_err();
    assert_eq!(error.to_string(), expected);
    let (rules, _) = rules_and_recovery(&ab.config());
    assert_eq!(rules, "5 failures in a row");
    registry
        .register("ab", builder().half_open_calls(3))
        .expect("the name is still free");

    let error = registry
        .preset_for("a", builder().success_threshold(2))
        .unwrap_err();
    let expected =
        "preset_for(\"a\").success_threshold is 2, but must be 1 to 1 (the half_open_calls)";
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
fn configure_gets_the_code_of_the_name_and_inherit_empties_it() {
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
    let expected = ("20 failures in a row".to_owned(), 2 * SECOND);
    assert_eq!(rules_and_recovery(&config), expected);
    assert_eq!(
        (config.half_open_calls(), config.cancelled_as()),
        (2, Outcome::Failure)
    );

    a.configure(|code| code.inherit().half_open_calls(7))
        .unwrap();
    let config = a.config();
    let expected = ("5 failures in a row".to_owned(), 2 * SECOND);
    assert_eq!(rules_and_recovery(&config), expected);
    assert_eq!(
        (config.half_open_calls(), config.cancelled_as()),
        (7, Outcome::Ignored)
    );
}

#[test]
fn repeated_configure_keeps_no_settings_that_do_not_count() {
    let registry = BreakerRegistry::new();
    let dropped = Arc::new(());
    for recovery in 1..100 {
        let token = dropped.clone();
        let settings = builder()
            .recovery_timeout(recovery * SECOND)
            .redact_last_failure(move |_| format!("{token:?}"));
        registry.configure("a", settings).unwrap();
    }
    assert_eq!(
        Arc::strong_count(&dropped),
        2,
        "only the last redaction is kept"
    );
}

#[test]
fn rules_merge_as_the_methods_of_the_builder_do() {
    let rate = TripRule::failure_rate(0.5).over(Window::calls(10));
    let count = TripRule::failures(3).over(Window::calls(10));
    let registry = BreakerRegistry::builder()
        .default_preset(builder().failure_threshold(7).trip_when(rate))
        .preset_for("adds", builder().trip_when(rate).trip_when(count))
        .preset_for("replaces", builder().trip_rules([count]))
        .preset_for("changes", builder().failure_threshold(9))
        .build()
        .unwrap();
    let in_a_row = TripRule::consecutive_failures;
    for (name, rules) in [
        ("adds", &[in_a_row(7), rate, count][..]),
        ("replaces", &[count]),
        ("changes", &[rate, in_a_row(9)]),
    ] {
        assert_eq!(
            registry.breaker(name).config().trip_rules(),
            rules,
            "{name}"
        );
    }
}

#[test]
fn merged_rules_are_bounded() {
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
        "trip_rules is 33 rules, but must be at most 32 rules"
    );
    let RegistryError::Config(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.allowed(), "at most 32 rules");
    assert!(rules(1..34).build().is_err());
}

#[test]
fn prefixes_are_bounded_and_found_quickly() {
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
        .expect("replaces one");
}

#[test]
fn explanation_names_the_place_in_code() {
    let registry = BreakerRegistry::new();
    let place = |line: u32| format!(" at {}:{line}", file!());
    let three = builder().failure_threshold(3);
    registry.preset_for("a", three).unwrap();
    let prefix = place(line!() - 1);
    let two = || builder().half_open_calls(2);
    let a = registry.breaker_with("a", two);
    let with = place(line!() - 1);
    let change = |code: BreakerBuilder| code.cancelled_after(SECOND);
    a.configure(change).unwrap();
    let configure = place(line!() - 1);
    let config = a.config();
    let explanation = config.explain();
    for (key, value, layer) in [
        (
            "trip_rules",
            "3 failures in a row",
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
    assert_eq!(explanation.to_string().lines().count(), 16);
    let alone = two().build().unwrap();
    let built = place(line!() - 1);
    let config = alone.config();
    assert_eq!(
        config.explain().get("half_open_calls"),
        Some(("2", &*format!("build{built}")))
    );
}
