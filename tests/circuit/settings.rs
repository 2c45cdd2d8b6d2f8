//! The arguments of `#[circuit]`: settings, presets, error rules, time limits and `crate`.

use crate::support::{CallResult, Error, assert_send, expect_ready, global};
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const THRESHOLD: u32 = 7;

#[circuit(
    name = "settings-all",
    failure_threshold = 3,
    recovery_timeout = "1m 30s",
    half_open_calls = 4,
    success_threshold = 2,
    trial_timeout = "2h",
    trip_when = [
        TripRule::failure_rate(0.5).over(Window::calls(10)),
        TripRule::failures(9).over(Window::time(MINUTE)),
    ],
)]
fn all() -> CallResult<()> {
    Ok(())
}

#[circuit(name = "settings-expressions", failure_threshold = THRESHOLD, recovery_timeout = MINUTE * 2)]
fn expressions() -> CallResult<()> {
    Ok(())
}

#[circuit(name = "settings-rule", trip_when = TripRule::failures(2).over(Window::calls(2)))]
fn one_rule() -> CallResult<()> {
    Ok(())
}

#[test]
fn numbers_durations_and_rules_are_applied() {
    all().expect("closed");
    let config = global("settings-all").config();
    assert_eq!(config.trip_rules().len(), 3);
    assert_eq!(config.trip_rules()[0], TripRule::consecutive_failures(3));
    assert_eq!(config.recovery_backoff(), Backoff::constant(MINUTE * 3 / 2));
    assert_eq!(config.trial_timeout(), MINUTE * 120);
    assert_eq!(config.half_open_calls(), 4);
    assert_eq!(config.success_threshold(), 2);
    expressions().expect("closed");
    let breaker = global("settings-expressions");
    assert_eq!(
        breaker.config().trip_rules(),
        [TripRule::consecutive_failures(THRESHOLD)]
    );
    breaker.trip();
    assert!(breaker.open_remaining() > Some(MINUTE));
    one_rule().expect("closed");
    let rules = [TripRule::failures(2).over(Window::calls(2))];
    assert_eq!(global("settings-rule").config().trip_rules(), rules);
}

#[circuit(
    name = "settings-others",
    recovery_backoff = Backoff::exponential(MINUTE),
    reset_backoff_after = "2m",
    ramp_up = "90s",
    max_trip_for = "3m",
    cancelled_after = "4m",
    unexpected_errors_as = Outcome::Ignored,
    cancelled_as = Outcome::Failure,
    mode = Mode::MetricsOnly,
    count_successes = false,
    capture_last_failure = true,
    redact_last_failure = |text| format!("redacted {}", text.len()),
    trip_rules = [TripRule::failures(2).over(Window::calls(2))],
)]
fn others() -> CallResult<()> {
    Ok(())
}

#[test]
fn every_single_value_setting_is_applied() {
    others().expect("nothing is refused");
    let config = global("settings-others").config();
    assert_eq!(config.recovery_backoff(), Backoff::exponential(MINUTE));
    assert_eq!(config.reset_backoff_after(), Some(2 * MINUTE));
    assert_eq!(config.ramp_up(), Some(MINUTE * 3 / 2));
    assert_eq!(config.max_trip_for(), 3 * MINUTE);
    assert_eq!(config.cancelled_after(), Some(4 * MINUTE));
    assert_eq!(config.unexpected_errors_as(), Outcome::Ignored);
    assert_eq!(config.cancelled_as(), Outcome::Failure);
    assert_eq!(config.mode(), Mode::MetricsOnly);
    assert!(!config.count_successes());
    assert_eq!(config.trip_rules().len(), 1);
    // A new setting must be added above and to the keys of the attribute, or this assertion fails.
    let explanation = config.explain();
    let unnamed: Vec<_> = explanation
        .settings()
        .filter(|(.., layer)| *layer == "default")
        .map(|(key, ..)| key)
        // Exists only with its feature, with which tests/fleet_port covers it.
        .filter(|key| *key != "fleet")
        .collect();
    let others = [
        "half_open_calls",
        "success_threshold",
        "trial_timeout",
        "error_rules",
        "on_event",
    ];
    assert_eq!(unnamed, others);
}

struct Careful;

impl Preset for Careful {
    const FAILURE_THRESHOLD: u32 = 2;
    const RECOVERY_TIMEOUT: Duration = MINUTE;
}

#[circuit(name = "settings-preset", preset = Careful)]
fn with_preset() -> CallResult<()> {
    Ok(())
}

#[circuit(name = "settings-adjusted", preset = Careful, failure_threshold = 9,
    builder = |builder| builder.cancelled_after(MINUTE))]
fn with_adjusted_preset() -> CallResult<()> {
    Ok(())
}

