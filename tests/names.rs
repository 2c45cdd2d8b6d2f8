//! Valid and invalid names, in each method that takes one.

use breakerbox::prelude::*;
use breakerbox::{Event, NotKept, RegistryError};
use std::sync::{Arc, Mutex};

fn recording() -> (BreakerRegistry, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = events.clone();
    let registry = BreakerRegistry::builder()
        .on_event(move |event| log.lock().unwrap().push(event.clone()))
        .build()
        .unwrap();
    (registry, events)
}

/// Valid names of every kind.
fn valid_names() -> Vec<String> {
    let kinds = [
        "x",
        " ",
        "\0",
        "\n\r\t\u{7}",
        "\u{1b}[31mred",
        "users api",
        "http://a/b?c=d#e",
        "\"'\\",
        "名前",
        "🦀",
        "e\u{301}",
        "\u{202e}evil",
        "\u{feff}",
        "ÅÄÖ",
        "../../etc/passwd",
        "%s{}",
    ];
    let mut names: Vec<String> = kinds.map(str::to_owned).into();
    names.push("a".repeat(256));
    names.push("é".repeat(128));
    names.push(format!("a{}", "名".repeat(85)));
    names
}

/// Invalid names of every kind, each with the shortened name of its breaker.
fn invalid_names() -> Vec<(String, String)> {
    vec![
        (String::new(), String::new()),
        ("a".repeat(257), "a".repeat(256)),
        // The shortened name never ends in the middle of a character.
        (format!("{}é", "a".repeat(255)), "a".repeat(255)),
        ("名".repeat(100), "名".repeat(85)),
        ("\0".repeat(300), "\0".repeat(256)),
        ("m".repeat(1 << 20), "m".repeat(256)),
    ]
}

#[tokio::test]
async fn valid_names_are_kept_unchanged() {
    for name in valid_names() {
        let (registry, events) = recording();
        let breaker = registry.breaker(&name);
        assert_eq!(breaker.name(), name);
        breaker.trip();
        assert_eq!(registry.get(&name).unwrap().state(), State::Open);
        let refused = async { Ok::<(), String>(()) }
            .with_breaker(&registry, &name)
            .await;
        assert!(
            refused.unwrap_err().is_open(),
            "{name:?} should name one breaker in every method"
        );
        assert_eq!(registry.len(), 1);
        registry
            .configure(&name, CircuitBreaker::builder())
            .unwrap();
        assert!(registry.register(&name, CircuitBreaker::builder()).is_err());
        assert!(registry.remove(&name).is_some());
        assert!(registry.is_empty());
        let kept = |event: &Event| !matches!(event, Event::NotKept { .. });
        assert!(events.lock().unwrap().iter().all(kept));
    }
}

#[test]
fn names_are_compared_by_bytes() {
    let registry = BreakerRegistry::new();
    for name in valid_names() {
        registry.breaker(&name);
    }
    // Names that differ only by case or normalization are different.
    registry.breaker("X");
    registry.breaker("\u{e9}");
    assert_eq!(registry.len(), valid_names().len() + 2);
}

#[tokio::test]
async fn invalid_names_get_untracked_breaker() {
    for (name, shortened) in invalid_names() {
        let (registry, events) = recording();
        let breaker = registry.breaker(&name);
        assert_eq!(breaker.name(), shortened);
        breaker.trip();
        assert_eq!(
            breaker.state(),
            State::Open,
            "an untracked breaker works like any other"
        );
        assert_eq!(
            registry.breaker(&name).state(),
            State::Closed,
            "each look-up creates a breaker"
        );
        let passed = async { Ok::<u8, String>(7) }
            .with_breaker(&registry, &name)
            .await;
        assert_eq!(passed.unwrap(), 7);
        let with_settings =
            registry.breaker_with(&name, || CircuitBreaker::builder().failure_threshold(2));
        assert_eq!(
            with_settings.config().trip_rules(),
            [TripRule::consecutive_failures(2)]
        );
        assert!(registry.get(&name).is_none());
        assert!(registry.remove(&name).is_none());
        assert!(registry.is_empty());
        let events = events.lock().unwrap();
        let not_kept = events.iter().filter(|event| {
            matches!(
                event,
                Event::NotKept {
                    reason: NotKept::InvalidName,
                    ..
                }
            ) && event.breaker() == shortened
        });
        assert_eq!(not_kept.count(), 4);
    }
}

#[test]
fn register_and_configure_reject_invalid_names() {
    let registry = BreakerRegistry::new();
    for (name, _) in invalid_names() {
        for refused in [
            registry
                .register(&name, CircuitBreaker::builder())
                .unwrap_err(),
            registry
                .configure(&name, CircuitBreaker::builder())
                .unwrap_err(),
        ] {
            let RegistryError::InvalidName { value, allowed, .. } = &refused else {
                panic!("{refused}");
            };
            assert_eq!(allowed, "1 to 256 bytes long");
            assert!(value.len() < 100, "the error shortens the name");
            assert!(refused.to_string().contains("1 to 256 bytes long"));
            if name.len() > 256 {
                assert!(value.contains(&format!("({} bytes)", name.len())));
            }
        }
    }
    assert!(registry.is_empty());
}

#[test]
fn prefix_longer_than_names_is_rejected() {
    let registry = BreakerRegistry::new();
    let preset = || CircuitBreaker::builder().failure_threshold(7);
    let long = "p".repeat(257);
    let refused = registry.preset_for(&long, preset()).unwrap_err();
    assert!(
        matches!(refused, RegistryError::InvalidName { .. }),
        "{refused}"
    );
    let refused = BreakerRegistry::builder()
        .preset_for(&long, preset())
        .build()
        .unwrap_err();
    assert_eq!(refused.field(), "preset_for");
    registry.preset_for("", preset()).unwrap();
    let rules = registry.breaker("anything").config().trip_rules().to_vec();
    assert_eq!(
        rules,
        [TripRule::consecutive_failures(7)],
        "every name begins with the empty prefix"
    );
}
