//! Which errors count, and who says so: the judges, in the order in which they are asked.

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

/// An error that nobody speaks of.
#[derive(Debug)]
struct Stranger;

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stranger")
    }
}

impl Error for Stranger {}

fn io(kind: ErrorKind) -> io::Error {
    kind.into()
}

fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

fn breaker(settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> CircuitBreaker {
    settings(CircuitBreaker::builder())
        .build()
        .expect("the settings are valid")
}

/// What became of the calls of a breaker.
#[derive(Debug, PartialEq)]
struct Counted {
    success: u64,
    failure: u64,
    ignored: u64,
}

const SUCCESS: Counted = Counted {
    success: 1,
    failure: 0,
    ignored: 0,
};
const FAILURE: Counted = Counted {
    success: 0,
    failure: 1,
    ignored: 0,
};
const IGNORED: Counted = Counted {
    success: 0,
    failure: 0,
    ignored: 1,
};

fn counted(breaker: &CircuitBreaker) -> Counted {
    let totals = breaker.snapshot().totals;
    let success = totals.success.expect("successes are counted");
    Counted {
        success,
        failure: totals.failure,
        ignored: totals.ignored,
    }
}

/// What a breaker with these settings makes of `error`; the same through all four ways in.
#[track_caller]
fn judged<E: fmt::Debug + 'static>(
    settings: impl Fn(BreakerBuilder) -> BreakerBuilder,
    error: impl Fn() -> E,
) -> Counted {
    let ways: [&dyn Fn(&CircuitBreaker); 4] = [
        &|breaker| drop(now(ready(Err::<(), _>(error())).guarded_by(breaker))),
        &|breaker| {
            drop(now((async || Err::<(), _>(error()))
                .guarded_by(breaker)
                .call()));
        },
        &|breaker| drop((|| Err::<(), _>(error())).guarded_by(breaker).call()),
        &|breaker| {
            breaker
                .try_acquire()
                .expect("admitted")
                .record_result(&Err::<(), _>(error()));
        },
    ];
    let counts = ways.map(|way| {
        let breaker = breaker(&settings);
        way(&breaker);
        counted(&breaker)
    });
    let [first, others @ ..] = counts;
    for other in others {
        assert_eq!(other, first);
    }
    first
}

#[test]
fn without_rules_every_error_is_a_failure() {
    assert_eq!(judged(|b| b, || io(ErrorKind::Other)), FAILURE);
    assert_eq!(judged(|b| b, || "a text"), FAILURE);
    assert_eq!(judged(|b| b, || Boxed::from("a box")), FAILURE);
}

#[test]
fn with_an_expected_error_every_other_is_unexpected() {
    let expecting = |b: BreakerBuilder| b.expected_error::<io::Error>();
    assert_eq!(judged(expecting, || io(ErrorKind::Other)), FAILURE);
    assert_eq!(judged(expecting, || Stranger), SUCCESS);
}

#[test]
fn an_ignored_error_alone_leaves_every_other_a_failure() {
    let ignoring = |b: BreakerBuilder| b.ignored_error::<io::Error>();
    assert_eq!(judged(ignoring, || io(ErrorKind::Other)), IGNORED);
    assert_eq!(judged(ignoring, || Stranger), FAILURE);
}

#[test]
fn any_expected_rule_makes_a_failure() {
    let either = |b: BreakerBuilder| {
        b.expected_error_if(|e: &io::Error| e.kind() == ErrorKind::TimedOut)
            .expected_error_if(|e: &io::Error| e.kind() == ErrorKind::BrokenPipe)
            .expected_error::<Stranger>()
    };
    assert_eq!(judged(either, || io(ErrorKind::TimedOut)), FAILURE);
    assert_eq!(judged(either, || io(ErrorKind::BrokenPipe)), FAILURE);
    assert_eq!(judged(either, || Stranger), FAILURE);
    assert_eq!(judged(either, || io(ErrorKind::NotFound)), SUCCESS);
}

#[test]
fn ignored_rules_are_asked_before_expected_ones() {
    let both = |b: BreakerBuilder| {
        b.expected_error::<io::Error>()
            .ignored_error_if(|e: &io::Error| e.kind() == ErrorKind::NotFound)
    };
    assert_eq!(judged(both, || io(ErrorKind::NotFound)), IGNORED);
    assert_eq!(judged(both, || io(ErrorKind::Other)), FAILURE);
}

#[test]
fn unexpected_errors_count_as_the_breaker_is_told() {
    let ignoring = |b: BreakerBuilder| {
        b.expected_error::<io::Error>()
            .unexpected_errors_as(Outcome::Ignored)
    };
    assert_eq!(judged(ignoring, || Stranger), IGNORED);
    assert_eq!(judged(ignoring, || io(ErrorKind::Other)), FAILURE);
}

