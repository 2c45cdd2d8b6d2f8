//! Serialized settings deserialize to the same values.

use breakerbox::fleet::Share;
use breakerbox::settings::Settings;
use breakerbox::{
    Backoff, BreakerBuilder, BreakerConfig, CircuitBreaker, Mode, NotKept, Outcome, Refusal, State,
    TripRule, Window,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

/// Asserts a round trip through JSON, YAML and TOML. TOML has no values outside of tables.
#[track_caller]
fn assert_round_trips<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&json).unwrap(), *value, "{json}");
    let yaml = serde_saphyr::to_string(value).unwrap();
    assert_eq!(
        serde_saphyr::from_str::<T>(&yaml).unwrap(),
        *value,
        "{yaml}"
    );
    let table = BTreeMap::from([("value", value)]);
    let toml = toml::to_string(&table).unwrap();
    let back: BTreeMap<String, T> = toml::from_str(&toml).unwrap();
    assert_eq!(back["value"], *value, "{toml}");
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1_u64..100_000).prop_map(Duration::from_secs),
        (1_u64..100_000_000_000).prop_map(Duration::from_nanos),
        (1_u64.., 0_u32..1_000_000_000).prop_map(|(s, n)| Duration::new(s, n)),
        Just(Duration::MAX),
    ]
}

fn window() -> impl Strategy<Value = Window> {
    let time = (3_600_u64..10_000_000).prop_map(Duration::from_millis);
    prop_oneof![
        (10_u32..=1_000_000).prop_map(Window::calls),
        time.clone().prop_map(Window::time),
        (time, 1_u32..=3_600).prop_map(|(time, buckets)| Window::time(time).buckets(buckets)),
    ]
}

fn rule() -> impl Strategy<Value = TripRule> {
    let rate = || 0.000_001_f64..=1.0;
    let minimum = || prop::option::of(1_u32..=10);
    let with_minimum = |rule: TripRule, minimum: Option<u32>| match minimum {
        Some(calls) => rule.minimum_calls(calls),
        None => rule,
    };
    prop_oneof![
        (1_u32..).prop_map(TripRule::consecutive_failures),
        (1_u32..=10, window()).prop_map(|(n, window)| TripRule::failures(n).over(window)),
        (rate(), window(), minimum()).prop_map(move |(rate, window, minimum)| {
            with_minimum(TripRule::failure_rate(rate).over(window), minimum)
        }),
        (rate(), window(), duration(), minimum()).prop_map(
            move |(rate, window, limit, minimum)| {
                with_minimum(
                    TripRule::slow_calls(rate).slower_than(limit).over(window),
                    minimum,
                )
            }
        ),
    ]
}

fn backoff() -> impl Strategy<Value = Backoff> {
    let growing = (duration(), 1.0_f64..=1_000.0, 0.0_f64..1.0, any::<bool>());
    prop_oneof![
        duration().prop_map(Backoff::constant),
        growing.prop_map(|(first, factor, jitter, bounded)| {
            let backoff = Backoff::exponential(first).factor(factor).jitter(jitter);
            if bounded {
                backoff.max(first.saturating_mul(3))
            } else {
                backoff
            }
        }),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        Just(Mode::Enforcing),
        Just(Mode::MetricsOnly),
        Just(Mode::Disabled),
        Just(Mode::ForcedOpen),
    ]
}

fn share() -> impl Strategy<Value = Share> {
    prop_oneof![
        (1_u16..=64).prop_map(Share::quorum),
        Just(Share::always()),
        (1..=u32::MAX).prop_map(Share::with_evidence),
        Just(Share::observe()),
        Just(Share::local()),
    ]
}

