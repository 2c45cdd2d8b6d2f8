//! Errors about invalid documents: each names the path or the line, in every format.

use breakerbox::settings::Settings;
use breakerbox::{Backoff, BreakerBuilder, BreakerConfig, Mode, Outcome, TripRule, Window};
use serde_json::{Value, json};

/// A document as JSON, a word on the line that the error must name, and a text of the error.
///
/// After `~`, the error may name a line near the word, because a whole table or list is invalid. If the
/// word is empty, the error starts with the text, which contains the path.
const REFUSED: &[(&str, &str, &str)] = &[
    // Unknown keys, at every depth.
    (
        r#"{"breaker": {}}"#,
        "breaker",
        "breaker is not a valid key here (did you mean breakers?); valid keys are default, presets, prefixes, breakers",
    ),
    (
        r#"{"default": {"inherits": "x"}}"#,
        "",
        "default.inherits is not a valid key: the default cannot inherit presets",
    ),
    (
        r#"{"breakers": {"users-api": {"failure_treshold": 5}}}"#,
        "failure_treshold",
        "failure_treshold is not a valid key here (did you mean failure_threshold?); valid keys are inherits, trip_rules, failure_threshold",
    ),
    (
        r#"{"breakers": {"users-api": {"threshold": 5}}}"#,
        "threshold",
        "threshold is not a valid key here; valid keys are inherits",
    ),
    (
        r#"{"breakers": {"a": {"name": "b"}}}"#,
        "",
        "breakers.a.name is not a valid key: the key of the entry is already the name",
    ),
    (
        r#"{"presets": {"p": {"trip_when": [{"failures": 1, "over": "1m"}, {"failures": 1, "under": "1m"}]}}}"#,
        "under",
        "under is not a valid key here; valid keys are consecutive_failures, failures",
    ),
    (
        r#"{"prefixes": {"http:": {"recovery_backoff": {"first": "1s", "last": "2s"}}}}"#,
        "last",
        "last is not a valid key here; valid keys are first, factor, max, jitter",
    ),
    // Wrong units.
    (
        r#"{"breakers": {"a": {"recovery_timeout": 30}}}"#,
        "recovery_timeout",
        "recovery_timeout is 30, but must be a duration such as",
    ),
    (
        r#"{"breakers": {"a": {"recovery_timeout": "30"}}}"#,
        "recovery_timeout",
        r#"recovery_timeout is "30", but must be a duration"#,
    ),
    (
        r#"{"breakers": {"a": {"recovery_timeout": "1y"}}}"#,
        "recovery_timeout",
        r#"recovery_timeout is "1y", but must be a duration"#,
    ),
    (
        r#"{"breakers": {"a": {"recovery_timeout": "-5s"}}}"#,
        "recovery_timeout",
        r#"recovery_timeout is "-5s", but must be a duration"#,
    ),
    (
        r#"{"default": {"trial_timeout": 1.5}}"#,
        "trial_timeout",
        "trial_timeout is 1.5, but must be a duration",
    ),
    (
        r#"{"default": {"cancelled_after": "99999999999999999999d"}}"#,
        "cancelled_after",
        r#"cancelled_after is "99999999999999999999d", but must be a duration"#,
    ),
    (
        r#"{"default": {"max_trip_for": true}}"#,
        "max_trip_for",
        "max_trip_for is true, but must be a duration",
    ),
    (
        r#"{"default": {"max_trip_for": ["1s"]}}"#,
        "~max_trip_for",
        "invalid type: sequence, expected a duration",
    ),
    (
        r#"{"default": {"trip_when": [{"failures": 3, "over": "100"}]}}"#,
        "over",
        r#"over is "100", but must be a window"#,
    ),
    (
        r#"{"default": {"trip_when": [{"failures": 3, "over": "100 cells"}]}}"#,
        "over",
        r#"over is "100 cells", but must be a window"#,
    ),
    (
        r#"{"default": {"trip_when": [{"failures": 3, "over": "-1 calls"}]}}"#,
        "over",
        r#"over is "-1 calls", but must be a window"#,
    ),
    (
        r#"{"default": {"trip_when": [{"failures": 3, "over": "1m in many buckets"}]}}"#,
        "over",
        r#"over is "1m in many buckets", but must be a window"#,
    ),
    // Values that the builder rejects.
    (
        r#"{"breakers": {"a": {"failure_threshold": 0}}}"#,
        "failure_threshold",
        "failure_threshold is 0, but must be 1 to 4294967295",
    ),
    (
        r#"{"breakers": {"a": {"failure_threshold": -1}}}"#,
        "failure_threshold",
        "failure_threshold is -1, but must be a whole number",
    ),
    (
        r#"{"breakers": {"a": {"failure_threshold": 4294967296}}}"#,
        "failure_threshold",
        "failure_threshold is 4294967296, but must be a whole number",
    ),
    (
        r#"{"breakers": {"a": {"failure_threshold": 5.0}}}"#,
        "failure_threshold",
        "failure_threshold is 5.0, but must be a whole number",
    ),
    (
        r#"{"breakers": {"a": {"failure_threshold": "5"}}}"#,
        "failure_threshold",
        r#"failure_threshold is "5", but must be a whole number"#,
    ),
    (
        r#"{"breakers": {"a": {"recovery_timeout": "0s"}}}"#,
        "recovery_timeout",
        "recovery_timeout is 0s, but must be longer than zero",
    ),
    (
        r#"{"breakers": {"a": {"half_open_calls": 1001}}}"#,
        "half_open_calls",
        "half_open_calls is 1001, but must be 1 to 1000",
    ),
    (
        r#"{"breakers": {"a": {"half_open_calls": 2, "success_threshold": 3}}}"#,
        "",
        "breakers.a.success_threshold is 3, but must be 1 to 2 (limited by half_open_calls)",
    ),
    (
        r#"{"presets": {"a": {"success_threshold": 3, "half_open_calls": 2}}}"#,
        "",
        "presets.a.success_threshold is 3, but must be 1 to 2",
    ),
    (
        r#"{"breakers": {"a": {"cancelled_as": "trip for 3s"}}}"#,
        "cancelled_as",
        "cancelled_as is TripFor(3s), but must be Ignored or Failure or Success",
    ),
    (
        r#"{"breakers": {"a": {"unexpected_errors_as": "failure"}}}"#,
        "unexpected_errors_as",
        "unexpected_errors_as is Failure, but must be Success or Ignored",
    ),
    (
        r#"{"breakers": {"a": {"mode": "on"}}}"#,
        "mode",
        r#"mode is "on", but must be enforcing, metrics_only, disabled or forced_open"#,
    ),
    (
        r#"{"breakers": {"a": {"fleet": "quorun:2"}}}"#,
        "fleet",
        r#"fleet is "quorun:2", but must be quorum:1 to quorum:64, always, evidence:1 or more, observe or local (did you mean quorum?)"#,
    ),
    (
        r#"{"prefixes": {"a": {"fleet": "none"}}}"#,
        "fleet",
        r#"fleet is "none", but must be quorum:1 to quorum:64, always, evidence:1 or more, observe or local"#,
    ),
    (
        r#"{"default": {"fleet": "quorum:65"}}"#,
        "fleet",
        "fleet is quorum:65, but must be quorum:1 to quorum:64, always, evidence:1 or more, observe or local",
    ),
    (
        r#"{"presets": {"p": {"fleet": "evidence:0"}}}"#,
        "fleet",
        "fleet is evidence:0, but must be quorum:1 to quorum:64, always, evidence:1 or more, observe or local",
    ),
    (
        r#"{"default": {"fleet": 2}}"#,
        "fleet",
        "fleet is 2, but must be quorum:1 to quorum:64, always, evidence:1 or more, observe or local",
    ),
    (
        r#"{"breakers": {"a": {"count_successes": 1}}}"#,
        "count_successes",
        "count_successes is 1, but must be true or false",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": "2s", "recovery_timeout": "1s"}}}"#,
        "",
        "breakers.a.recovery_timeout is given, but must be omitted, because recovery_backoff is given as well",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": {}}}}"#,
        "recovery_backoff",
        "recovery_backoff.first is missing, but must be a duration",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": {"first": "1s", "factor": 0.5}}}}"#,
        "~factor",
        "recovery_backoff.factor is 0.5, but must be 1.0 to 1000.0",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": {"first": "1s", "max": "1ms"}}}}"#,
        "~max",
        "recovery_backoff.max is 1ms, but must be at least the first delay, 1s",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": {"first": "1s", "jitter": 1}}}}"#,
        "~jitter",
        "recovery_backoff.jitter is 1.0, but must be at least 0.0 and less than 1.0",
    ),
    (
        r#"{"breakers": {"a": {"recovery_backoff": "0s"}}}"#,
        "recovery_backoff",
        r#"recovery_backoff is "0s", but must be longer than zero"#,
    ),
    (
        r#"{"breakers": {"a": {"trip_rules": []}}}"#,
        "trip_rules",
        "trip_rules is [], but must be a list of 1 to 32 rules",
    ),
    (
        r#"{"breakers": {"a": {"trip_rules": {}}}}"#,
        "trip_rules",
        "invalid type: map, expected a",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{}]}}}"#,
        "~trip_when",
        "a rule must have exactly one of consecutive_failures, failures, failure_rate and slow_calls",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failures": 2, "slow_calls": 0.5}]}}}"#,
        "~failures",
        "a rule must have exactly one of",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failure_rate": 1.5, "over": "10 calls"}]}}}"#,
        "~failure_rate",
        "failure_rate is 1.5, but must be greater than 0.0 and at most 1.0",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failure_rate": 0.5}]}}}"#,
        "~failure_rate",
        "failure_rate.over is missing, but must be a window",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failure_rate": 0.5, "over": "0 calls"}]}}}"#,
        "~over",
        "failure_rate.over.calls is 0, but must be 1 to 1000000",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failures": 1, "over": "1us"}]}}}"#,
        "~over",
        "failures.over.time is 1us, but must be 1ms to 366 days",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failures": 1, "over": "1m in 0 buckets"}]}}}"#,
        "~over",
        "failures.over.buckets is 0, but must be 1 to 3600",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failures": 20, "over": "10 calls"}]}}}"#,
        "~failures",
        "failures is 20, but must be 1 to 10",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"failure_rate": 0.5, "over": "10 calls", "minimum_calls": 11}]}}}"#,
        "~over",
        "failure_rate.minimum_calls is 11, but must be 1 to 10",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"slow_calls": 0.5, "over": "10 calls"}]}}}"#,
        "~over",
        "slow_calls.slower_than is missing, but must be a duration",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"consecutive_failures": 0}]}}}"#,
        "~consecutive",
        "consecutive_failures is 0, but must be 1 to",
    ),
    (
        r#"{"breakers": {"a": {"trip_when": [{"consecutive_failures": 2, "over": "1m"}]}}}"#,
        "~over",
        r#"consecutive_failures.over is "1m"#,
    ),
    // Inheritance.
    (
        r#"{"breakers": {"a": {"inherits": "missing"}}, "presets": {"p": {}}}"#,
        "",
        r#"breakers.a.inherits is "missing", but must be the name of a table in presets"#,
    ),
    (
        r#"{"breakers": {"a": {"inherits": "pateint"}}, "presets": {"patient": {}}}"#,
        "",
        r#"breakers.a.inherits is "pateint", but must be the name of a table in presets (did you mean "patient"?)"#,
    ),
    (
        r#"{"presets": {"p": {"inherits": "p"}}}"#,
        "",
        "presets.p.inherits forms a cycle: p -> p",
    ),
    (
        r#"{"presets": {"p": {"inherits": "q"}, "q": {"inherits": "p"}}}"#,
        "",
        "presets.p.inherits forms a cycle: q -> p -> q",
    ),
    (
        r#"{"breakers": {"a": {"inherits": 3}}}"#,
        "inherits",
        "inherits is 3, but must be a string",
    ),
    // Wrong types.
    (
        r#"{"breakers": [1]}"#,
        "~breakers",
        "invalid type: sequence, expected a table",
    ),
    (
        r#"{"breakers": 3}"#,
        "breakers",
        "breakers is 3, but must be a table",
    ),
    (
        r#"{"breakers": {"a": "patient"}}"#,
        "patient",
        r#"a is "patient", but must be a table of settings"#,
    ),
    (
        r#"{"presets": "x"}"#,
        "presets",
        r#"presets is "x", but must be a table"#,
    ),
    // Names.
    (
        r#"{"breakers": {"": {}}}"#,
        r#"~"""#,
        r#"breakers."" must have a name of 1 to 256 bytes"#,
    ),
];

