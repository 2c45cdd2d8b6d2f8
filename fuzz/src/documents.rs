//! Fuzzes settings from text and from code.
//!
//! Invalid settings must cause an error and never a panic. Accepted settings must result in a
//! working breaker.

use crate::input::Input;
use arbitrary::Result;
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::settings::Settings;
use breakerbox::{Backoff, BreakerBuilder, Outcome, Window};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

pub(crate) fn run(data: &[u8]) -> Result<()> {
    let mut input = Input::new(data);
    let u = &mut input;
    match u.int_in_range(0..=3)? {
        0 => read(&u.arbitrary::<&str>()?.replace('\r', "\n")),
        1 | 2 => {
            let mut text = String::new();
            while !u.is_empty() {
                text.push_str(&token(u)?);
            }
            read(&text);
        }
        _ => {
            let builder = builder(u)?;
            build(&builder);
        }
    }
    Ok(())
}

/// Returns a piece of a document. Most pieces are valid words, because misspelled keys find few
/// bugs.
fn token(u: &mut Input) -> Result<String> {
    const TOKENS: &str = "default|presets|prefixes|breakers|inherits|failure_threshold|failure_treshold|trip_when|\
        trip_rules|recovery_timeout|recovery_backoff|max_trip_for|ramp_up|half_open_calls|success_threshold|\
        trial_timeout|unexpected_errors_as|cancelled_as|cancelled_after|mode|fleet|count_successes|\
        capture_last_failure|consecutive_failures|failures|failure_rate|slow_calls|over|minimum_calls|\
        slower_than|first|factor|max|jitter|p|q|users|\n[default]\n|\n[presets.p]\n|\n[presets.q]\n|\
        \n[prefixes.\"http:\"]\n|\n[breakers.users]\n|\n|\n|\n| = | = |=|.|,|,|:|: |{|}|[|]|\"|\"|'| |\
        true|false|0|1|5|20|0.5|1.0|-1|nan|inf|1e300|4294967296|\"30s\"|\"1m 30s\"|\"1ns\"|\"0s\"|\
        \"forever\"|\"100 calls\"|\"1m in 12 buckets\"|\"10s\"|\"success\"|\"ignored\"|\"failure\"|\
        \"metrics_only\"|\"disabled\"|\"enforcing\"|\"forced_open\"|\"p\"|\"q\"|ms|us|h|d|calls|in|buckets|\
        \ninherits = \"p\"\n|\nfailure_threshold = |\ntrip_when = [|{ failures = 5, over = |\
        { failure_rate = 0.5, over = |{ slow_calls = 0.5, slower_than = |, over = |, minimum_calls = | }\n|\
        ]\n|\nrecovery_backoff = { first = \"1s\", factor = |\nmode = \"|\n\"\":|reset_backoff_after";
    let tokens: Vec<&str> = TOKENS.split('|').collect();
    let which = usize::from(u.arbitrary::<u8>()?);
    Ok(match tokens.get(which) {
        Some(token) => (*token).to_owned(),
        None => char::from(u.arbitrary::<u8>()?).to_string(),
    })
}

fn read(text: &str) {
    let by_toml = toml::from_str::<Settings>(text);
    let by_json = serde_json::from_str::<Settings>(text);
    if let Err(error) = &by_toml {
        assert!(error.message().len() < 1_000, "{error}");
    }
    if let Err(error) = &by_json {
        assert!(error.to_string().len() < 1_000, "{error}");
    }
    for settings in [by_toml.ok(), by_json.ok()].into_iter().flatten() {
        assert_round_trip(&settings);
        apply(&settings);
    }
    if let Ok(builder) = toml::from_str::<BreakerBuilder>(text) {
        build(&builder);
    }
    if let Ok(builder) = serde_json::from_str::<BreakerBuilder>(text) {
        build(&builder);
    }
    value::<TripRule>(text);
    value::<Backoff>(text);
    value::<Mode>(text);
    value::<Outcome>(text);
    // Text as it occurs inside a document.
    let quoted = serde_json::to_string(text).expect("a text is JSON");
    value::<Window>(&quoted);
    value::<Mode>(&quoted);
}

fn value<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    if let Ok(value) = serde_json::from_str::<T>(text) {
        assert_round_trip(&value);
    }
}

/// Asserts that serialized data deserializes to the same value.
fn assert_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let json = serde_json::to_string(value).expect("serializable");
    let back: T = serde_json::from_str(&json).expect("a round trip");
    assert_eq!(back, *value, "{json}");
    // TOML has no values outside of tables.
    let toml = toml::to_string(&BTreeMap::from([("value", value)])).expect("serializable");
    let back: BTreeMap<String, T> = toml::from_str(&toml).expect("a round trip");
    assert_eq!(back["value"], *value, "{toml}");
}

