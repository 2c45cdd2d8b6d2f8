//! Classification of errors: rules, `fail_if` and `classify`, and their order.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, Event};
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::ready;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Boxed = Box<dyn Error + Send + Sync>;

/// An error with a cause.
#[derive(Debug)]
struct Wrapped(Boxed);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// An error type that no rule names.
#[derive(Debug)]
struct UnknownError;

impl fmt::Display for UnknownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown")
    }
}

impl Error for UnknownError {}

fn io(kind: ErrorKind) -> io::Error {
    kind.into()
}

fn expect_ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

fn breaker(settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> CircuitBreaker {
    settings(CircuitBreaker::builder())
        .build()
        .expect("the settings are valid")
}

/// The number of calls with each outcome.
#[derive(Debug, PartialEq)]
struct OutcomeCounts {
    success: u64,
    failure: u64,
    ignored: u64,
}

const SUCCESS: OutcomeCounts = OutcomeCounts {
    success: 1,
    failure: 0,
    ignored: 0,
};
const FAILURE: OutcomeCounts = OutcomeCounts {
    success: 0,
    failure: 1,
    ignored: 0,
};
const IGNORED: OutcomeCounts = OutcomeCounts {
    success: 0,
    failure: 0,
    ignored: 1,
};

fn outcome_counts(breaker: &CircuitBreaker) -> OutcomeCounts {
    let totals = breaker.snapshot().totals;
    let success = totals.success.expect("successes are counted");
    OutcomeCounts {
        success,
        failure: totals.failure,
        ignored: totals.ignored,
    }
}

/// Returns how a breaker with these settings classifies `error`. Every form of a call must agree.
#[track_caller]
fn classify<E: fmt::Debug + 'static>(
    settings: impl Fn(BreakerBuilder) -> BreakerBuilder,
    error: impl Fn() -> E,
) -> OutcomeCounts {
    let forms: [&dyn Fn(&CircuitBreaker); 4] = [
        &|breaker| {
            drop(expect_ready(
                ready(Err::<(), _>(error())).guarded_by(breaker),
            ));
        },
        &|breaker| {
            drop(expect_ready(
                (async || Err::<(), _>(error())).guarded_by(breaker).call(),
            ));
        },
        &|breaker| drop((|| Err::<(), _>(error())).guarded_by(breaker).call()),
        &|breaker| {
            breaker
                .try_acquire()
                .expect("admitted")
                .record_result(&Err::<(), _>(error()));
        },
    ];
    let counts = forms.map(|call| {
        let breaker = breaker(&settings);
        call(&breaker);
        outcome_counts(&breaker)
    });
    let [first, others @ ..] = counts;
    for other in others {
        assert_eq!(other, first);
    }
    first
}

#[test]
fn without_rules_every_error_is_a_failure() {
    assert_eq!(classify(|b| b, || io(ErrorKind::Other)), FAILURE);
    assert_eq!(classify(|b| b, || "a text"), FAILURE);
    assert_eq!(classify(|b| b, || Boxed::from("a box")), FAILURE);
}

#[test]
fn expected_rule_makes_other_errors_unexpected() {
    let expecting = |b: BreakerBuilder| b.expected_error::<io::Error>();
    assert_eq!(classify(expecting, || io(ErrorKind::Other)), FAILURE);
    assert_eq!(classify(expecting, || UnknownError), SUCCESS);
}

#[test]
fn ignored_rule_leaves_other_errors_failures() {
    let ignoring = |b: BreakerBuilder| b.ignored_error::<io::Error>();
    assert_eq!(classify(ignoring, || io(ErrorKind::Other)), IGNORED);
    assert_eq!(classify(ignoring, || UnknownError), FAILURE);
}

#[test]
fn any_matching_expected_rule_is_a_failure() {
    let either = |b: BreakerBuilder| {
        b.expected_error_if(|e: &io::Error| e.kind() == ErrorKind::TimedOut)
            .expected_error_if(|e: &io::Error| e.kind() == ErrorKind::BrokenPipe)
            .expected_error::<UnknownError>()
    };
    assert_eq!(classify(either, || io(ErrorKind::TimedOut)), FAILURE);
    assert_eq!(classify(either, || io(ErrorKind::BrokenPipe)), FAILURE);
    assert_eq!(classify(either, || UnknownError), FAILURE);
    assert_eq!(classify(either, || io(ErrorKind::NotFound)), SUCCESS);
}