/// The name of a format, and functions that write a document and return the error of reading it.
type Format = (
    &'static str,
    fn(&Value) -> String,
    fn(&str) -> Option<String>,
);

const FORMATS: [Format; 3] = [
    (
        "TOML",
        |document| toml::to_string(document).unwrap(),
        |text| Some(toml::from_str::<Settings>(text).err()?.to_string()),
    ),
    (
        "YAML",
        |document| serde_saphyr::to_string(document).unwrap(),
        |text| Some(serde_saphyr::from_str::<Settings>(text).err()?.to_string()),
    ),
    (
        "JSON",
        |document| serde_json::to_string_pretty(document).unwrap(),
        |text| Some(serde_json::from_str::<Settings>(text).err()?.to_string()),
    ),
];

#[test]
fn refusal_has_path_or_line_in_every_format() {
    for (json, word, expected) in REFUSED {
        let document: Value = serde_json::from_str(json).unwrap();
        for (format, write, read) in FORMATS {
            let text = write(&document);
            let error = read(&text).unwrap_or_else(|| panic!("{format} accepts {text}"));
            assert!(error.contains(expected), "{format}: {text}\n{error}");
            if word.is_empty() {
                assert!(error.starts_with(expected), "{format}: {text}\n{error}");
                continue;
            }
            let near = if word.starts_with('~') { 4 } else { 0 };
            let word = word.trim_start_matches('~');
            let at = text.lines().position(|line| line.contains(word)).unwrap() + 1;
            let lines = at.saturating_sub(near)..=at + near;
            let is_named = |line| {
                [" ", ", "]
                    .iter()
                    .any(|gap| error.contains(&format!("line {line}{gap}column")))
            };
            let named = lines.into_iter().any(is_named);
            assert!(named, "{format}: {text}\n{error}");
        }
    }
}

