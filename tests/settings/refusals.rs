//! What is refused says where, in every format.

use breakerbox::settings::Settings;
use breakerbox::{Backoff, BreakerBuilder, BreakerConfig, Mode, Outcome, TripRule, Window};

/// The document as JSON, and what its refusal says, path first.
const REFUSED: &[(&str, &str)] = &[
    // Unknown keys, at every depth.
    (
        r#"{"breaker": {}}"#,
        "breaker is no key that is known here: there are default, presets, prefixes, breakers",
    ),
    (
        r#"{"default": {"inherits": "x"}}"#,
        "default.inherits is no key that is known here",
    ),
    (
        r#"{"breakers": {"users-api": {"threshold": 5}}}"#,
        r#"breakers."users-api".threshold is no key that is known here: there are inherits, failure_threshold"#,
    ),
    (
        r#"{"breakers": {"a": {"name": "b"}}}"#,
        "breakers.a.name is no key",
    ),
    (
        r#"{"presets": {"p": {"trip_when": [{"failures": 1, "over": "1m"}, {"failures": 1, "under": "1m"}]}}}"#,
        "presets.p.trip_when[1].under is no key",
    ),
    (
        r#"{"prefixes": {"http:": {"recovery_backoff": {"first": "1s", "last": "2s"}}}}"#,
        r#"prefixes."http:".recovery_backoff.last is no key"#,
    ),
    // Wrong units.
    (
        r#"{"breakers": {"a": {"recovery_timeout": 30}}}"#,
        "breakers.a.recovery_timeout is 30, but must be a duration",
    ),
    (
        r#"{"breakers": {"a": {"recovery_timeout": "30"}}}"#,
        r#"breakers.a.recovery_timeout is "30", but must be a duration"#,
    ),
    (
        r#"{"breakers": {"a": {"recovery_timeout": "1y"}}}"#,
        r#"breakers.a.recovery_timeout is "1y", but must be a duration"#,
    ),
    (
        r#"{"breakers": {"a": {"recovery_timeout": "-5s"}}}"#,
        r#"breakers.a.recovery_timeout is "-5s", but"#,
    ),
    (
        r#"{"default": {"trial_timeout": 1.5}}"#,
        "default.trial_timeout is 1.5, but must be a duration",
    ),
    (
        r#"{"default": {"cancelled_after": "99999999999999999999d"}}"#,
        r#"default.cancelled_after is "99999999999999999999d", but"#,
    ),
    (
        r#"{"default": {"max_trip_for": true}}"#,
        "default.max_trip_for is true, but must be a duration",
    ),
    (
        r#"{"default": {"max_trip_for": ["1s"]}}"#,
        "default.max_trip_for is a list, but must be a duration",
    ),
    (
        r#"{"default": {"trip_when": [{"failures": 3, "over": "100"}]}}"#,
        r#"default.trip_when[0].over is "100", but must be a window"#,
    ),
    (
        r#"{"default": {"trip_when": [{"failures": 3, "over": "100 cells"}]}}"#,
        r#"default.trip_when[0].over is "100 cells", but must be a window"#,
    ),
    (
        r#"{"default": {"trip_when": [{"failures": 3, "over": "-1 calls"}]}}"#,
        r#"default.trip_when[0].over is "-1 calls", but must be a window"#,
    ),
    (
        r#"{"default": {"trip_when": [{"failures": 3, "over": "1m in many buckets"}]}}"#,
        "default.trip_when[0].over is",
    ),
    // Impossible values, by the rules of the builder.
    (
        r#"{"breakers": {"a": {"failure_threshold": 0}}}"#,
        "breakers.a.failure_threshold is 0, but must be 1 to 4294967295",
    ),
    (
        r#"{"breakers": {"a": {"failure_threshold": -1}}}"#,
        "breakers.a.failure_threshold is -1, but must be a whole number",
    ),
    (
        r#"{"breakers": {"a": {"failure_threshold": 4294967296}}}"#,
        "breakers.a.failure_threshold is 4294967296, but",
    ),
    (
        r#"{"breakers": {"a": {"failure_threshold": 5.0}}}"#,
        "breakers.a.failure_threshold is 5.0, but",
    ),
    (
        r#"{"breakers": {"a": {"failure_threshold": "5"}}}"#,
        r#"breakers.a.failure_threshold is "5", but"#,
    ),
    (
        r#"{"breakers": {"a": {"recovery_timeout": "0s"}}}"#,
        "breakers.a.recovery_timeout is 0ns, but must be longer than zero",
    ),
    (
        r#"{"breakers": {"a": {"half_open_calls": 1001}}}"#,
        "breakers.a.half_open_calls is 1001, but must be 1 to 1000",
    ),
    (
        r#"{"breakers": {"a": {"half_open_calls": 2, "success_threshold": 3}}}"#,
        "breakers.a.success_threshold is 3, but must be 1 to 2",
    ),
    (
        r#"{"breakers": {"a": {"success_threshold": 3, "half_open_calls": 2}}}"#,
        "breakers.a.success_threshold is 3, but must be 1 to 2",
    ),
    (
        r#"{"breakers": {"a": {"cancelled_as": "trip for 3s"}}}"#,
        "breakers.a.cancelled_as is TripFor(3s), but must be",
    ),
    (
        r#"{"breakers": {"a": {"unexpected_errors_as": "failure"}}}"#,
        "breakers.a.unexpected_errors_as is Failure, but must be Success or Ignored",
    ),
    (
        r#"{"breakers": {"a": {"mode": "on"}}}"#,
        r#"breakers.a.mode is "on", but must be enforcing, metrics_only, disabled or forced_open"#,
    ),
    (
        r#"{"breakers": {"a": {"count_successes": 1}}}"#,
        "breakers.a.count_successes is 1, but must be true or false",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": "2s", "recovery_timeout": "1s"}}}"#,
        "breakers.a.recovery_timeout is given, but must be left out: there is recovery_backoff",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": {}}}}"#,
        "breakers.a.recovery_backoff.first is left out, but must be a duration",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": {"first": "1s", "factor": 0.5}}}}"#,
        "breakers.a.recovery_backoff.factor is 0.5, but must be 1.0 to 1000.0",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": {"first": "1s", "max": "1ms"}}}}"#,
        "breakers.a.recovery_backoff.max is 1ms, but must be at least the first delay",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": {"first": "1s", "jitter": 1}}}}"#,
        "breakers.a.recovery_backoff.jitter is 1.0, but",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": "0s"}}}"#,
        "breakers.a.recovery_backoff is 0ns, but must be longer than zero",
    ),
    (
        r#"{"breakers": {"a": {"trip_rules": []}}}"#,
        "breakers.a.trip_rules is [], but must be at least one rule",
    ),
    (
        r#"{"breakers": {"a": {"trip_rules": {}}}}"#,
        "breakers.a.trip_rules is a table, but must be a list",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{}]}}}"#,
        "breakers.a.trip_when[0] is a table with none of them, but must be a table with one of",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failures": 2, "slow_calls": 0.5}]}}}"#,
        "breakers.a.trip_when[0] is a table with several of them",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failure_rate": 1.5, "over": "10 calls"}]}}}"#,
        "breakers.a.trip_when[0].failure_rate is 1.5, but must be above 0.0, up to 1.0",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failure_rate": 0.5}]}}}"#,
        "breakers.a.trip_when[0].over is left out, but must be a window",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failure_rate": 0.5, "over": "0 calls"}]}}}"#,
        "breakers.a.trip_when[0].over.calls is 0, but must be 1 to 1000000",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failures": 1, "over": "1us"}]}}}"#,
        "breakers.a.trip_when[0].over.time is 1µs, but must be 1ms to 366 days",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failures": 1, "over": "1m in 0 buckets"}]}}}"#,
        "breakers.a.trip_when[0].over.buckets is 0, but must be 1 to 3600",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failures": 20, "over": "10 calls"}]}}}"#,
        "breakers.a.trip_when[0].failures is 20, but must be 1 to 10",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failure_rate": 0.5, "over": "10 calls", "minimum_calls": 11}]}}}"#,
        "breakers.a.trip_when[0].minimum_calls is 11, but must be 1 to 10",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"slow_calls": 0.5, "over": "10 calls"}]}}}"#,
        "breakers.a.trip_when[0].slower_than is left out, but must be a duration",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"consecutive_failures": 0}]}}}"#,
        "breakers.a.trip_when[0].consecutive_failures is 0, but",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"consecutive_failures": 2, "over": "1m"}]}}}"#,
        "breakers.a.trip_when[0].over is",
    ),
    // Inheritance.
    (
        r#"{"breakers": {"a": {"inherits": "nobody"}}, "presets": {"p": {}}}"#,
        r#"breakers.a.inherits leads to the preset "nobody", which is not there: there are p"#,
    ),
    (
        r#"{"presets": {"p": {"inherits": "p"}}}"#,
        "presets.p.inherits leads round in a circle: p -> p",
    ),
    (
        r#"{"presets": {"p": {"inherits": "q"}, "q": {"inherits": "p"}}}"#,
        "presets.p.inherits leads round in a circle: q -> p -> q",
    ),
    (
        r#"{"breakers": {"a": {"inherits": 3}}}"#,
        "breakers.a.inherits is 3, but must be a text",
    ),
    // Shapes.
    (
        r#"{"breakers": [1]}"#,
        "breakers is a list, but must be a table",
    ),
    (r#"{"breakers": 3}"#, "breakers is 3, but must be a table"),
    (
        r#"{"breakers": {"a": "patient"}}"#,
        r#"breakers.a is "patient", but must be a table of settings"#,
    ),
    (
        r#"{"presets": "x"}"#,
        r#"presets is "x", but must be a table"#,
    ),
    // Names.
    (
        r#"{"breakers": {"": {}}}"#,
        r#"breakers."" is the name "", but must be 1 to 256 bytes long"#,
    ),
];

