//! Events about functions that share a name, or that disagree about its settings.

use crate::support::{CallResult, registry_with_log};
use breakerbox::prelude::*;

#[circuit(name = "events", registry = registry, failure_threshold = 3)]
fn first(registry: &BreakerRegistry) -> CallResult<()> {
    Ok(())
}

#[circuit(name = "events", registry = registry, failure_threshold = 4)]
fn second(registry: &BreakerRegistry) -> CallResult<()> {
    Ok(())
}

#[circuit(name = "events", registry = registry)]
fn without_settings(registry: &BreakerRegistry) -> CallResult<()> {
    Ok(())
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    let kind = |event: &Event| match event {
        Event::SettingsIgnored { .. } => "ignored",
        Event::NameShared { .. } => "shared",
        Event::SettingsRefused { .. } => "refused",
        _ => "other",
    };
    events.iter().map(kind).collect()
}

#[test]
fn second_site_with_other_settings_is_reported_once() {
    let (registry, events) = registry_with_log();
    for _ in 0..3 {
        first(&registry).expect("closed");
        without_settings(&registry).expect("closed");
    }
    assert!(
        events.lock().unwrap().is_empty(),
        "the breaker has the settings of this function"
    );
    for _ in 0..3 {
        second(&registry).expect("closed");
    }
    {
        let events = events.lock().unwrap();
        let [
            Event::SettingsIgnored {
                breaker,
                settings,
                place,
                first,
                ..
            },
        ] = &events[..]
        else {
            panic!("{events:?}");
        };
        assert_eq!(&**breaker, "events");
        assert_eq!(&**settings, "trip_rules");
        for (place, expected) in [(place, "11"), (first, "6")] {
            let (file, line) = place.rsplit_once(':').expect("a file and a line");
            assert!(file.ends_with("events.rs"), "{file}");
            assert_eq!(line, expected);
        }
    }
    let rules = registry.breaker("events").config().trip_rules().to_vec();
    assert_eq!(rules, [TripRule::consecutive_failures(3)]);
    // A new breaker sends the event again, for the function that is called second.
    registry.remove("events");
    second(&registry).expect("closed");
    first(&registry).expect("closed");
    assert_eq!(kinds(&events.lock().unwrap()), ["ignored", "ignored"]);
}

#[circuit(name = "events", registry = registry, half_open_calls = 2, failure_threshold = 3)]
fn third(registry: &BreakerRegistry) -> CallResult<()> {
    Ok(())
}

#[test]
fn site_adds_settings_missing_at_other_sites() {
    let (registry, events) = registry_with_log();
    first(&registry).expect("closed");
    third(&registry).expect("closed");
    let config = registry.breaker("events").config();
    assert_eq!(config.trip_rules(), [TripRule::consecutive_failures(3)]);
    assert_eq!(config.half_open_calls(), 2);
    assert_eq!(kinds(&events.lock().unwrap()), [""; 0]);
    // The settings of `breaker_with` have the same rank.
    let (registry, events) = registry_with_log();
    registry.breaker_with("events", || CircuitBreaker::builder().half_open_calls(7));
    third(&registry).expect("closed");
    let config = registry.breaker("events").config();
    assert_eq!(config.trip_rules(), [TripRule::consecutive_failures(3)]);
    assert_eq!(config.half_open_calls(), 7);
    assert_eq!(kinds(&events.lock().unwrap()), ["ignored"]);
}

#[test]
fn register_overrides_sites_silently_in_any_order() {
    for register_first in [false, true] {
        let (registry, events) = registry_with_log();
        if !register_first {
            third(&registry).expect("closed");
        }
        registry
            .register("events", CircuitBreaker::builder().failure_threshold(9))
            .expect("the name is not registered yet");
        third(&registry).expect("closed");
        without_settings(&registry).expect("closed");
        let config = registry.breaker("events").config();
        assert_eq!(config.trip_rules(), [TripRule::consecutive_failures(9)]);
        assert_eq!(config.half_open_calls(), 2);
        assert_eq!(kinds(&events.lock().unwrap()), [""; 0]);
    }
}

#[test]
fn function_settings_override_presets() {
    let registry = BreakerRegistry::builder()
        .preset_for("events", CircuitBreaker::builder().failure_threshold(8))
        .build()
        .expect("valid settings");
    first(&registry).expect("closed");
    let rules = registry.breaker("events").config().trip_rules().to_vec();
    assert_eq!(rules, [TripRule::consecutive_failures(3)]);
    registry.remove("events");
    without_settings(&registry).expect("closed");
    let rules = registry.breaker("events").config().trip_rules().to_vec();
    assert_eq!(rules, [TripRule::consecutive_failures(8)]);
}

#[test]
fn invalid_function_settings_send_one_event() {
    const NONE: u32 = 0;
    #[circuit(name = "refused", registry = registry, failure_threshold = NONE)]
    fn function(registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
    let (registry, events) = registry_with_log();
    function(&registry).expect("closed");
    function(&registry).expect("closed");
    assert_eq!(kinds(&events.lock().unwrap()), ["refused"]);
}

struct Here;
struct There;

impl Here {
    #[circuit(registry = registry)]
    fn connect(registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
}

impl There {
    #[circuit(registry = registry)]
    fn connect(registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
}

#[test]
fn shared_default_name_is_reported_once() {
    let (registry, events) = registry_with_log();
    for _ in 0..3 {
        Here::connect(&registry).expect("closed");
        There::connect(&registry).expect("closed");
    }
    assert_eq!(
        registry
            .breaker("events::connect")
            .snapshot()
            .totals
            .success,
        Some(6)
    );
    let events = events.lock().unwrap();
    let [event @ Event::NameShared { place, first, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(event.breaker(), "events::connect");
    assert_ne!(place, first);
}

#[test]
fn shared_explicit_name_is_not_reported() {
    #[circuit(name = "events::connect", registry = registry)]
    fn on_purpose(registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
    let (registry, events) = registry_with_log();
    Here::connect(&registry).expect("closed");
    on_purpose(&registry).expect("closed");
    assert!(events.lock().unwrap().is_empty());
}

#[test]
fn generic_function_is_one_call_site() {
    struct Client<T>(T);
    impl<T> Client<T> {
        #[circuit(registry = registry, failure_threshold = 3)]
        fn get(&self, registry: &BreakerRegistry) -> CallResult<&T> {
            Ok(&self.0)
        }
    }
    let (registry, events) = registry_with_log();
    for _ in 0..2 {
        Client(1_u8).get(&registry).expect("closed");
        Client(1_u16).get(&registry).expect("closed");
        Client(1_u32).get(&registry).expect("closed");
        Client(1_u64).get(&registry).expect("closed");
        Client("x").get(&registry).expect("closed");
        Client('x').get(&registry).expect("closed");
    }
    assert_eq!(registry.len(), 1);
    assert_eq!(
        registry
            .breaker("events::Client::get")
            .snapshot()
            .totals
            .success,
        Some(12)
    );
    assert!(events.lock().unwrap().is_empty());
}