/// Returns a text with a line break, terminal control characters and excessive length.
fn hostile() -> String {
    "\u{1b}[31m\n\u{202e}".to_owned() + &"x".repeat(100_000)
}

#[test]
fn messages_quote_at_most_64_bytes() {
    let x = hostile();
    let x = x.as_str();
    let documents = [
        json!({x: 1}),
        json!({"default": {x: 1}}),
        json!({"default": {"mode": x}}),
        json!({"default": {"failure_threshold": x}}),
        json!({"default": {"recovery_backoff": x}}),
        json!({"default": {"recovery_backoff": {x: "1s"}}}),
        json!({"default": {"trip_rules": x}}),
        json!({"default": {"trip_rules": [x]}}),
        json!({"default": {"trip_rules": [{"failures": 1, "over": x}]}}),
        json!({"default": {"trip_rules": [{x: 1}]}}),
        json!({"default": x}),
        json!({"presets": x}),
        json!({"presets": {x: x}}),
        json!({"presets": {x: {"name": x}}}),
        json!({"presets": {x: {"inherits": x}}}),
        json!({"presets": {x: {"inherits": format!("{x}y")}}}),
        json!({"presets": {x: {"success_threshold": 2, "half_open_calls": 1}}}),
        json!({"presets": {format!("{x}y"): {}}, "breakers": {"a": {"inherits": x}}}),
        json!({"breakers": {x: {}}}),
        json!({"prefixes": {x: {"mode": "on"}}}),
        json!(x),
    ];
    for document in documents {
        let text = serde_json::to_string(&document).unwrap();
        let by_json = serde_json::from_str::<Settings>(&text).unwrap_err();
        let text = toml::to_string(&document).unwrap_or("mode = ''".to_owned());
        let by_toml = toml::from_str::<Settings>(&text).unwrap_err();
        // The message without the line that TOML shows.
        for error in [by_json.to_string(), by_toml.message().to_owned()] {
            let quoted = error.matches('x').count();
            let known = error.matches("max").count() + error.matches("unexpected").count();
            let other = error.matches("prefixes").count() + error.matches("expected").count();
            assert!(quoted <= 64 + known + other, "{quoted}: {error}");
            assert!(error.len() < 700, "{error}");
            let is_plain = |c: char| !c.is_control() && c != '\u{202e}';
            assert!(error.chars().all(is_plain), "{error:?}");
        }
    }
}

