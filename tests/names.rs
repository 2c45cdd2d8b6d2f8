//! Names of every kind, through every way in.

use breakerbox::prelude::*;
use breakerbox::{Event, NotKept, RegistryError};
use std::sync::{Arc, Mutex};

fn listening() -> (BreakerRegistry, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = events.clone();
    let registry = BreakerRegistry::builder()
        .on_event(move |event| heard.lock().unwrap().push(event.clone()))
        .build()
        .unwrap();
    (registry, events)
}

/// Every kind of name that is allowed.
fn good() -> Vec<String> {
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

/// Every kind of name that is not, with what is left of it.
fn bad() -> Vec<(String, String)> {
    vec![
        (String::new(), String::new()),
        ("a".repeat(257), "a".repeat(256)),
        // A character across the boundary goes whole.
        (format!("{}é", "a".repeat(255)), "a".repeat(255)),
        ("名".repeat(100), "名".repeat(85)),
        ("\0".repeat(300), "\0".repeat(256)),
        ("m".repeat(1 << 20), "m".repeat(256)),
    ]
}

#[tokio::test]
async fn allowed_names_are_kept_as_they_are() {
    for name in good() {
        let (registry, events) = listening();
        let breaker = registry.breaker(&name);
        assert_eq!(breaker.name(), name);
        breaker.trip();
        assert_eq!(registry.get(&name).unwrap().state(), State::Open);
        let refused = async { Ok::<(), String>(()) }.with_breaker(&registry, &name).await;
        assert!(refused.unwrap_err().is_open(), "{name:?} is one breaker from every side");
        assert_eq!(registry.len(), 1);
        registry.configure(&name, CircuitBreaker::builder()).unwrap();
        assert!(registry.register(&name, CircuitBreaker::builder()).is_err());
        assert!(registry.remove(&name).is_some());
        assert!(registry.is_empty());
        let kept = |event: &Event| !matches!(event, Event::NotKept { .. });
        assert!(events.lock().unwrap().iter().all(kept));
    }
}

#[test]
fn names_differ_by_their_bytes() {
    let registry = BreakerRegistry::new();
    for name in good() {
        registry.breaker(&name);
    }
    // Neither case nor normalization is looked through.
    registry.breaker("X");
    registry.breaker("\u{e9}");
    assert_eq!(registry.len(), good().len() + 2);
}

#[tokio::test]
async fn other_names_get_a_breaker_that_is_not_kept() {
    for (name, left) in bad() {
        let (registry, events) = listening();
        let breaker = registry.breaker(&name);
        assert_eq!(breaker.name(), left);
        breaker.trip();
        assert_eq!(breaker.state(), State::Open, "it works as any other");
        assert_eq!(registry.breaker(&name).state(), State::Closed, "but each is a fresh one");
        let passed = async { Ok::<u8, String>(7) }.with_breaker(&registry, &name).await;
        assert_eq!(passed.unwrap(), 7);
        let made = registry.breaker_with(&name, || CircuitBreaker::builder().failure_threshold(2));
        assert_eq!(made.config().trip_rules(), [TripRule::consecutive_failures(2)]);
        assert!(registry.get(&name).is_none());
        assert!(registry.remove(&name).is_none());
        assert!(registry.is_empty());
        let events = events.lock().unwrap();
        let not_kept = events.iter().filter(|event| {
            matches!(event, Event::NotKept { reason: NotKept::InvalidName, .. })
                && event.breaker() == left
        });
        assert_eq!(not_kept.count(), 4);
    }
}

#[test]
fn register_and_configure_refuse_them() {
    let registry = BreakerRegistry::new();
    for (name, _) in bad() {
        for refused in [
            registry.register(&name, CircuitBreaker::builder()).unwrap_err(),
            registry.configure(&name, CircuitBreaker::builder()).unwrap_err(),
        ] {
            let RegistryError::InvalidName { value, allowed, .. } = &refused else {
                panic!("{refused}");
            };
            assert_eq!(allowed, "1 to 256 bytes long");
            assert!(value.len() < 100, "no megabytes in an error");
            assert!(refused.to_string().contains("1 to 256 bytes long"));
            if name.len() > 256 {
                assert!(value.contains(&format!("({} bytes)", name.len())));
            }
        }
    }
    assert!(registry.is_empty());
}

#[test]
fn prefixes_are_such_that_a_name_can_begin_with_them() {
    let registry = BreakerRegistry::new();
    let preset = || CircuitBreaker::builder().failure_threshold(7);
    let long = "p".repeat(257);
    let refused = registry.preset_for(&long, preset()).unwrap_err();
    assert!(matches!(refused, RegistryError::InvalidName { .. }), "{refused}");
    let refused = BreakerRegistry::builder().preset_for(&long, preset()).build().unwrap_err();
    assert_eq!(refused.field(), "preset_for");
    registry.preset_for("", preset()).unwrap();
    let rules = registry.breaker("anything").config().trip_rules().to_vec();
    assert_eq!(rules, [TripRule::consecutive_failures(7)], "all names begin with nothing");
}
