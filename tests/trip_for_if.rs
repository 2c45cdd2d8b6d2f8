//! `trip_for_if`: errors that say for how long the circuit must stay open.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, Event, Mode};
use std::error::Error;
use std::fmt::{self, Debug};
use std::future::{Ready, ready};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Boxed = Box<dyn Error + Send + Sync>;
type CallResult = Result<(), ApiError>;

const MINUTE: Duration = Duration::from_secs(60);

/// The error of a client that reads `Retry-After`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("status {status}")]
struct ApiError {
    status: u16,
    retry_after: Option<Duration>,
    #[source]
    cause: Option<fmt::Error>,
}

impl ApiError {
    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

const fn busy() -> ApiError {
    busy_for(MINUTE)
}

const fn busy_for(time: Duration) -> ApiError {
    ApiError {
        status: 429,
        retry_after: Some(time),
        cause: None,
    }
}

const fn down() -> ApiError {
    ApiError {
        status: 500,
        retry_after: None,
        cause: None,
    }
}

/// An error with an [`ApiError`] as its source.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
struct Wrapper(#[source] ApiError);

fn reading_time(builder: BreakerBuilder) -> BreakerBuilder {
    builder.trip_for_if(|error: &ApiError| error.retry_after)
}

fn breaker(settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> CircuitBreaker {
    let builder = CircuitBreaker::builder().clock(ManualClock::new());
    settings(builder).build().expect("the settings are valid")
}

fn expect_ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

/// The recorded outcome of a single call. A trip is the time for which the circuit is open.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Recorded {
    Success,
    Failure,
    Ignored,
    Trip(Duration),
}

#[track_caller]
fn recorded(breaker: &CircuitBreaker) -> Recorded {
    let totals = breaker.snapshot().totals;
    let success = totals.success.expect("successes are counted");
    match (success, totals.failure, totals.ignored) {
        (1, 0, 0) => Recorded::Success,
        (0, 1, 0) => match breaker.open_remaining() {
            Some(time) => Recorded::Trip(time),
            None => Recorded::Failure,
        },
        (0, 0, 1) => Recorded::Ignored,
        other => panic!("not one call: {other:?}"),
    }
}

#[track_caller]
fn classify<E: Debug + 'static>(
    settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder,
    error: E,
) -> Recorded {
    let breaker = breaker(settings);
    let _ = breaker.call(|| Err::<(), _>(error));
    recorded(&breaker)
}

type Form<'a> = &'a dyn Fn(&CircuitBreaker);

#[test]
fn returned_time_opens_circuit_in_every_form() {
    fn fails() -> CallResult {
        Err(busy())
    }
    fn fails_later() -> Ready<CallResult> {
        ready(fails())
    }
    let forms: [(&str, Form<'_>); 10] = [
        ("call", &|breaker| drop(breaker.call(fails))),
        ("call_async", &|breaker| {
            drop(expect_ready(breaker.call_async(fails_later())));
        }),
        ("future", &|breaker| {
            drop(expect_ready(fails_later().guarded_by(breaker)));
        }),
        ("function", &|breaker| {
            drop(fails.guarded_by(breaker).call());
        }),
        ("async function", &|breaker| {
            let function = async || fails();
            drop(expect_ready(function.guarded_by(breaker).call()));
        }),
        ("stream", &|breaker| {
            use futures_util::{StreamExt, stream};
            let items = stream::iter([Ok(()), fails()]).guarded_by(breaker);
            drop(expect_ready(items.collect::<Vec<_>>()));
        }),
        ("record_result", &|breaker| {
            breaker.try_acquire().unwrap().record_result(&fails());
        }),
        ("record_error", &|breaker| {
            breaker.try_acquire().unwrap().record_error(&busy());
        }),
        ("permit.call", &|breaker| {
            drop(breaker.try_acquire().unwrap().call(fails));
        }),
        ("permit.run", &|breaker| {
            let permit = breaker.try_acquire().unwrap();
            drop(expect_ready(permit.run(fails_later())));
        }),
    ];
    for (name, call) in forms {
        let breaker = breaker(reading_time);
        call(&breaker);
        assert_eq!(recorded(&breaker), Recorded::Trip(MINUTE), "{name}");
        let text = breaker.last_failure().expect("a text");
        assert!(text.starts_with("ApiError { status: 429"), "{name}: {text}");
    }
}

#[cfg(feature = "tower")]
#[test]
fn layer_reads_time_from_error() {
    use breakerbox::tower::BreakerLayer;
    use tower::{Layer, ServiceExt, service_fn};

    let send = |layer: &dyn Fn(BreakerLayer) -> BreakerLayer, error: ApiError| {
        let breaker = breaker(reading_time);
        let layer = layer(BreakerLayer::new(breaker.clone()));
        let service = layer.layer(service_fn(|error: ApiError| ready(Err::<(), _>(error))));
        assert!(expect_ready(service.oneshot(error)).is_err());
        recorded(&breaker)
    };
    assert_eq!(send(&|layer| layer, busy()), Recorded::Trip(MINUTE));
    assert_eq!(send(&|layer| layer, down()), Recorded::Failure);

    // `classify_response` leaves errors to the rules of the breaker.
    let breaker = breaker(reading_time);
    let layer =
        BreakerLayer::new(breaker.clone()).classify_response(|_response: &()| Outcome::Success);
    let service = layer.layer(service_fn(|error: ApiError| ready(Err::<(), _>(error))));
    assert!(expect_ready(service.oneshot(busy())).is_err());
    assert_eq!(recorded(&breaker), Recorded::Trip(MINUTE));
}

#[cfg(feature = "macros")]
mod attribute {
    use super::*;

    struct ReadsTime;

    impl Preset for ReadsTime {
        fn customize(builder: BreakerBuilder) -> BreakerBuilder {
            reading_time(builder)
        }
    }

    macro_rules! functions {
        ($($function:ident($($setting:tt)*))*) => {$(
            #[circuit(name = "users", registry = registry, fallback = |_, _| Ok(()), $($setting)*)]
            fn $function(registry: &BreakerRegistry, error: ApiError) -> CallResult {
                Err(error)
            }
        )*};
    }

    functions! {
        of_base(builder = reading_time(CircuitBreaker::builder()))
        of_adjusted(builder = |builder| builder.trip_for_if(ApiError::retry_after))
        of_preset(preset = ReadsTime)
        of_adjusted_preset(preset = ReadsTime, builder = |builder| builder.cancelled_after(MINUTE))
        with_expected(expected = fmt::Error, builder = |builder| builder.trip_for_if(ApiError::retry_after))
        of_registry()
    }

    #[test]
    fn function_settings_read_time() {
        type Function = fn(&BreakerRegistry, ApiError) -> CallResult;
        let functions: [Function; 5] = [
            of_base,
            of_adjusted,
            of_preset,
            of_adjusted_preset,
            with_expected,
        ];
        for function in functions {
            let builder = BreakerRegistry::builder().clock(ManualClock::new());
            let registry = builder.build().unwrap();
            assert_eq!(function(&registry, busy()), Err(busy()));
            let users = registry.breaker("users");
            assert_eq!(recorded(&users), Recorded::Trip(MINUTE));
        }
    }

    #[circuit(name = "users", registry = registry, fallback = |_, _| Ok(()), preset = ReadsTime)]
    fn later(registry: &BreakerRegistry, error: ApiError) -> CallResult {
        Err(error)
    }

    #[test]
    fn equal_rule_of_later_function_keeps_its_layer() {
        let registry = BreakerRegistry::new();
        let rules_after = |function: fn(&BreakerRegistry, ApiError) -> CallResult| {
            assert!(function(&registry, down()).is_err());
            let explanation = registry.breaker("users").config().explain();
            let rules = explanation
                .settings()
                .filter(|(key, ..)| *key == "error_rules");
            rules
                .map(|(_, rule, layer)| format!("{rule} {layer}"))
                .collect::<Vec<_>>()
        };
        let first = rules_after(of_base);
        assert_eq!(rules_after(later), first);
    }

    #[test]
    fn function_inherits_rule_of_registry() {
        let registry = BreakerRegistry::builder()
            .clock(ManualClock::new())
            .preset_for("us", reading_time(CircuitBreaker::builder()))
            .build()
            .unwrap();
        assert_eq!(of_registry(&registry, busy()), Err(busy()));
        let users = registry.breaker("users");
        assert_eq!(recorded(&users), Recorded::Trip(MINUTE));
    }
}

#[test]
fn preset_type_may_contain_rule() {
    struct ReadsTime;
    impl Preset for ReadsTime {
        fn customize(builder: BreakerBuilder) -> BreakerBuilder {
            builder.trip_for_if::<ApiError>(|error| error.retry_after)
        }
    }
    let registry = BreakerRegistry::builder()
        .clock(ManualClock::new())
        .preset_for("api:", ReadsTime::preset())
        .build()
        .unwrap();
    registry.register("users", ReadsTime::preset()).unwrap();
    for name in ["api:users", "users"] {
        let breaker = registry.breaker(name);
        let _ = breaker.call(|| Err::<(), _>(busy()));
        assert_eq!(recorded(&breaker), Recorded::Trip(MINUTE), "{name}");
    }
}

/// All combinations of rules and a predicate of the call, against the documented order.
#[test]
fn steps_apply_in_documented_order() {
    // `None` stands for a rule that does not exist.
    let answers = [None, Some(false), Some(true)];
    let times = [None, Some(None), Some(Some(MINUTE))];
    for ignored in answers {
        for time in times {
            for fail_if in answers {
                for expected in answers {
                    let breaker = breaker(|mut builder| {
                        if let Some(answer) = expected {
                            builder = builder.expected_error_if(move |_: &ApiError| answer);
                        }
                        if let Some(time) = time {
                            builder = builder.trip_for_if(move |_: &ApiError| time);
                        }
                        if let Some(answer) = ignored {
                            builder = builder.ignored_error_if(move |_: &ApiError| answer);
                        }
                        builder
                    });
                    let call = || Err::<(), _>(down());
                    let _ = match fail_if {
                        None => call.guarded_by(&breaker).call(),
                        Some(answer) => call
                            .guarded_by(&breaker)
                            .fail_if(move |_: &ApiError| answer)
                            .call(),
                    };
                    let by_rules = match (fail_if.or(expected), time.flatten()) {
                        (_, Some(time)) => Recorded::Trip(time),
                        (None | Some(true), None) => Recorded::Failure,
                        (Some(false), None) => Recorded::Success,
                    };
                    let outcome = match ignored {
                        Some(true) => Recorded::Ignored,
                        _ => by_rules,
                    };
                    let case = (ignored, time, fail_if, expected);
                    assert_eq!(recorded(&breaker), outcome, "{case:?}");
                }
            }
        }
    }
}

#[test]
fn classify_of_call_replaces_rule() {
    let breaker = breaker(reading_time);
    let call = ready(Err::<(), _>(busy())).guarded_by(&breaker);
    let _ = expect_ready(call.classify(|_: &CallResult| Outcome::Success));
    assert_eq!(recorded(&breaker), Recorded::Success);
}

#[test]
fn refusal_of_inner_breaker_is_ignored_before_rule() {
    let inner = breaker(|b| b.mode(Mode::ForcedOpen));
    let refused = inner.try_acquire().unwrap_err();
    let any = |b: BreakerBuilder| b.trip_for_if(|_: &BreakerError| Some(MINUTE));
    let error: BreakerError = refused.into();
    assert_eq!(classify(any, error), Recorded::Ignored);
}

#[test]
fn rule_alone_leaves_other_errors_failures() {
    assert_eq!(classify(reading_time, down()), Recorded::Failure);
    assert_eq!(classify(reading_time, fmt::Error), Recorded::Failure);
    assert_eq!(classify(reading_time, "a text"), Recorded::Failure);
}

#[test]
fn type_of_rule_is_not_unknown() {
    let unknown = Arc::new(Mutex::new(Vec::new()));
    let sink = unknown.clone();
    let breaker = breaker(|b| {
        reading_time(b)
            .expected_error::<io::Error>()
            .on_event(move |event| {
                if let Event::UnknownErrorType { error_type, .. } = event {
                    sink.lock().unwrap().push(error_type.to_string());
                }
            })
    });
    let _ = breaker.call(|| Err::<(), _>(down()));
    assert_eq!(recorded(&breaker), Recorded::Success);
    assert!(unknown.lock().unwrap().is_empty());
    let _ = breaker.call(|| Err::<(), _>("a text"));
    assert_eq!(*unknown.lock().unwrap(), ["&str"]);
}

#[test]
fn rule_looks_inside_errors() {
    #[track_caller]
    fn assert_found<E: Debug + 'static>(error: E) {
        let type_name = std::any::type_name::<E>();
        assert_eq!(
            classify(reading_time, error),
            Recorded::Trip(MINUTE),
            "{type_name}"
        );
    }
    assert_found(Box::new(busy()));
    assert_found(Arc::new(busy()));
    assert_found(Rc::new(busy()));
    assert_found(BreakerError::Inner(busy()));
    assert_found(BreakerError::Inner(Arc::new(BreakerError::Inner(busy()))));
    assert_found(Boxed::from(busy()));
    assert_found(Boxed::from(Wrapper(busy())));
    assert_found(BreakerError::Inner(Boxed::from(Arc::new(busy()))));
    assert_found(io::Error::other(Wrapper(busy())));
    #[cfg(feature = "anyhow")]
    assert_found(anyhow::Error::from(Wrapper(busy())).context("while fetching"));
    // The chain of an own type is searched if any rule names the type.
    assert_eq!(classify(reading_time, Wrapper(busy())), Recorded::Failure);
    let naming = |b: BreakerBuilder| reading_time(b).trip_for_if(|_: &Wrapper| None);
    assert_eq!(classify(naming, Wrapper(busy())), Recorded::Trip(MINUTE));
}

#[test]
fn rule_names_type_for_other_rules() {
    let cause = ApiError {
        cause: Some(fmt::Error),
        ..down()
    };
    let ignoring = |b: BreakerBuilder| reading_time(b).ignored_error::<fmt::Error>();
    assert_eq!(classify(ignoring, cause), Recorded::Ignored);
}

#[test]
fn longest_time_of_all_layers_counts() {
    let second = Duration::from_secs(1);
    let half = |error: &ApiError| error.retry_after.map(|time| time / 2);
    for [lower, upper] in [[MINUTE, second], [second, MINUTE]] {
        let registry = BreakerRegistry::builder()
            .clock(ManualClock::new())
            .default_preset(CircuitBreaker::builder().trip_for_if(half))
            .preset_for(
                "a",
                CircuitBreaker::builder().trip_for_if(move |_: &ApiError| Some(lower)),
            )
            .preset_for(
                "ab",
                CircuitBreaker::builder().trip_for_if(move |_: &ApiError| Some(upper)),
            )
            .build()
            .unwrap();
        let open_for = |name: &str, error: ApiError| {
            let breaker = registry.breaker(name);
            let _ = breaker.call(|| Err::<(), _>(error));
            recorded(&breaker)
        };
        assert_eq!(open_for("abc", busy()), Recorded::Trip(MINUTE));
        assert_eq!(open_for("abd", down()), Recorded::Trip(MINUTE));
        assert_eq!(
            open_for("abe", busy_for(4 * MINUTE)),
            Recorded::Trip(2 * MINUTE)
        );
        assert_eq!(open_for("b", busy()), Recorded::Trip(MINUTE / 2));
    }
}

#[test]
fn own_error_rules_drops_rules_below() {
    let registry = BreakerRegistry::builder()
        .clock(ManualClock::new())
        .default_preset(reading_time(CircuitBreaker::builder()))
        .build()
        .unwrap();
    let own = CircuitBreaker::builder().own_error_rules();
    let users = registry.register("users", own.clone()).unwrap();
    let _ = users.call(|| Err::<(), _>(busy()));
    assert_eq!(recorded(&users), Recorded::Failure);
    let orders = registry.register("orders", own.trip_for_if(|_: &ApiError| Some(MINUTE / 2)));
    let orders = orders.unwrap();
    let _ = orders.call(|| Err::<(), _>(busy()));
    assert_eq!(recorded(&orders), Recorded::Trip(MINUTE / 2));
}

#[test]
fn max_trip_for_limits_returned_time() {
    let limited = |b: BreakerBuilder| reading_time(b).max_trip_for(MINUTE);
    let forever = || busy_for(Duration::MAX);
    assert_eq!(classify(limited, forever()), Recorded::Trip(MINUTE));
    let hour = Recorded::Trip(60 * MINUTE);
    assert_eq!(classify(reading_time, forever()), hour);
}

#[test]
fn zero_trips_like_outcome_of_zero() {
    let by_rule = breaker(reading_time);
    let _ = by_rule.call(|| Err::<(), _>(busy_for(Duration::ZERO)));
    let by_outcome = breaker(|b| b);
    let permit = by_outcome.try_acquire().unwrap();
    permit.record(Outcome::TripFor(Duration::ZERO));
    assert_eq!(by_rule.state(), by_outcome.state());
    assert_eq!(by_rule.state(), State::HalfOpen);
}

#[test]
fn trial_with_time_opens_circuit_again() {
    let breaker = breaker(reading_time);
    breaker.half_open();
    let _ = breaker.call(|| Err::<(), _>(busy_for(10 * MINUTE)));
    assert_eq!(recorded(&breaker), Recorded::Trip(10 * MINUTE));
}

#[test]
fn configure_adds_rule_to_live_breaker() {
    let breaker = breaker(|b| b);
    breaker.configure(reading_time).unwrap();
    let _ = breaker.call(|| Err::<(), _>(busy()));
    assert_eq!(recorded(&breaker), Recorded::Trip(MINUTE));
}

#[test]
fn second_configure_keeps_rule_of_first() {
    let builder = BreakerRegistry::builder().clock(ManualClock::new());
    let registry = builder.build().unwrap();
    let settings = CircuitBreaker::builder();
    registry
        .configure("users", reading_time(settings.clone()))
        .unwrap();
    let other = settings.expected_error::<io::Error>();
    let users = registry.configure("users", other).unwrap();
    let _ = users.call(|| Err::<(), _>(busy()));
    assert_eq!(recorded(&users), Recorded::Trip(MINUTE));
}

/// The closure is user code, which may replace the settings during the call.
#[test]
fn limit_set_by_rule_applies_to_its_call() {
    let handle = Arc::new(OnceLock::<CircuitBreaker>::new());
    let own = handle.clone();
    let breaker = breaker(|b| {
        b.trip_for_if(move |error: &ApiError| {
            let breaker = own.get().expect("the breaker is set");
            let configured = breaker.configure(|b| b.max_trip_for(MINUTE / 2));
            configured.expect("valid settings");
            error.retry_after
        })
    });
    assert!(handle.set(breaker.clone()).is_ok());
    let _ = breaker.call(|| Err::<(), _>(busy()));
    assert_eq!(recorded(&breaker), Recorded::Trip(MINUTE / 2));
}

#[test]
fn equal_rules_count_once() {
    let error_rules = |breaker: &CircuitBreaker| {
        let explanation = breaker.config().explain();
        let rules = explanation
            .settings()
            .filter(|(key, ..)| *key == "error_rules");
        rules
            .map(|(_, value, _)| value.to_owned())
            .collect::<Vec<_>>()
    };
    let breaker = breaker(|b| reading_time(reading_time(b)).expected_error::<io::Error>());
    for _ in 0..3 {
        breaker.configure(reading_time).unwrap();
    }
    let (expected, trips) = (
        "expected std::io::error::Error",
        "trip for trip_for_if::ApiError",
    );
    assert_eq!(error_rules(&breaker), [expected, trips]);
    // A closure with captures equals only its clones.
    let time = Some(MINUTE);
    let other = move |_: &ApiError| time;
    breaker.configure(|b| b.trip_for_if(other)).unwrap();
    assert_eq!(error_rules(&breaker), [expected, trips, trips]);
}

#[test]
fn explanation_names_layer_of_rule() {
    let registry = BreakerRegistry::builder()
        .preset_for("api:", reading_time(CircuitBreaker::builder()))
        .build()
        .unwrap();
    let explanation = registry.breaker("api:users").config().explain();
    let (value, layer) = explanation.get("error_rules").unwrap();
    assert_eq!(value, "trip for trip_for_if::ApiError");
    assert!(layer.starts_with("preset_for(\"api:\") at "), "{layer}");
    let debug = format!("{:?}", reading_time(CircuitBreaker::builder()));
    assert!(
        debug.contains("trip_for: [ErrorRule(\"trip_for_if::ApiError\")]"),
        "{debug}"
    );
}