#[circuit(name = "settings-builder", builder = CircuitBreaker::builder().mode(Mode::ForcedOpen))]
fn with_builder() -> CallResult<()> {
    Ok(())
}

#[test]
fn presets_and_builders_are_applied() {
    with_preset().expect("closed");
    let breaker = global("settings-preset");
    assert_eq!(
        breaker.config().trip_rules(),
        [TripRule::consecutive_failures(2)]
    );
    breaker.trip();
    assert!(breaker.open_remaining() > Some(MINUTE / 2));
    with_adjusted_preset().expect("closed");
    let config = global("settings-adjusted").config();
    assert_eq!(config.trip_rules(), [TripRule::consecutive_failures(9)]);
    assert_eq!(config.mode(), Mode::Enforcing);
    assert_eq!(config.cancelled_after(), Some(MINUTE));
    assert!(with_builder().is_err_and(|error| error.is_open()));
}

#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error("status {0}")]
    Status(u16),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Circuit(#[from] BreakerError),
}

impl ApiError {
    fn is_server_error(&self) -> bool {
        matches!(self, Self::Status(500..))
    }
}

fn is_busy(error: &ApiError) -> bool {
    matches!(error, ApiError::Status(503))
}

macro_rules! answers {
    ($($function:ident($($setting:tt)*))*) => {$(
        #[circuit($($setting)*, failure_threshold = 1)]
        fn $function(error: Option<ApiError>) -> Result<(), ApiError> {
            error.map_or(Ok(()), Err)
        }
    )*};
}

answers! {
    by_closure(expected = |error| matches!(error, ApiError::Status(500..)))
    by_typed_closure(expected = |error: &ApiError| error.is_server_error())
    by_method(expected = ApiError::is_server_error)
    by_function(expected = is_busy)
    by_type(expected = ApiError)
    by_list(expected = [io::Error, std::fmt::Error])
    not_ignored(ignored = |error| !error.is_server_error())
    not_ignored_path(expected = ApiError, ignored = is_busy)
    at_the_call(fail_if = |error| matches!(error, ApiError::Status(500..)))
    at_the_call_path(fail_if = is_busy)
}

#[test]
fn error_settings_decide_outcome() {
    type Function = fn(Option<ApiError>) -> Result<(), ApiError>;
    let cases: [(&str, Function, bool, bool, bool); 10] = [
        ("by_closure", by_closure, false, true, true),
        ("by_typed_closure", by_typed_closure, false, true, true),
        ("by_method", by_method, false, true, true),
        ("by_function", by_function, false, false, true),
        ("by_type", by_type, true, true, true),
        ("by_list", by_list, false, false, false),
        ("not_ignored", not_ignored, false, true, true),
        ("not_ignored_path", not_ignored_path, true, true, false),
        ("at_the_call", at_the_call, false, true, true),
        ("at_the_call_path", at_the_call_path, false, false, true),
    ];
    for (name, function, not_found, internal, busy) in cases {
        for (status, opens) in [(404, not_found), (500, internal), (503, busy)] {
            assert!(function(Some(ApiError::Status(status))).is_err());
            let breaker = global(&format!("settings::{name}"));
            assert_eq!(breaker.state() == State::Open, opens, "{name}, {status}");
            breaker.reset();
        }
    }
    assert!(by_list(Some(io::Error::other("x").into())).is_err());
    assert_eq!(
        global("settings::by_list").state(),
        State::Closed,
        "the type is unknown, because it is not boxed"
    );
}

#[circuit(expected = io::Error, failure_threshold = 1)]
fn boxed(error: io::Error) -> anyhow::Result<()> {
    Err(error)?
}

#[derive(Debug, PartialEq)]
struct Text(String);

impl From<BreakerError> for Text {
    fn from(error: BreakerError) -> Self {
        Self(error.to_string())
    }
}

#[circuit(expected = Text, failure_threshold = 1)]
fn no_error_type() -> Result<(), Text> {
    Err(Text("bad".to_owned()))
}

#[circuit(expected = |text| text.0 == "bad", ignored = |text: &Text| text.0.is_empty(), failure_threshold = 1)]
fn no_error_type_but_a_predicate(text: &str) -> Result<(), Text> {
    Err(Text(text.to_owned()))
}

#[test]
fn error_rules_find_boxed_and_plain_types() {
    assert!(boxed(io::Error::other("x")).is_err());
    #[cfg(feature = "anyhow")]
    assert_eq!(global("settings::boxed").state(), State::Open);
    assert!(no_error_type().is_err());
    assert_eq!(global("settings::no_error_type").state(), State::Open);
    for (text, state) in [
        ("", State::Closed),
        ("good", State::Closed),
        ("bad", State::Open),
    ] {
        assert!(no_error_type_but_a_predicate(text).is_err());
        assert_eq!(
            global("settings::no_error_type_but_a_predicate").state(),
            state
        );
    }
}