#[test]
fn ignored_rules_precede_expected_rules() {
    let both = |b: BreakerBuilder| {
        b.expected_error::<io::Error>()
            .ignored_error_if(|e: &io::Error| e.kind() == ErrorKind::NotFound)
    };
    assert_eq!(classify(both, || io(ErrorKind::NotFound)), IGNORED);
    assert_eq!(classify(both, || io(ErrorKind::Other)), FAILURE);
}

#[test]
fn unexpected_errors_as_sets_their_outcome() {
    let ignoring = |b: BreakerBuilder| {
        b.expected_error::<io::Error>()
            .unexpected_errors_as(Outcome::Ignored)
    };
    assert_eq!(classify(ignoring, || UnknownError), IGNORED);
    assert_eq!(classify(ignoring, || io(ErrorKind::Other)), FAILURE);
}

#[test]
fn value_rules_classify_non_error_types() {
    let values = |b: BreakerBuilder| {
        b.expected_value_if(|e: &String| e.starts_with('5'))
            .ignored_value_if(|e: &String| e.starts_with('4'))
    };
    assert_eq!(classify(values, || String::from("503")), FAILURE);
    assert_eq!(classify(values, || String::from("404")), IGNORED);
    assert_eq!(classify(values, || String::from("302")), SUCCESS);
}

#[test]
fn rules_look_inside_boxed_errors() {
    let expecting = |b: BreakerBuilder| b.expected_error::<io::Error>();
    let inside = || io(ErrorKind::Other);
    assert_eq!(
        classify(expecting, || -> Boxed { Box::new(inside()) }),
        FAILURE
    );
    assert_eq!(
        classify(expecting, || -> Box<dyn Error + Send> {
            Box::new(inside())
        }),
        FAILURE
    );
    assert_eq!(
        classify(expecting, || -> Box<dyn Error> { Box::new(inside()) }),
        FAILURE
    );
    assert_eq!(
        classify(expecting, || -> Arc<dyn Error + Send + Sync> {
            Arc::new(inside())
        }),
        FAILURE
    );
    assert_eq!(
        classify(expecting, || -> Boxed { Box::new(UnknownError) }),
        SUCCESS
    );
}

#[test]
fn rules_look_at_sources_of_boxed_errors() {
    let twice = || -> Boxed { Wrapped(Wrapped(io(ErrorKind::TimedOut).into()).into()).into() };
    assert_eq!(
        classify(BreakerBuilder::expected_error::<io::Error>, twice),
        FAILURE
    );
    assert_eq!(
        classify(BreakerBuilder::ignored_error::<io::Error>, twice),
        IGNORED
    );
    let other_kind =
        |b: BreakerBuilder| b.expected_error_if(|e: &io::Error| e.kind() == ErrorKind::NotFound);
    assert_eq!(classify(other_kind, twice), SUCCESS);
}

#[cfg(feature = "anyhow")]
#[test]
fn rules_look_inside_anyhow_errors() {
    let expecting = |b: BreakerBuilder| b.expected_error::<io::Error>();
    let error = || anyhow::Error::from(io(ErrorKind::Other)).context("while fetching");
    assert_eq!(classify(expecting, error), FAILURE);
    assert_eq!(
        classify(expecting, || anyhow::Error::from(UnknownError)),
        SUCCESS
    );
}

#[test]
fn unknown_types_are_reported_once_each() {
    let reported: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let breaker = breaker(|b| {
        let reported = reported.clone();
        b.ignored_error_if(|e: &io::Error| e.kind() == ErrorKind::NotFound)
            .expected_error::<fmt::Error>()
            .on_event(move |event| {
                if let Event::UnknownErrorType { error_type, .. } = event {
                    reported
                        .lock()
                        .expect("the lock is not poisoned")
                        .push(error_type);
                }
            })
    });
    for _ in 0..2 {
        drop(breaker.call(|| Err::<(), _>(UnknownError)));
        drop(breaker.call(|| Err::<(), _>("a text")));
        // A rule names these types, so they are known even if it does not match.
        drop(breaker.call(|| Err::<(), _>(io(ErrorKind::Other))));
        drop(breaker.call(|| Err::<(), _>(fmt::Error)));
    }
    let unknown = [
        std::any::type_name::<UnknownError>(),
        std::any::type_name::<&str>(),
    ];
    assert_eq!(*reported.lock().expect("the lock is not poisoned"), unknown);
}