fn yaml(text: &str) -> Result<Settings, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn each_refusal_says_where_in_json_yaml_and_toml() {
    for (json, expected) in REFUSED {
        let error = serde_json::from_str::<Settings>(json).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{json}: {error}");

        // JSON is YAML.
        let error = yaml(json).unwrap_err();
        assert!(error.contains(expected), "{json} as YAML: {error}");

        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        let toml = toml::to_string(&value).unwrap();
        let error = toml::from_str::<Settings>(&toml).unwrap_err();
        assert!(error.to_string().contains(expected), "{toml}: {error}");
    }
}

#[test]
fn long_names_are_refused_in_short() {
    let long = "x".repeat(300);
    for table in ["breakers", "prefixes"] {
        let json = format!(r#"{{"{table}": {{"{long}": {{}}}}}}"#);
        let error = serde_json::from_str::<Settings>(&json)
            .unwrap_err()
            .to_string();
        assert!(error.contains("(300 bytes)"), "{error}");
        assert!(error.len() < 250, "{error}");
    }
    let huge = "é".repeat(100_000);
    let json = format!(r#"{{"breakers": {{"{huge}": {{"mode": 1}}}}}}"#);
    let error = serde_json::from_str::<Settings>(&json).unwrap_err();
    assert!(error.to_string().len() < 500, "{error}");
    let longest = "x".repeat(256);
    let json = format!(r#"{{"breakers": {{"{longest}": {{}}}}, "prefixes": {{"": {{}}}}}}"#);
    assert!(serde_json::from_str::<Settings>(&json).is_ok());
}

#[test]
fn a_key_that_is_given_twice_is_refused() {
    let cases = [
        (
            r#"{"default": {}, "default": {}}"#,
            "default is given twice",
        ),
        (
            r#"{"breakers": {"a": {}, "a": {}}}"#,
            "breakers.a is given twice",
        ),
        (
            r#"{"breakers": {"a": {"mode": "disabled", "mode": "disabled"}}}"#,
            "breakers.a.mode is given twice",
        ),
    ];
    for (json, expected) in cases {
        let error = serde_json::from_str::<Settings>(json).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn numbers_that_are_none_are_refused() {
    for number in ["nan", "inf", "-inf", "-0.1", "0", "1e300"] {
        let text = format!("default.trip_when = [{{ failure_rate = {number}, over = '9 calls' }}]");
        let error = toml::from_str::<Settings>(&text).unwrap_err().to_string();
        let expected = "default.trip_when[0].failure_rate is ";
        assert!(error.contains(expected), "{error}");
        let text = format!("default.recovery_backoff = {{ first = '1s', factor = {number} }}");
        let error = toml::from_str::<Settings>(&text).unwrap_err().to_string();
        assert!(
            error.contains("default.recovery_backoff.factor is "),
            "{error}"
        );
    }
}

#[test]
fn a_chain_of_presets_has_an_end() {
    use std::fmt::Write;
    let mut text = String::from("[breakers.a]\ninherits = 'p0'\n");
    for at in 0..40 {
        let next = at + 1;
        let _ = write!(text, "[presets.p{at}]\ninherits = 'p{next}'\n");
    }
    text.push_str("[presets.p40]\n");
    let error = toml::from_str::<Settings>(&text).unwrap_err().to_string();
    assert!(
        error.contains("leads through more than 16 presets"),
        "{error}"
    );
}

#[test]
fn in_toml_the_line_is_shown_as_well() {
    let text = "[default]\nmode = \"disabled\"\n\n[breakers.users]\nrecovery_timeout = \"1y\"\n";
    let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
    assert!(error.contains("line 5, column 20"), "{error}");
    let text = "[default]\nmode = \"disabled\"\nmodus = 3\n";
    let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
    assert!(error.contains("line 3"), "{error}");
}

#[test]
fn values_by_themselves_are_checked_as_well() {
    #[track_caller]
    fn refused<T: serde::de::DeserializeOwned + std::fmt::Debug>(json: &str, expected: &str) {
        let error = serde_json::from_str::<T>(json).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    refused::<TripRule>(
        r#"{"failure_rate": 2, "over": "1m"}"#,
        "failure_rate is 2.0",
    );
    refused::<TripRule>("null", "must be a table with one of");
    refused::<Window>(r#""0 calls""#, "window.calls is 0");
    refused::<Window>(r#""1 day""#, "must be a window");
    refused::<Backoff>(r#""0s""#, "is 0ns");
    refused::<Backoff>("null", "must be a duration");
    refused::<Mode>(r#""half""#, "must be enforcing");
    refused::<Mode>("null", "is left out");
    refused::<Outcome>(r#""trip for ever""#, "must be success");
    refused::<BreakerBuilder>(r#"{"half_open_calls": 0}"#, "half_open_calls is 0");
    refused::<BreakerBuilder>(r#"{"inherits": "x"}"#, "inherits is no key");
    refused::<BreakerBuilder>(r#"{"name": ""}"#, "name is");
    // Nothing lies beneath a configuration of its own: two successes of one trial are too many.
    refused::<BreakerConfig>(r#"{"success_threshold": 2}"#, "success_threshold is 2");
}