prop_compose! {
    fn builder()(
        rules in prop::option::of(prop::collection::vec(rule(), 1..4)),
        backoff in backoff(),
        times in prop::array::uniform3(prop::option::of(duration())),
        ramp_up in prop::option::of((1..=366 * 86_400_000_u64).prop_map(Duration::from_millis)),
        half_open in 1_u32..=1_000,
        successes in prop::option::of(0.0_f64..1.0),
        mode in mode(),
        share in prop::option::of(share()),
        flags in any::<[bool; 4]>(),
        cancelled in prop_oneof![
            Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Ignored)
        ],
        name in prop::option::of("\\PC{1,40}"),
    ) -> BreakerBuilder {
        let mut builder = CircuitBreaker::builder()
            .recovery_backoff(backoff)
            .half_open_calls(half_open)
            .mode(mode)
            .count_successes(flags[0])
            .capture_last_failure(flags[1])
            .cancelled_as(cancelled);
        if let Some(rules) = rules {
            builder = builder.trip_rules(rules);
        }
        if flags[2] {
            builder = builder.unexpected_errors_as(Outcome::Ignored);
        }
        let [trial, cancelled, longest] = times;
        if let Some(time) = trial {
            builder = builder.trial_timeout(time);
        }
        if let Some(time) = cancelled {
            builder = builder.cancelled_after(time);
        }
        if let Some(time) = longest {
            builder = builder.max_trip_for(time);
        }
        if let Some(time) = ramp_up {
            builder = builder.ramp_up(time);
        }
        if let Some(share) = successes {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let successes = (f64::from(half_open) * share) as u32;
            builder = builder.success_threshold(successes.max(1));
        }
        if let Some(share) = share {
            builder = builder.fleet(share);
        }
        if let Some(name) = name {
            builder = builder.name(name);
        }
        builder
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rules_round_trip(rule in rule()) { assert_round_trips(&rule) }

    #[test]
    fn windows_round_trip(window in window()) { assert_round_trips(&window) }

    #[test]
    fn backoffs_round_trip(backoff in backoff()) { assert_round_trips(&backoff) }

    #[test]
    fn shares_round_trip(share in share()) { assert_round_trips(&share) }

    #[test]
    fn outcomes_round_trip(time in duration()) { assert_round_trips(&Outcome::TripFor(time)) }

    /// Builders do not implement `PartialEq`, so their `Debug` output is compared.
    #[test]
    fn builders_and_configs_round_trip(builder in builder()) {
        let json = serde_json::to_string(&builder).unwrap();
        let back: BreakerBuilder = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{builder:?}"), "{}", json);
        let toml = toml::to_string(&builder).unwrap();
        let back: BreakerBuilder = toml::from_str(&toml).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{builder:?}"), "{}", toml);
        let yaml = serde_saphyr::to_string(&builder).unwrap();
        let back: BreakerBuilder = serde_saphyr::from_str(&yaml).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{builder:?}"), "{}", yaml);

        let config = builder.build().unwrap().config();
        let toml = toml::to_string(&*config).unwrap();
        let back: BreakerConfig = toml::from_str(&toml).unwrap();
        prop_assert_eq!(back.trip_rules(), config.trip_rules());
        prop_assert_eq!(back.recovery_backoff(), config.recovery_backoff());
        prop_assert_eq!(back.success_threshold(), config.success_threshold());
        prop_assert_eq!(back.trial_timeout(), config.trial_timeout());
        prop_assert_eq!(back.ramp_up(), config.ramp_up());
        prop_assert_eq!(back.fleet(), config.fleet());
        prop_assert_eq!(toml::to_string(&back).unwrap(), toml);
    }

    #[test]
    fn documents_round_trip(
        entries in prop::collection::btree_map("[a-z:\" .é-]{1,12}", builder(), 0..4),
        shared in builder(),
    ) {
        // An entry must not contain a name, because its key is the name.
        let entry = |builder: &BreakerBuilder| {
            let mut entry = serde_json::to_value(builder).unwrap();
            entry.as_object_mut().unwrap().remove("name");
            entry
        };
        let mut breakers = serde_json::Map::new();
        for (name, builder) in &entries {
            let mut entry = entry(builder);
            entry["inherits"] = "shared".into();
            breakers.insert(name.clone(), entry);
        }
        let document = serde_json::json!({
            "default": entry(&shared),
            "presets": {"shared": entry(&shared)},
            "prefixes": breakers.clone(),
            "breakers": breakers,
        });
        let settings: Settings = serde_json::from_value(document).unwrap();
        prop_assert_eq!(settings.breakers().count(), entries.len());
        let text = toml::to_string(&settings).unwrap();
        prop_assert_eq!(&toml::from_str::<Settings>(&text).unwrap(), &settings, "{}", text);
        let text = serde_saphyr::to_string(&settings).unwrap();
        prop_assert_eq!(&serde_saphyr::from_str::<Settings>(&text).unwrap(), &settings, "{}", text);
        let text = serde_json::to_string(&settings).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Settings>(&text).unwrap(), &settings, "{}", text);
    }
}

#[test]
fn enums_round_trip() {
    use State::{Closed, Disabled, ForcedOpen, HalfOpen, MetricsOnly, Open};
    for mode in [
        Mode::Enforcing,
        Mode::MetricsOnly,
        Mode::Disabled,
        Mode::ForcedOpen,
    ] {
        assert_round_trips(&mode);
    }
    for state in [Closed, Open, HalfOpen, ForcedOpen, Disabled, MetricsOnly] {
        assert_round_trips(&state);
    }
    for reason in [
        Refusal::Open,
        Refusal::TrialsTaken,
        Refusal::Forced,
        Refusal::RampingUp,
    ] {
        assert_round_trips(&reason);
    }
    for reason in [NotKept::InvalidName, NotKept::NoRoom] {
        assert_round_trips(&reason);
    }
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        assert_round_trips(&outcome);
    }
    assert_round_trips(&Window::calls(1));
}

#[test]
fn default_builder_is_empty_table() {
    assert_eq!(
        serde_json::to_string(&CircuitBreaker::builder()).unwrap(),
        "{}"
    );
    assert_eq!(toml::to_string(&Settings::default()).unwrap(), "");
    assert_eq!(toml::from_str::<Settings>("").unwrap(), Settings::default());
    assert_eq!(
        serde_json::from_str::<Settings>("null").unwrap(),
        Settings::default()
    );
    let commented_out = "default:\nbreakers:\n  users:\n  orders:\n    mode:\n";
    let settings: Settings = serde_saphyr::from_str(commented_out).unwrap();
    assert_eq!(settings.breakers().collect::<Vec<_>>(), ["orders", "users"]);
}

/// A window in a message can be copied into a document.
#[test]
fn printed_windows_deserialize() {
    for window in [
        Window::calls(100),
        Window::time(Duration::from_secs(60)).buckets(12),
        Window::time(Duration::from_millis(1_500)).buckets(10),
    ] {
        let printed = serde_json::to_string(&window.to_string()).unwrap();
        assert_eq!(serde_json::from_str::<Window>(&printed).unwrap(), window);
    }
}