/// Fails once with each of eight error types that no rule names.
fn fail_with_eight_types<A: fmt::Debug + Default + 'static>(breaker: &CircuitBreaker) {
    fn fail<E: fmt::Debug + Default + 'static>(breaker: &CircuitBreaker) {
        drop(breaker.call(|| Err::<(), _>(E::default())));
    }
    let each = [
        fail::<(A, u8)>,
        fail::<(A, u16)>,
        fail::<(A, u32)>,
        fail::<(A, u64)>,
        fail::<(A, i8)>,
        fail::<(A, i16)>,
        fail::<(A, i32)>,
        fail::<(A, i64)>,
    ];
    for fail in each {
        fail(breaker);
    }
}

#[test]
fn unknown_types_beyond_limit_are_not_reported() {
    let reported: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let breaker = breaker(|b| {
        let reported = reported.clone();
        b.expected_error::<io::Error>().on_event(move |event| {
            if let Event::UnknownErrorType { error_type, .. } = event {
                reported
                    .lock()
                    .expect("the lock is not poisoned")
                    .push(error_type);
            }
        })
    });
    let count_reported = || reported.lock().expect("the lock is not poisoned").len();
    let each = [
        fail_with_eight_types::<u8>,
        fail_with_eight_types::<u16>,
        fail_with_eight_types::<u32>,
        fail_with_eight_types::<u64>,
        fail_with_eight_types::<i8>,
        fail_with_eight_types::<i16>,
        fail_with_eight_types::<i32>,
        fail_with_eight_types::<i64>,
    ];
    for (known, fail) in each.iter().enumerate() {
        assert_eq!(count_reported(), 8 * known);
        fail(&breaker);
    }
    assert_eq!(count_reported(), 64);
    drop(breaker.call(|| Err::<(), _>(UnknownError)));
    for fail in each {
        fail(&breaker);
    }
    let reported = reported.lock().expect("the lock is not poisoned");
    assert_eq!(reported.len(), 64, "no further types are reported");
    assert!(!reported.contains(&std::any::type_name::<UnknownError>()));
    // Unreported errors are classified like the others.
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.success, totals.failure), (Some(129), 0));
}

#[test]
fn fail_if_replaces_expected_rules() {
    let breaker = breaker(BreakerBuilder::expected_error::<io::Error>);
    let call = |error| {
        let fails = |error: &io::Error| error.kind() == ErrorKind::TimedOut;
        drop(expect_ready(
            ready(Err::<(), _>(error))
                .guarded_by(&breaker)
                .fail_if(fails),
        ));
    };
    call(io(ErrorKind::TimedOut));
    assert_eq!(outcome_counts(&breaker), FAILURE);
    call(io(ErrorKind::NotFound));
    assert_eq!(
        outcome_counts(&breaker),
        OutcomeCounts {
            success: 1,
            ..FAILURE
        }
    );
}

#[test]
fn fail_if_can_fail_unknown_errors() {
    let breaker = breaker(BreakerBuilder::expected_error::<fmt::Error>);
    drop(expect_ready(
        ready(Err::<(), _>(UnknownError))
            .guarded_by(&breaker)
            .fail_if(|_| true),
    ));
    assert_eq!(outcome_counts(&breaker), FAILURE);
}

#[test]
fn fail_if_is_not_called_for_ignored_errors() {
    let breaker = breaker(BreakerBuilder::ignored_error::<io::Error>);
    let timed_out = ready(Err::<(), _>(io(ErrorKind::TimedOut)));
    drop(expect_ready(
        timed_out
            .guarded_by(&breaker)
            .fail_if(|_| panic!("`fail_if` must not be called")),
    ));
    assert_eq!(outcome_counts(&breaker), IGNORED);
}

#[test]
fn error_rejected_by_fail_if_is_unexpected() {
    let breaker = breaker(|b| b.unexpected_errors_as(Outcome::Ignored));
    let not_found = |_: &u8| Err::<(), _>(io(ErrorKind::NotFound));
    drop(
        not_found
            .guarded_by(&breaker)
            .fail_if(|_: &io::Error| false)
            .call(&7),
    );
    assert_eq!(outcome_counts(&breaker), IGNORED);
}

#[test]
fn classify_replaces_all_rules() {
    let ignoring = breaker(BreakerBuilder::ignored_error::<io::Error>);
    let result = ready(Err::<u16, _>(io(ErrorKind::Other)));
    drop(expect_ready(
        result.guarded_by(&ignoring).classify(|_| Outcome::Failure),
    ));
    assert_eq!(outcome_counts(&ignoring), FAILURE);

    let expecting = breaker(BreakerBuilder::expected_error::<io::Error>);
    let result = ready(Err::<u16, _>(io(ErrorKind::Other)));
    drop(expect_ready(
        result.guarded_by(&expecting).classify(|_| Outcome::Success),
    ));
    assert_eq!(outcome_counts(&expecting), SUCCESS);
}