fn apply(settings: &Settings) {
    let registry = BreakerRegistry::builder()
        .clock(ManualClock::new())
        .capacity(4);
    let registry = registry.build().expect("valid settings");
    let names = ["users", "http:users", "p"];
    for name in names {
        let call = || Err::<(), _>("down");
        let _ = call.with_breaker(&registry, name).call();
    }
    let Ok(applied) = registry.apply(settings) else {
        assert_eq!(registry.len(), names.len(), "all or nothing");
        return;
    };
    assert!(registry.len() <= registry.capacity());
    for name in settings.breakers() {
        assert!(
            registry.get(name).is_some(),
            "{name:?} has an entry: {applied}"
        );
    }
    let again = registry
        .apply(settings)
        .expect("settings that were applied before");
    assert!(again.is_empty(), "{applied}, and then {again}");
    for breaker in &registry {
        exercise(&breaker);
    }
}

fn build(builder: &BreakerBuilder) {
    let clock = ManualClock::new();
    match builder.clone().clock(clock.clone()).build() {
        Ok(breaker) => {
            exercise(&breaker);
            clock.advance(Duration::from_secs(3_601));
            exercise(&breaker);
            clock.advance(Duration::MAX);
            exercise(&breaker);
            let text = serde_json::to_string(builder).expect("serializable");
            let back: BreakerBuilder = serde_json::from_str(&text).expect("a round trip");
            let again = serde_json::to_string(&back).expect("serializable");
            assert_eq!(text, again);
            breaker.configure(|_| back).expect("the same settings");
        }
        Err(error) => assert!(error.to_string().len() < 4_000),
    }
}

/// Asserts that the breaker works.
fn exercise(breaker: &CircuitBreaker) {
    for number in 0..8 {
        let result = breaker.call(|| if number % 3 == 0 { Ok(()) } else { Err("down") });
        let state = breaker.state();
        assert!(result.is_ok() || result.is_err_and(|error| !error.to_string().is_empty()));
        assert_eq!(breaker.snapshot().state, state);
    }
    breaker.trip();
    breaker.half_open();
    drop(breaker.try_acquire());
    breaker.reset();
    assert!(!breaker.snapshot().to_string().is_empty());
}

fn duration(u: &mut Input) -> Result<Duration> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Duration::from_nanos(u.arbitrary()?),
        1 => Duration::from_secs(u.arbitrary()?),
        2 => *u.choose(&[Duration::ZERO, Duration::MAX, Duration::from_millis(1)])?,
        _ => Duration::from_millis(u64::from(u.arbitrary::<u16>()?)),
    })
}

/// Returns a number that is usually in the valid range.
fn number(u: &mut Input) -> Result<u32> {
    if u.ratio(1, 4)? {
        u.arbitrary()
    } else {
        Ok(u32::from(u.arbitrary::<u8>()?))
    }
}

fn rate(u: &mut Input) -> Result<f64> {
    if u.ratio(1, 4)? {
        u.arbitrary()
    } else {
        Ok(f64::from(u.arbitrary::<u8>()?) / 128.0)
    }
}

fn rule(u: &mut Input) -> Result<TripRule> {
    let mut rule = match u.int_in_range(0..=3)? {
        0 => TripRule::consecutive_failures(number(u)?),
        1 => TripRule::failures(number(u)?),
        2 => TripRule::failure_rate(rate(u)?),
        _ => TripRule::slow_calls(rate(u)?).slower_than(duration(u)?),
    };
    if u.ratio(3, 4)? {
        // A valid window occupies at most 125 kB.
        let mut window = if u.arbitrary()? {
            Window::calls(number(u)?)
        } else {
            Window::time(duration(u)?)
        };
        if u.ratio(1, 4)? {
            window = window.buckets(number(u)?);
        }
        rule = rule.over(window);
    }
    if u.ratio(1, 4)? {
        rule = rule.minimum_calls(number(u)?);
    }
    if u.ratio(1, 8)? {
        rule = rule.slower_than(duration(u)?);
    }
    Ok(rule)
}

fn outcome(u: &mut Input) -> Result<Outcome> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Outcome::Success,
        1 => Outcome::Failure,
        2 => Outcome::Ignored,
        _ => Outcome::TripFor(duration(u)?),
    })
}

fn builder(u: &mut Input) -> Result<BreakerBuilder> {
    let mut builder = CircuitBreaker::builder();
    while !u.is_empty() {
        builder = match u.int_in_range(0..=15)? {
            0 => builder.failure_threshold(number(u)?),
            1 | 2 => builder.trip_when(rule(u)?),
            3 => builder.trip_rules(u.arbitrary::<bool>()?.then(|| rule(u)).transpose()?),
            4 => builder.recovery_timeout(duration(u)?),
            5 => {
                let backoff = Backoff::exponential(duration(u)?).factor(rate(u)?);
                builder.recovery_backoff(backoff.max(duration(u)?).jitter(rate(u)?))
            }
            6 => builder.max_trip_for(duration(u)?),
            7 => builder.half_open_calls(number(u)?),
            8 => builder.success_threshold(number(u)?),
            9 => builder.trial_timeout(duration(u)?),
            10 => builder.cancelled_as(outcome(u)?),
            11 => builder.unexpected_errors_as(outcome(u)?),
            12 => builder.cancelled_after(duration(u)?),
            13 => builder.reset_backoff_after(duration(u)?),
            14 => builder.ramp_up(duration(u)?),
            _ => builder.name(u.arbitrary::<&str>()?),
        };
    }
    Ok(builder)
}
