//! The contents of `Applied`.

use crate::support::{assert_opens_after, toml};
use breakerbox::prelude::*;

#[test]
fn report_lists_document_and_unmatched_prefixes() {
    let registry = BreakerRegistry::new();
    registry.breaker("http:users");
    registry.breaker("http");
    let settings = toml(
        r#"
        [default]
        recovery_timeout = "10s"
        half_open_calls = 2
        [presets.patient]
        [presets.unused]
        [prefixes."http:"]
        inherits = "patient"
        [prefixes."http:internal."]
        [prefixes.grpc]
        [prefixes.""]
        "#,
    );
    let applied = registry.apply(&settings).unwrap();
    let defaults: Vec<_> = applied.defaults().collect();
    assert_eq!(defaults, [("recovery", "10s"), ("half_open_calls", "2")]);
    assert_eq!(applied.presets().collect::<Vec<_>>(), ["patient", "unused"]);
    let prefixes = ["", "grpc", "http:", "http:internal."];
    assert_eq!(applied.prefixes().collect::<Vec<_>>(), prefixes);
    let unmatched = ["grpc", "http:internal."];
    assert_eq!(applied.unmatched_prefixes().collect::<Vec<_>>(), unmatched);
    let text = applied.to_string();
    let last = "prefixes.grpc matches no breaker\nprefixes.\"http:internal.\" matches no breaker";
    assert!(text.ends_with(last), "{text}");

    // A prefix matches names that the document creates, but not shorter or neighbouring names.
    let settings = toml("prefixes = { b = {}, bb = {}, c = {} }\nbreakers = { a = {}, bb = {} }");
    let applied = registry.apply(&settings).unwrap();
    assert_eq!(applied.unmatched_prefixes().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn report_lists_code_settings_that_document_overrides() {
    let builder = CircuitBreaker::builder;
    let rate = TripRule::failure_rate(0.5).over(Window::calls(100));
    let registry = BreakerRegistry::builder()
        .default_preset(builder().half_open_calls(3))
        .preset_for("http:", builder().failure_threshold(4).trip_when(rate))
        .build()
        .unwrap();
    registry
        .register("users", builder().failure_threshold(7).mode(Mode::Disabled))
        .unwrap();
    registry
        .register("same", builder().half_open_calls(5))
        .unwrap();
    let settings = toml(
        r#"
        [default]
        half_open_calls = 2
        recovery_timeout = "9s"
        [presets.eight]
        failure_threshold = 8
        [prefixes."http:"]
        failure_threshold = 6
        [breakers.users]
        inherits = "eight"
        [breakers.same]
        half_open_calls = 5
        [breakers."http:x"]
        failure_threshold = 1
        "#,
    );
    let applied = registry.apply(&settings).unwrap();
    let overruled: Vec<_> = applied
        .overruled()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        overruled,
        [
            "default overrides half_open_calls from code: 3 -> 2",
            "prefixes.\"http:\" overrides trip_rules from code: 4 consecutive failures -> 6 consecutive failures",
            "breakers.users overrides trip_rules from code: 7 consecutive failures -> 8 consecutive failures",
        ]
    );
    let users = &applied.overruled()[2];
    assert_eq!(
        (users.path(), users.setting()),
        ("breakers.users", "trip_rules")
    );
    assert_eq!(users.code(), "7 consecutive failures");
    assert_eq!(users.document(), "8 consecutive failures");

    // An overridden setting has effect again without the document, and is no longer reported.
    let applied = registry.apply(&toml("")).unwrap();
    assert!(applied.overruled().is_empty(), "{applied}");
    assert_opens_after(&registry.get("users").unwrap(), 7);
}

#[test]
fn ten_thousand_prefixes_are_applied() {
    let registry = BreakerRegistry::new();
    let live = registry.breaker("p4999:x");
    let prefixes: serde_json::Map<_, _> = (0..10_000)
        .map(|n| {
            (
                format!("p{n}:"),
                serde_json::json!({ "failure_threshold": n + 1 }),
            )
        })
        .collect();
    let text = serde_json::json!({ "prefixes": prefixes }).to_string();
    let start = std::time::Instant::now();
    let settings = serde_json::from_str(&text).unwrap();
    let read = start.elapsed();
    let applied = registry.apply(&settings).unwrap();
    println!(
        "10,000 prefixes: read in {read:?}, read and applied in {:?}",
        start.elapsed()
    );
    assert_opens_after(&live, 5_000);
    assert_eq!(applied.unmatched_prefixes().count(), 9_999);
}