#[test]
fn types_that_are_no_errors_have_rules_of_their_own() {
    let values = |b: BreakerBuilder| {
        b.expected_value_if(|e: &String| e.starts_with('5'))
            .ignored_value_if(|e: &String| e.starts_with('4'))
    };
    assert_eq!(judged(values, || String::from("503")), FAILURE);
    assert_eq!(judged(values, || String::from("404")), IGNORED);
    assert_eq!(judged(values, || String::from("302")), SUCCESS);
}

#[test]
fn every_kind_of_box_is_looked_through() {
    let expecting = |b: BreakerBuilder| b.expected_error::<io::Error>();
    let inside = || io(ErrorKind::Other);
    assert_eq!(
        judged(expecting, || -> Boxed { Box::new(inside()) }),
        FAILURE
    );
    assert_eq!(
        judged(expecting, || -> Box<dyn Error + Send> {
            Box::new(inside())
        }),
        FAILURE
    );
    assert_eq!(
        judged(expecting, || -> Box<dyn Error> { Box::new(inside()) }),
        FAILURE
    );
    assert_eq!(
        judged(expecting, || -> Arc<dyn Error + Send + Sync> {
            Arc::new(inside())
        }),
        FAILURE
    );
    assert_eq!(
        judged(expecting, || -> Boxed { Box::new(Stranger) }),
        SUCCESS
    );
}

#[test]
fn the_causes_of_a_boxed_error_are_looked_at() {
    let twice = || -> Boxed { Wrapped(Wrapped(io(ErrorKind::TimedOut).into()).into()).into() };
    assert_eq!(
        judged(BreakerBuilder::expected_error::<io::Error>, twice),
        FAILURE
    );
    assert_eq!(
        judged(BreakerBuilder::ignored_error::<io::Error>, twice),
        IGNORED
    );
    let other_kind =
        |b: BreakerBuilder| b.expected_error_if(|e: &io::Error| e.kind() == ErrorKind::NotFound);
    assert_eq!(judged(other_kind, twice), SUCCESS);
}

#[cfg(feature = "anyhow")]
#[test]
fn anyhow_errors_are_looked_through() {
    let expecting = |b: BreakerBuilder| b.expected_error::<io::Error>();
    let error = || anyhow::Error::from(io(ErrorKind::Other)).context("while fetching");
    assert_eq!(judged(expecting, error), FAILURE);
    assert_eq!(judged(expecting, || anyhow::Error::from(Stranger)), SUCCESS);
}

#[test]
fn unknown_types_are_reported_once_each() {
    let told: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let breaker = breaker(|b| {
        let told = told.clone();
        b.ignored_error_if(|e: &io::Error| e.kind() == ErrorKind::NotFound)
            .expected_error::<fmt::Error>()
            .on_event(move |event| {
                if let Event::UnknownErrorType { error_type, .. } = event {
                    told.lock().expect("no panic").push(error_type);
                }
            })
    });
    for _ in 0..2 {
        drop(breaker.call(|| Err::<(), _>(Stranger)));
        drop(breaker.call(|| Err::<(), _>("a text")));
        // Known, whatever the rules say of them.
        drop(breaker.call(|| Err::<(), _>(io(ErrorKind::Other))));
        drop(breaker.call(|| Err::<(), _>(fmt::Error)));
    }
    let unknown = [
        std::any::type_name::<Stranger>(),
        std::any::type_name::<&str>(),
    ];
    assert_eq!(*told.lock().expect("no panic"), unknown);
}

/// Fails once with each of eight types of errors that no rule knows.
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
    let told: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let breaker = breaker(|b| {
        let told = told.clone();
        b.expected_error::<io::Error>().on_event(move |event| {
            if let Event::UnknownErrorType { error_type, .. } = event {
                told.lock().expect("no panic").push(error_type);
            }
        })
    });
    let reported = || told.lock().expect("no panic").len();
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
        assert_eq!(reported(), 8 * known);
        fail(&breaker);
    }
    assert_eq!(reported(), 64);
    drop(breaker.call(|| Err::<(), _>(Stranger)));
    for fail in each {
        fail(&breaker);
    }
    let told = told.lock().expect("no panic");
    assert_eq!(told.len(), 64, "neither new types nor known ones");
    assert!(!told.contains(&std::any::type_name::<Stranger>()));
    // Unreported errors are classified like the others.
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.success, totals.failure), (Some(129), 0));
}

#[test]
fn fail_if_is_asked_instead_of_the_expected_rules() {
    let breaker = breaker(BreakerBuilder::expected_error::<io::Error>);
    let call = |error| {
        let fails = |error: &io::Error| error.kind() == ErrorKind::TimedOut;
        drop(now(ready(Err::<(), _>(error))
            .guarded_by(&breaker)
            .fail_if(fails)));
    };
    call(io(ErrorKind::TimedOut));
    assert_eq!(counted(&breaker), FAILURE);
    call(io(ErrorKind::NotFound));
    assert_eq!(
        counted(&breaker),
        Counted {
            success: 1,
            ..FAILURE
        }
    );
}

