//! Hostile text from users, in every text that the crate displays.

use crate::breaker;
use breakerbox::prelude::*;
use breakerbox::{RegistryError, first_ready};
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Characters that end a line, control a terminal, change the direction of text, or are invisible.
const HOSTILE: &str = "\u{202e}\0\u{7}\u{8}\t\n\r\u{b}\u{1b}[31m\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\
                       \u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\
                       \u{2067}\u{2068}\u{2069}\u{feff}\u{fff9}\u{e0041}";

/// Fails if `text` contains a hostile character. Line feeds are allowed if `lines` is above one.
#[track_caller]
fn assert_harmless(what: &str, text: &str, lines: usize) {
    assert!(text.contains("\\u{202e}"), "{what} shows no text: {text:?}");
    assert!(text.lines().count() <= lines, "{what}: {text:?}");
    let is_hostile = |c: &char| HOSTILE.contains(*c) && !c.is_ascii_graphic() && *c != '\n';
    assert_eq!(text.chars().find(is_hostile), None, "{what}: {text:?}");
}

/// An error whose `Debug` writes its text as it is.
struct Raw(&'static str);

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>(Raw(HOSTILE)));
}

/// A registry with a breaker of a hostile name.
fn registry() -> (BreakerRegistry, CircuitBreaker) {
    let default = CircuitBreaker::builder().failure_threshold(1);
    let registry = BreakerRegistry::builder()
        .default_preset(default)
        .capacity(1);
    let registry = registry.build().unwrap();
    let hostile = registry.breaker(HOSTILE);
    (registry, hostile)
}

#[test]
fn refusals_and_timeouts_are_harmless() {
    let (_registry, hostile) = registry();
    fail(&hostile);
    let open = hostile.try_acquire().unwrap_err();
    assert_harmless("refusal", &open.to_string(), 1);
    assert_harmless("refusal with last failure", &format!("{open:#}"), 1);
    let error: BreakerError = open.into();
    assert_harmless("error", &format!("{error:#}"), 1);
    let all = first_ready([&hostile, &hostile]).unwrap_err();
    assert_harmless("refusal by all", &all.to_string(), 1);
    assert_harmless("refusal by all, with failures", &format!("{all:#}"), 1);
    hostile.because(HOSTILE).by(HOSTILE).force_open();
    let forced = hostile.try_acquire().unwrap_err();
    assert_harmless("refusal with reason", &format!("{forced:#}"), 1);
}

#[tokio::test(start_paused = true)]
async fn timeout_is_harmless() {
    let (_registry, hostile) = registry();
    let call = pending::<Result<(), fmt::Error>>().guarded_by(&hostile);
    let error = call.timeout(Duration::from_secs(1)).await.unwrap_err();
    assert!(error.is_timed_out());
    assert_harmless("timeout", &error.to_string(), 1);
}

#[test]
fn summaries_of_registry_are_harmless() {
    let (registry, hostile) = registry();
    fail(&hostile);
    assert_harmless("table", &registry.to_string(), 2);
    assert_harmless("snapshot", &hostile.snapshot().to_string(), 5);
    hostile.because(HOSTILE).by(HOSTILE).force_open();
    assert_harmless("snapshot with reason", &hostile.snapshot().to_string(), 5);
    let cause = hostile.snapshot().cause.unwrap();
    assert_harmless("cause", &cause.to_string(), 1);
    assert_harmless("health", &registry.health(&[]).to_string(), 2);
    let unknown = format!("unknown {HOSTILE}");
    assert_harmless(
        "unknown name",
        &BreakerRegistry::new().health(&[&unknown]).to_string(),
        2,
    );
}

#[test]
fn errors_of_registry_are_harmless() {
    let (registry, _hostile) = registry();
    let settings = CircuitBreaker::builder;
    registry.configure(HOSTILE, settings()).unwrap();
    let errors = [
        registry.register(HOSTILE, settings()).unwrap_err(),
        registry
            .register(format!("{HOSTILE}, too"), settings())
            .unwrap_err(),
        registry
            .register(HOSTILE.repeat(9), settings())
            .unwrap_err(),
        registry
            .preset_for(HOSTILE.repeat(9), settings())
            .unwrap_err(),
    ];
    assert!(matches!(errors[0], RegistryError::AlreadyRegistered { .. }));
    assert!(matches!(errors[1], RegistryError::Full { .. }));
    for error in errors {
        assert_harmless("error of the registry", &error.to_string(), 1);
    }
}

#[test]
fn explanation_of_settings_is_harmless() {
    let registry = BreakerRegistry::new();
    let preset = CircuitBreaker::builder().failure_threshold(3);
    registry.preset_for(HOSTILE, preset).unwrap();
    let explained = registry.breaker(HOSTILE).config().explain().to_string();
    assert_harmless("explanation", &explained, explained.lines().count());
    let settings = explained
        .lines()
        .filter(|line| line.starts_with("trip_rules"));
    assert_eq!(settings.count(), 1, "{explained}");
}

#[test]
fn redacted_text_is_harmless() {
    let breaker = breaker();
    breaker
        .configure(|b| b.redact_last_failure(|_| HOSTILE.to_owned()))
        .unwrap();
    fail(&breaker);
    assert_harmless("snapshot", &breaker.snapshot().to_string(), 5);
}

/// Events contain the text as it is, because they are data. Their causes display it.
#[test]
fn text_of_events_is_data() {
    let (_registry, hostile) = registry();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = seen.clone();
    hostile
        .configure(|b| {
            b.on_change(move |event| log.lock().unwrap().push(event.breaker().to_owned()))
        })
        .unwrap();
    hostile.trip();
    assert!(seen.lock().unwrap().iter().all(|name| name == HOSTILE));
    assert_eq!(hostile.name(), HOSTILE);
}

#[cfg(feature = "serde")]
#[test]
fn reports_on_documents_are_harmless() {
    use breakerbox::settings::Settings;
    let read = |document: serde_json::Value| {
        serde_json::from_value::<Settings>(document).map_err(|error| error.to_string())
    };
    let entry = serde_json::json!({ "failure_threshold": 3 });
    for table in ["breakers", "prefixes", "presets"] {
        let mut document = serde_json::json!({});
        document[table]["a"][HOSTILE] = 3.into();
        assert_harmless("unknown key", &read(document).unwrap_err(), 1);
        let mut document = serde_json::json!({});
        document[table]["a"]["inherits"] = HOSTILE.into();
        assert_harmless("unknown preset", &read(document).unwrap_err(), 1);
        let mut document = serde_json::json!({});
        document[table]["a"]["recovery_timeout"] = HOSTILE.into();
        assert_harmless("invalid duration", &read(document).unwrap_err(), 1);
    }
    let mut document = serde_json::json!({});
    document["presets"][HOSTILE]["inherits"] = HOSTILE.into();
    assert_harmless("cycle", &read(document).unwrap_err(), 1);

    let (registry, _hostile) = registry();
    let mut document = serde_json::json!({});
    document["breakers"][HOSTILE] = entry.clone();
    document["prefixes"][format!("x{HOSTILE}")] = entry;
    let applied = registry.apply(&read(document).unwrap()).unwrap();
    assert_harmless("report", &applied.to_string(), 2);
}