#[test]
fn names_of_256_bytes_are_read() {
    let longest = "x".repeat(256);
    let json = format!(r#"{{"breakers": {{"{longest}": {{}}}}, "prefixes": {{"": {{}}}}}}"#);
    assert!(serde_json::from_str::<Settings>(&json).is_ok());
}

#[test]
fn tables_and_lists_are_bounded() {
    let table = |table: &str, entries: usize| {
        let entries: serde_json::Map<_, _> = (0..entries)
            .map(|n| (format!("p{n:05}"), json!({})))
            .collect();
        let document = json!({table: entries});
        let read = serde_json::from_value::<Settings>(document);
        read.map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(table("prefixes", 10_000), Ok(()));
    let many = "prefixes.p10000 exceeds the limit of 10000 prefixes";
    assert_eq!(table("prefixes", 10_001), Err(many.to_owned()));
    let refused = table("prefixes", 16_000).unwrap_err();
    assert!(
        refused.ends_with("exceeds the limit of 10000 prefixes"),
        "{refused}"
    );
    assert_eq!(table("presets", 1_000), Ok(()));
    let many = "presets.p01000 exceeds the limit of 1000 presets";
    assert_eq!(table("presets", 1_001), Err(many.to_owned()));

    let rules = |key: &str, rules: u32| {
        let rules: Vec<_> = (1..=rules)
            .map(|n| json!({"failures": n, "over": "1m"}))
            .collect();
        let document = json!({"default": {key: rules}});
        let read = serde_json::from_value::<Settings>(document);
        read.map(|_| ()).map_err(|error| error.to_string())
    };
    for key in ["trip_rules", "trip_when"] {
        assert_eq!(rules(key, 32), Ok(()));
        let many = "the list has 33 rules, but must have at most 32";
        assert_eq!(rules(key, 33), Err(many.to_owned()));
    }
}

#[test]
fn duplicate_key_is_refused() {
    let cases = [
        (
            r#"{"default": {}, "default": {}}"#,
            "duplicate field `default`",
        ),
        (
            r#"{"breakers": {"a": {}, "a": {}}}"#,
            "breakers.a is given twice",
        ),
        (
            r#"{"breakers": {"a": {"mode": "disabled", "mode": "disabled"}}}"#,
            "duplicate field `mode`",
        ),
    ];
    for (json, expected) in cases {
        let error = serde_json::from_str::<Settings>(json).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn invalid_numbers_are_refused() {
    for number in ["nan", "inf", "-inf", "-0.1", "0", "1e300"] {
        let text = format!("default.trip_when = [{{ failure_rate = {number}, over = '9 calls' }}]");
        let error = toml::from_str::<Settings>(&text).unwrap_err().to_string();
        let expected = "failure_rate is ";
        assert!(error.contains(expected), "{error}");
        let text = format!("default.recovery_backoff = {{ first = '1s', factor = {number} }}");
        let error = toml::from_str::<Settings>(&text).unwrap_err().to_string();
        assert!(error.contains("recovery_backoff.factor is "), "{error}");
    }
}

#[test]
fn chain_of_presets_is_bounded() {
    use std::fmt::Write;
    let mut text = String::from("[breakers.a]\ninherits = 'p0'\n");
    for at in 0..40 {
        let next = at + 1;
        let _ = write!(text, "[presets.p{at}]\ninherits = 'p{next}'\n");
    }
    text.push_str("[presets.p40]\n");
    let error = toml::from_str::<Settings>(&text).unwrap_err().to_string();
    assert!(
        error.contains("forms a chain of more than 16 presets"),
        "{error}"
    );
}

#[test]
fn toml_error_shows_line() {
    let text = "[default]\nmode = \"disabled\"\n\n[breakers.users]\nrecovery_timeout = \"1y\"\n";
    let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
    assert!(error.contains("line 5, column 20"), "{error}");
    let text = "[default]\nmode = \"disabled\"\nmodus = 3\n";
    let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
    assert!(error.contains("line 3"), "{error}");
}

#[test]
fn standalone_values_are_checked() {
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
    refused::<Backoff>(r#""0s""#, "must be longer than zero");
    refused::<Backoff>("null", "must be a duration");
    refused::<Mode>(r#""half""#, "must be enforcing");
    refused::<Mode>("null", "is missing");
    refused::<Outcome>(r#""trip for ever""#, "must be success");
    refused::<BreakerBuilder>(r#"{"half_open_calls": 0}"#, "half_open_calls is 0");
    refused::<BreakerBuilder>(r#"{"inherits": "x"}"#, "inherits is not a valid key");
    refused::<BreakerBuilder>(r#"{"name": ""}"#, "name is");
    // A configuration has no lower layer: `half_open_calls` is 1, so two successes are too many.
    refused::<BreakerConfig>(r#"{"success_threshold": 2}"#, "success_threshold is 2");
}