#[test]
fn fail_if_finds_failures_that_no_rule_expects() {
    let breaker = breaker(BreakerBuilder::expected_error::<fmt::Error>);
    drop(now(ready(Err::<(), _>(Stranger))
        .guarded_by(&breaker)
        .fail_if(|_| true)));
    assert_eq!(counted(&breaker), FAILURE);
}

#[test]
fn fail_if_cannot_speak_for_ignored_errors() {
    let breaker = breaker(BreakerBuilder::ignored_error::<io::Error>);
    let timed_out = ready(Err::<(), _>(io(ErrorKind::TimedOut)));
    drop(now(timed_out
        .guarded_by(&breaker)
        .fail_if(|_| panic!("nobody asks"))));
    assert_eq!(counted(&breaker), IGNORED);
}

#[test]
fn what_fail_if_denies_is_unexpected() {
    let breaker = breaker(|b| b.unexpected_errors_as(Outcome::Ignored));
    let not_found = |_: &u8| Err::<(), _>(io(ErrorKind::NotFound));
    drop(
        not_found
            .guarded_by(&breaker)
            .fail_if(|_: &io::Error| false)
            .call(&7),
    );
    assert_eq!(counted(&breaker), IGNORED);
}

#[test]
fn classify_judges_alone() {
    let ignoring = breaker(BreakerBuilder::ignored_error::<io::Error>);
    let result = ready(Err::<u16, _>(io(ErrorKind::Other)));
    drop(now(result
        .guarded_by(&ignoring)
        .classify(|_| Outcome::Failure)));
    assert_eq!(counted(&ignoring), FAILURE);

    let expecting = breaker(BreakerBuilder::expected_error::<io::Error>);
    let result = ready(Err::<u16, _>(io(ErrorKind::Other)));
    drop(now(result
        .guarded_by(&expecting)
        .classify(|_| Outcome::Success)));
    assert_eq!(counted(&expecting), SUCCESS);
}

#[test]
fn classify_finds_failures_inside_ok() {
    let breaker = breaker(|b| b.failure_threshold(2));
    let judge = |result: &Result<u16, Stranger>| match result {
        Ok(500..) | Err(_) => Outcome::Failure,
        Ok(400..) => Outcome::Ignored,
        Ok(_) => Outcome::Success,
    };
    let get = (|status: u16| Ok::<_, Stranger>(status))
        .guarded_by(&breaker)
        .classify(judge);
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
fn classify_output_judges_what_is_no_result() {
    let breaker = breaker(|b| b.failure_threshold(1));
    let hit = |hit: &Option<u8>| {
        if hit.is_some() {
            Outcome::Success
        } else {
            Outcome::Failure
        }
    };
    let look_up = |key: Option<u8>| now(ready(key).guarded_by(&breaker).classify_output(hit));
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
    assert_eq!(now(look_up.call(7)).expect("admitted"), Some(7));
    assert_eq!(breaker.snapshot().totals.success, Some(2));
}

#[test]
fn trip_for_opens_the_circuit_at_once() {
    let breaker = breaker(|b| {
        b.max_trip_for(Duration::from_secs(60))
            .clock(ManualClock::new())
    });
    for (asked, most) in [(20, 20), (600, 60)] {
        let busy = |_: &Result<u8, Stranger>| Outcome::TripFor(Duration::from_secs(asked));
        drop(now(ready(Ok(7)).guarded_by(&breaker).classify(busy)));
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.open_remaining(), Some(Duration::from_secs(most)));
        breaker.reset();
    }
}

#[test]
fn a_judge_that_panics_leaves_a_call_that_says_nothing() {
    let breaker = breaker(|b| b.expected_error_if(|_: &io::Error| panic!("a predicate broke")));
    let call = || drop(breaker.call(|| Err::<(), _>(io(ErrorKind::Other))));
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    assert!(payload.is_err_and(|payload| payload.downcast_ref() == Some(&"a predicate broke")));
    assert_eq!(counted(&breaker), IGNORED);
}

#[test]
fn refusals_of_inner_breakers_are_ignored() {
    let inner = breaker(|b| b.name("inner"));
    inner.force_open();
    let open = || inner.try_acquire().expect_err("refused");
    let error = || BreakerError::<Infallible>::from(open());
    assert_eq!(judged(|b| b, open), IGNORED);
    assert_eq!(judged(|b| b, error), IGNORED);
    assert_eq!(judged(|b| b, || Boxed::from(open())), IGNORED);
    assert_eq!(judged(|b| b, || Boxed::from(error())), IGNORED);
    assert_eq!(
        judged(|b| b, || Boxed::from(Wrapped(open().into()))),
        IGNORED
    );
    assert_eq!(
        judged(BreakerBuilder::expected_error::<CircuitOpen>, open),
        IGNORED
    );
}

#[test]
fn a_timeout_of_an_inner_breaker_is_a_failure_of_the_outer_one() {
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
    assert_eq!(counted(&outer), FAILURE);
}
