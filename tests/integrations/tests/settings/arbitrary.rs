//! Random documents cause errors, never panics. Documents that are read are applied or refused.

use breakerbox::prelude::*;
use breakerbox::settings::Settings;
use proptest::prelude::*;
use serde_json::{Value, json};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u32..12).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0.0_f64..1.5).prop_map(Value::from),
        "[0-9]{0,22}[.]?[0-9]{0,3} ?(ns|us|ms|s|m|h|d|y|)( [0-9]{1,2}(s|ms))?"
            .prop_map(Value::from),
        "[0-9]{1,9} calls?( in [0-9]{1,3} buckets?)?".prop_map(Value::from),
        "[0-9]{1,3}(ms|s|m) in [0-9]{1,5} buckets".prop_map(Value::from),
        prop::sample::select(vec![
            "success",
            "failure",
            "ignored",
            "disabled",
            "forever",
            "p",
            "q",
            "always",
            "quorum:2",
            "quorum:65",
            "evidence:3"
        ])
        .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    let known = [
        "inherits",
        "failure_threshold",
        "trip_when",
        "trip_rules",
        "recovery_timeout",
        "recovery_backoff",
        "ramp_up",
        "max_trip_for",
        "half_open_calls",
        "success_threshold",
        "trial_timeout",
        "unexpected_errors_as",
        "cancelled_as",
        "cancelled_after",
        "mode",
        "fleet",
        "count_successes",
        "failures",
        "failure_rate",
        "slow_calls",
        "over",
        "minimum_calls",
        "slower_than",
        "first",
        "factor",
        "max",
        "jitter",
        "consecutive_failures",
    ];
    prop_oneof![
        20 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let table = |value: BoxedStrategy<Value>| {
        prop::collection::btree_map(key(), value, 0..3)
            .prop_map(|entries| Value::Object(entries.into_iter().collect()))
    };
    scalar().prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            table(inner.boxed())
        ]
    })
}

prop_compose! {
    fn document()(
        tables in prop::collection::vec(
            prop::collection::btree_map(key(), value(), 0..3).prop_map(|map| {
                Value::Object(map.into_iter().collect())
            }), 5),
        name in prop_oneof![Just("p".to_owned()), any::<String>()],
    ) -> Value {
        json!({
            "default": tables[0],
            "presets": {"p": tables[1], "q": tables[2]},
            "prefixes": {&name: tables[3]},
            "breakers": {&name: tables[4]},
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plausible_documents_apply_or_fail(document in document()) {
        let registry = BreakerRegistry::new();
        let live = registry.breaker("p");
        if let Ok(settings) = serde_json::from_value::<Settings>(document.clone()) {
            let text = toml::to_string(&settings).unwrap();
            prop_assert_eq!(&toml::from_str::<Settings>(&text).unwrap(), &settings, "{}", text);
            let _ = registry.apply(&settings);
            let _ = live.call(|| Err::<(), _>("down"));
        }
        // TOML and JSON accept the same documents.
        if let Ok(text) = toml::to_string(&document) {
            let by_toml = toml::from_str::<Settings>(&text);
            let by_json = serde_json::from_value::<Settings>(document);
            prop_assert_eq!(by_toml.is_ok(), by_json.is_ok(), "{}\n{:?}\n{:?}", text, by_toml, by_json);
        }
    }

    #[test]
    fn arbitrary_values_never_panic(value in value()) {
        let _ = serde_json::from_value::<Settings>(value.clone());
        let _ = serde_json::from_value::<BreakerBuilder>(value.clone());
        let _ = serde_json::from_value::<TripRule>(value.clone());
        let _ = serde_json::from_value::<Backoff>(value.clone());
        let _ = serde_json::from_value::<Window>(value);
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = toml::from_str::<Settings>(&text);
        let _ = serde_json::from_str::<Settings>(&text);
        let _ = serde_saphyr::from_str::<Settings>(&text);
        let quoted = serde_json::to_string(&text).unwrap();
        let _ = serde_json::from_str::<Window>(&quoted);
        let _ = serde_json::from_str::<Outcome>(&quoted);
    }
}
