//! Who inherits from whom, and what lies over what.

use crate::support::{fail, listening, opens_after, take, toml};
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
fn presets_come_before_an_entry_and_the_first_of_them_first() {
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
    opens_after(&users, 10);
    assert_eq!(recovery(&users), 90 * SECOND);
    assert_eq!(users.config().cancelled_as(), Outcome::Failure);
    assert_eq!(
        users.config().half_open_calls(),
        4,
        "the default lies beneath"
    );
    let other = registry.breaker("other");
    opens_after(&other, 5);
    assert_eq!(other.config().half_open_calls(), 4);
}

#[test]
fn rules_add_up_and_are_replaced_as_in_the_builder() {
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
    let in_a_row = TripRule::consecutive_failures;
    assert_eq!(rules("adds"), [in_a_row(7), rate, slow]);
    assert_eq!(rules("changes"), [rate, in_a_row(9)]);
    assert_eq!(
        rules("replaces"),
        [TripRule::failures(3).over(Window::time(10 * SECOND))]
    );
    // However often it is applied.
    let again = registry.apply(&settings).unwrap();
    assert!(again.is_empty(), "{again}");
    assert_eq!(rules("adds"), [in_a_row(7), rate, slow]);
}

#[test]
fn the_longest_prefix_wins_and_lies_over_the_shorter() {
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
    let rules = |failures: u32| format!("{failures} failures in a row");
    assert_eq!(of("else"), (rules(50), 30, 1));
    assert_eq!(
        of("http:x"),
        (rules(3), 2, 1),
        "the code's own preset is more than a default"
    );
    assert_eq!(of("http:internal.x"), (rules(3), 2, 2));
    assert_eq!(of("http:internal.users"), (rules(3), 7, 2));
    assert_eq!(of("grpc:x"), (rules(4), 30, 1));
    assert_eq!(of("grpc:slow.x"), (rules(4), 9, 1));
}

#[test]
fn an_empty_prefix_is_one_of_every_name() {
    let registry = BreakerRegistry::new();
    let settings = toml("prefixes.'' = { failure_threshold = 2 }\nprefixes.a = {}");
    registry.apply(&settings).unwrap();
    opens_after(&registry.breaker("b"), 2);
    opens_after(&registry.breaker("a"), 2);
}

#[test]
fn what_is_no_data_stays_as_code_gave_it() {
    let (registry, ..) = listening(BreakerRegistry::builder().preset_for(
        "http:",
        CircuitBreaker::builder().expected_error::<std::fmt::Error>(),
    ));
    let told = Arc::new(AtomicUsize::new(0));
    let counter = told.clone();
    let listening = CircuitBreaker::builder().on_event(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let payments = registry.register("payments", listening).unwrap();
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
        assert_eq!(breaker.state(), State::Closed, "{breaker:?}: not expected");
        let _ = breaker.call(|| Err::<(), _>(std::fmt::Error));
        assert_eq!(breaker.state(), State::Open, "{breaker:?}");
    }
    let before = told.load(Ordering::SeqCst);
    fail(&payments);
    assert_eq!(payments.state(), State::Open);
    assert!(told.load(Ordering::SeqCst) > before);
}

#[test]
fn code_comes_to_a_name_that_the_document_made() {
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

    // Registered: adopted, with the document's words on top; the second time refused.
    let a = registry.register("a", code()).unwrap();
    opens_after(&a, 2);
    assert_eq!(a.config().half_open_calls(), 3);
    let again = registry.register("a", code());
    assert!(matches!(
        again,
        Err(RegistryError::AlreadyRegistered { .. })
    ));
    registry.breaker_with("a", || unreachable!("it has been registered"));

    // Settings at the place of use: once.
    let b = registry.breaker_with("b", code);
    opens_after(&b, 2);
    assert_eq!(b.config().half_open_calls(), 3);
    registry.breaker_with("b", || unreachable!("it has been claimed"));

    // Configured: beneath the document as well.
    let c = registry.configure("c", code()).unwrap();
    opens_after(&c, 2);
    assert_eq!(c.config().half_open_calls(), 3);

    // The document goes: what code said is what stays.
    registry.apply(&toml("")).unwrap();
    for breaker in [a, b, c] {
        opens_after(&breaker, 7);
        assert_eq!(breaker.config().half_open_calls(), 3);
    }
}

#[test]
fn code_that_comes_later_and_does_not_go_with_the_document_is_refused() {
    let (registry, ..) = listening(BreakerRegistry::builder());
    let settings = toml(
        "breakers.a = { half_open_calls = 3, success_threshold = 3 }\nbreakers.b.success_threshold = 1\nprefixes.c.half_open_calls = 2",
    );
    registry.apply(&settings).unwrap();
    // `a` sets both; nothing of code's can be at odds with it.
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
    let expected = "breakers.a.success_threshold is 4, but must be 1 to 2 (the half_open_calls)";
    assert_eq!(error.to_string(), expected);
    // Where no error can be returned, the breaker stays as it was and an event says why.
    let (registry, heard, _) = listening(BreakerRegistry::builder());
    registry
        .apply(&toml("breakers.a.half_open_calls = 2"))
        .unwrap();
    let a = registry.breaker_with("a", || code.clone());
    assert_eq!(a.config().success_threshold(), 2);
    assert_eq!(*heard.lock().unwrap(), ["a added", "a refused"]);
    // Nor can a preset of code's.
    let error: RegistryError = registry.preset_for("a", code).unwrap_err();
    assert!(
        matches!(&error, RegistryError::Config(error) if error.field() == "breakers.a.success_threshold"),
        "{error}"
    );
}