#[circuit(name = "settings-timeout", timeout = "20ms", failure_threshold = 1)]
async fn slow(wait: bool) -> CallResult<u8> {
    if wait {
        std::future::pending::<()>().await;
    }
    Ok(1)
}

#[circuit(name = "settings-timeout-fallback", timeout = MINUTE, failure_threshold = 1, fallback = instead)]
async fn slow_with_fallback(wait: bool) -> CallResult<u8> {
    if wait {
        std::future::pending::<()>().await;
    }
    Ok(1)
}

fn instead(wait: bool) -> CallResult<u8> {
    Ok(u8::from(wait) + 10)
}

#[circuit(name = "settings-timeout-made", timeout = "1s")]
fn slow_and_made() -> impl Future<Output = CallResult<u8>> {
    std::future::pending()
}

#[tokio::test(start_paused = true)]
async fn timeout_setting_limits_calls() {
    assert_eq!(slow(false).await.ok(), Some(1));
    let is_late = |answer: CallResult<u8>| matches!(answer, Err(Error::Circuit(error)) if error.is_timed_out());
    assert!(is_late(slow(true).await));
    assert_eq!(global("settings-timeout").state(), State::Open);
    assert!(slow(false).await.is_err_and(|error| error.is_open()));
    assert!(is_late(slow_with_fallback(true).await));
    assert_eq!(slow_with_fallback(true).await.ok(), Some(11));
    assert!(is_late(slow_and_made().await));
    assert_eq!(
        global("settings-timeout-made").snapshot().totals.timed_out,
        1
    );
}

#[test]
fn missing_timer_panics_before_admission() {
    #[circuit(name = "settings-no-timer", timeout = "1s")]
    async fn limited() -> CallResult<()> {
        Ok(())
    }
    let called = std::panic::catch_unwind(|| expect_ready(limited()));
    assert!(called.is_err(), "the call must panic without a runtime");
    let snapshot = global("settings-no-timer").snapshot();
    assert_eq!((snapshot.totals.failure, snapshot.totals.cancelled), (0, 0));
}

mod elsewhere {
    pub(crate) use breakerbox as exported;
}

#[circuit(crate = elsewhere::exported, name = "settings-crate", expected = [Error], failure_threshold = 2)]
fn by_another_path() -> CallResult<()> {
    Ok(())
}

#[test]
fn crate_setting_changes_path() {
    by_another_path().expect("closed");
    global("settings-crate").trip();
    assert!(by_another_path().is_err());
}

#[test]
fn recovery_timeout_setting_is_applied() {
    #[circuit(name = "settings-recovery", registry = registry, recovery_timeout = "5s", failure_threshold = 1)]
    fn fails(registry: &BreakerRegistry) -> CallResult<()> {
        Err(Error::NoAnswer)
    }
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .build()
        .expect("valid settings");
    assert!(matches!(fails(&registry), Err(Error::NoAnswer)));
    assert!(fails(&registry).is_err_and(|error| error.is_open()));
    clock.advance(Duration::from_secs(5));
    assert!(matches!(fails(&registry), Err(Error::NoAnswer)));
}

#[cfg(feature = "serde")]
#[test]
fn function_settings_extend_document_settings() {
    #[circuit(name = name, registry = registry, failure_threshold = 2)]
    fn fails(registry: &BreakerRegistry, name: &str) -> CallResult<()> {
        Err(Error::NoAnswer)
    }
    let registry = BreakerRegistry::new();
    // One more name than a call site keeps handles for.
    let names = ["a", "b", "c", "d", "e"];
    let breakers = names.map(|name| (name, serde_json::json!({})));
    let breakers = serde_json::Value::from_iter(breakers);
    let document = serde_json::json!({ "breakers": breakers });
    let settings = serde_json::from_value(document).unwrap();
    registry.apply(&settings).unwrap();
    for name in names {
        let by_name = (|| Ok::<_, Error>(())).with_breaker(&registry, name);
        assert!(by_name.call().is_ok());
        for _ in 0..2 {
            assert!(fails(&registry, name).is_err());
        }
        assert_eq!(registry.breaker(name).state(), State::Open, "{name}");
    }
}

/// The `timeout` setting locks the mutex, and so does the body.
struct Limited(Mutex<Duration>);

impl Limited {
    #[circuit(name = "settings-limit-behind-a-lock", timeout = *self.0.lock().unwrap())]
    async fn is_free(&self) -> CallResult<bool> {
        tokio::task::yield_now().await;
        Ok(self.0.try_lock().is_ok())
    }
}

#[tokio::test]
async fn setting_borrow_ends_before_body_runs() {
    let limited = Limited(Mutex::new(MINUTE));
    let call = limited.is_free();
    assert_send(&call);
    assert!(call.await.unwrap());
}