#[test]
fn classify_can_fail_ok_values() {
    let breaker = breaker(|b| b.failure_threshold(2));
    let classify_status = |result: &Result<u16, UnknownError>| match result {
        Ok(500..) | Err(_) => Outcome::Failure,
        Ok(400..) => Outcome::Ignored,
        Ok(_) => Outcome::Success,
    };
    let get = (|status: u16| Ok::<_, UnknownError>(status))
        .guarded_by(&breaker)
        .classify(classify_status);
    for (status, failures) in [(503, 1), (404, 1), (200, 0), (500, 1), (599, 2)] {
        assert_eq!(
            get.call(status).expect("what the function returned"),
            status
        );
        assert_eq!(breaker.failure_count(), failures, "{status}");
    }
    assert_eq!(breaker.state(), State::Open);
    assert!(get.call(200).expect_err("refused").is_open());
}

#[test]
fn classify_output_accepts_any_output() {
    let breaker = breaker(|b| b.failure_threshold(1));
    let hit = |hit: &Option<u8>| {
        if hit.is_some() {
            Outcome::Success
        } else {
            Outcome::Failure
        }
    };
    let look_up =
        |key: Option<u8>| expect_ready(ready(key).guarded_by(&breaker).classify_output(hit));
    assert_eq!(look_up(Some(7)).expect("admitted"), Some(7));
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(look_up(None).expect("admitted"), None);
    assert_eq!(breaker.state(), State::Open);
    let refused: BreakerError = look_up(Some(7)).expect_err("refused");
    assert!(refused.is_open());

    breaker.reset();
    let look_up = (async |key: u8| Some(key))
        .guarded_by(&breaker)
        .classify_output(hit);
    assert_eq!(expect_ready(look_up.call(7)).expect("admitted"), Some(7));
    assert_eq!(breaker.snapshot().totals.success, Some(2));
}

#[test]
fn trip_for_opens_circuit_immediately() {
    let breaker = breaker(|b| {
        b.max_trip_for(Duration::from_secs(60))
            .clock(ManualClock::new())
    });
    for (requested, expected) in [(20, 20), (600, 60)] {
        let busy = |_: &Result<u8, UnknownError>| Outcome::TripFor(Duration::from_secs(requested));
        drop(expect_ready(
            ready(Ok(7)).guarded_by(&breaker).classify(busy),
        ));
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(
            breaker.open_remaining(),
            Some(Duration::from_secs(expected))
        );
        breaker.reset();
    }
}

#[test]
fn panicking_predicate_makes_call_ignored() {
    let breaker =
        breaker(|b| b.expected_error_if(|_: &io::Error| panic!("the predicate panicked")));
    let call = || drop(breaker.call(|| Err::<(), _>(io(ErrorKind::Other))));
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    assert!(
        payload.is_err_and(|payload| payload.downcast_ref() == Some(&"the predicate panicked"))
    );
    assert_eq!(outcome_counts(&breaker), IGNORED);
}

#[test]
fn inner_refusals_are_ignored() {
    let inner = breaker(|b| b.name("inner"));
    inner.force_open();
    let open = || inner.try_acquire().expect_err("refused");
    let error = || BreakerError::<Infallible>::from(open());
    assert_eq!(classify(|b| b, open), IGNORED);
    assert_eq!(classify(|b| b, error), IGNORED);
    assert_eq!(classify(|b| b, || Boxed::from(open())), IGNORED);
    assert_eq!(classify(|b| b, || Boxed::from(error())), IGNORED);
    assert_eq!(
        classify(|b| b, || Boxed::from(Wrapped(open().into()))),
        IGNORED
    );
    assert_eq!(
        classify(BreakerBuilder::expected_error::<CircuitOpen>, open),
        IGNORED
    );
}

#[test]
fn inner_timeout_is_a_failure_of_outer_breaker() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let outer = breaker(|b| b);
    let inner = breaker(|b| b);
    let hung = std::future::pending::<Result<(), Boxed>>()
        .guarded_by(&inner)
        .timeout(Duration::from_secs(1))
        .flatten_err();
    let call = async { hung.guarded_by(&outer).await };
    let runtime = runtime
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let result = runtime.block_on(call);
    assert!(result.is_err_and(|error| error.inner().is_some()));
    assert_eq!(outcome_counts(&outer), FAILURE);
}