#[test]
fn a_preset_of_code_that_comes_later_lies_beneath() {
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
    opens_after(&new, 2);
    assert_eq!(new.config().half_open_calls(), 6);
    // Live ones stay as they are until settings are applied.
    let named = registry.get("http:a").unwrap();
    assert_eq!(named.config().half_open_calls(), 1);
    registry
        .apply(&toml("breakers.'http:a'.failure_threshold = 3"))
        .unwrap();
    opens_after(&named, 3);
    assert_eq!(named.config().half_open_calls(), 6);
}

#[test]
fn a_name_that_was_removed_gets_its_entry_again() {
    let registry = BreakerRegistry::new();
    let settings = toml("breakers.a.failure_threshold = 2");
    registry.apply(&settings).unwrap();
    registry.remove("a").unwrap();
    opens_after(&registry.breaker("a"), 2);
    registry.remove("a").unwrap();
    let code = CircuitBreaker::builder().half_open_calls(3);
    let a = registry.breaker_with("a", || code);
    opens_after(&a, 2);
    assert_eq!(a.config().half_open_calls(), 3);
    registry.remove("a").unwrap();
    let applied = registry.apply(&settings).unwrap();
    assert_eq!(applied.created().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn judges_of_a_later_preset_reach_live_breakers_with_the_next_document() {
    type Judged = (bool, bool);
    let (registry, heard, _) = listening(BreakerRegistry::builder());
    let live = registry.breaker("http:live");
    // Whether each of two kinds of errors counts as a failure.
    let judged = || -> Judged {
        live.reset();
        let _ = live.call(|| Err::<(), _>(std::fmt::Error));
        let first = live.failure_count();
        live.reset();
        let _ = live.call(|| "x".parse::<u8>());
        (first > 0, live.failure_count() > 0)
    };
    assert_eq!(judged(), (true, true));
    let first = CircuitBreaker::builder().expected_error::<std::fmt::Error>();
    let second = CircuitBreaker::builder().expected_error::<std::num::ParseIntError>();
    let neither = second.clone().ignored_error::<std::num::ParseIntError>();
    for (preset, expected) in [
        (first, (true, false)),
        (second, (false, true)),
        (neither, (false, false)),
    ] {
        registry.preset_for("http:", preset).unwrap();
        take(&heard);
        registry.apply(&toml("")).unwrap();
        assert_eq!(judged(), expected);
        assert!(take(&heard).contains(&"http:live configured".to_owned()));
        registry.apply(&toml("")).unwrap();
        assert_eq!(take(&heard), Vec::<String>::new(), "the same judges");
    }
}

#[test]
fn prefix_of_a_document_reaches_a_name_with_settings_of_its_own() {
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
            opens_after(&breaker, 3);
            assert_eq!(recovery(&breaker), 2 * SECOND, "{breaker:?}");
        }
        registry.apply(&toml("")).unwrap();
        for breaker in &registry {
            opens_after(&breaker, 5);
            assert_eq!(recovery(&breaker), 30 * SECOND, "{breaker:?}");
        }
    }
}

#[test]
fn configure_beneath_a_document_is_kept_and_reported() {
    let registry = BreakerRegistry::new();
    let settings = toml("breakers.a = { failure_threshold = 2 }\nprefixes.a.half_open_calls = 5");
    registry.apply(&settings).unwrap();
    let a = registry.get("a").unwrap();
    let mut events = registry.subscribe();
    let change = |code: BreakerBuilder| code.failure_threshold(20).half_open_calls(3);
    a.configure(change).unwrap();
    let line = line!() - 1;
    opens_after(&a, 2);
    assert_eq!(a.config().half_open_calls(), 3, "over the prefix");
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
    // Without a contradiction there is no report.
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
    opens_after(&a, 20);
    assert_eq!(a.config().half_open_calls(), 3);
    a.configure(BreakerBuilder::inherit).unwrap();
    opens_after(&a, 5);
    assert_eq!(a.config().half_open_calls(), 5);
}

#[test]
fn setting_that_a_reload_drops_falls_back_to_the_layer_below() {
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
fn explanation_names_the_path_in_the_document() {
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
        "#,
    );
    registry.apply(&settings).unwrap();
    let config = registry.get("http:users").unwrap().config();
    let explanation = config.explain();
    for (key, value, path) in [
        ("max_trip_for", "2h", "default"),
        ("recovery", "1m", "presets.patient"),
        ("trip_rules", "3 failures in a row", "prefixes.\"http:\""),
        ("half_open_calls", "2", "breakers.\"http:users\""),
    ] {
        let (text, layer) = explanation.get(key).unwrap();
        assert_eq!(text, value);
        assert!(layer.starts_with("document: "), "{layer}");
        assert!(layer.contains(path), "{layer}");
    }
}

#[test]
fn prefixes_of_a_document_are_bounded() {
    let document = |count: u32| {
        (0..count).fold(String::new(), |text, n| {
            format!("{text}prefixes.p{n:05}.failure_threshold = 2\n")
        })
    };
    let registry = BreakerRegistry::new();
    registry.apply(&toml(&document(10_000))).unwrap();
    opens_after(&registry.breaker("p09999"), 2);
    let read = toml::from_str::<Settings>(&document(16_000));
    if let Ok(settings) = read {
        registry.apply(&settings).unwrap_err();
    }
    opens_after(&registry.breaker("p00000"), 2);
}
