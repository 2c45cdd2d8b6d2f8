//! The refusal of an inner breaker is ignored, inside any supported error type.

use crate::support::{
    AppError, BoxError, FAILURE, IGNORED, Opaque, SUCCESS, Wrapper, breaker, classify_with,
    expect_ready, open, refusal, refused_io, refusing, unknown,
};
use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, is_refusal};
use std::error::Error;
use std::fmt::{self, Debug};
use std::future::ready;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// Asserts that `error` is ignored: without rules, with rules for other types, and with `fail_if`.
#[track_caller]
pub(crate) fn assert_ignored<E: Debug + 'static>(error: impl Fn() -> E) {
    let type_name = std::any::type_name::<E>();
    assert_eq!(classify_with(|b| b, error()), IGNORED, "{type_name}");
    let rules = |b: BreakerBuilder| {
        b.expected_error::<fmt::Error>()
            .ignored_error::<std::num::ParseIntError>()
    };
    assert_eq!(classify_with(rules, error()), IGNORED, "{type_name}");
    let outer = breaker();
    let call = ready(Err::<(), _>(error())).guarded_by(&outer);
    assert!(expect_ready(call.fail_if(|_| true)).is_err());
    assert_eq!(outer.snapshot().totals.ignored, 1, "{type_name}");
}

#[test]
fn inner_call_refused_is_ignored_by_outer() {
    let (inner, outer) = (refusing(), breaker());
    let result = outer.call(|| inner.call(|| Ok::<_, io::Error>(())));
    assert!(result.is_err_and(|error| error.is_open()));
    assert_eq!(outer.failure_count(), 0);
    assert_eq!(outer.snapshot().totals.ignored, 1);

    let middle = breaker();
    let call = || middle.call(|| inner.call(|| Err::<(), _>(Opaque)));
    assert!(outer.call(call).is_err_and(|error| error.is_open()));
    assert_eq!(middle.snapshot().totals.ignored, 1);
    assert_eq!(outer.snapshot().totals.ignored, 2);
}

#[test]
fn refusals_of_nested_guards_are_ignored() {
    let (inner, outer) = (refusing(), breaker());
    let future = ready(io::Result::Ok(())).guarded_by(&inner);
    assert!(expect_ready(future.guarded_by(&outer)).is_err());
    let fetch = (async |_: u8| Err::<(), _>(Opaque)).guarded_by(inner.clone());
    let fetch = (async |id| fetch.call(id).await).guarded_by(&outer);
    assert!(expect_ready(fetch.call(7)).is_err());
    let parse = (|_: u8| Err::<(), _>(Opaque)).guarded_by(inner);
    assert!((|id| parse.call(id)).guarded_by(&outer).call(7).is_err());
    assert_eq!(outer.snapshot().totals.ignored, 3);
}

#[test]
fn typed_refusals_are_ignored() {
    assert_ignored(open);
    assert_ignored(refusal::<std::convert::Infallible>);
    assert_ignored(refusal::<io::Error>);
    assert_ignored(refusal::<Opaque>);
    assert_ignored(refusal::<&str>);
    assert_ignored(refusal::<(u8, String)>);
    assert_ignored(refusal::<BoxError>);
    assert_ignored(|| BreakerError::Inner(open()));
    assert_ignored(|| BreakerError::Inner(refusal::<Opaque>()));
    assert_ignored(|| BreakerError::Inner(BreakerError::Inner(refusal::<Opaque>())));
    assert_ignored(|| {
        let nested = BreakerError::Inner(BreakerError::Inner(refusal::<Opaque>()));
        BreakerError::Inner(BreakerError::Inner(BreakerError::Inner(nested)))
    });
}

#[test]
fn refusals_behind_pointers_are_ignored() {
    assert_ignored(|| Box::new(open()));
    assert_ignored(|| Arc::new(open()));
    assert_ignored(|| Rc::new(open()));
    assert_ignored(|| Box::new(refusal::<Opaque>()));
    assert_ignored(|| Arc::new(refusal::<Opaque>()));
    assert_ignored(|| Rc::new(refusal::<Opaque>()));
    assert_ignored(|| BreakerError::Inner(Box::new(refusal::<Opaque>())));
    assert_ignored(|| Arc::new(BreakerError::Inner(Arc::new(refusal::<Opaque>()))));
    assert_ignored(|| Box::new(Rc::new(Arc::new(open()))));
}

#[test]
fn boxed_refusals_are_ignored() {
    assert_ignored(|| -> BoxError { open().into() });
    assert_ignored(|| -> BoxError { refusal::<io::Error>().into() });
    assert_ignored(|| -> BoxError { BreakerError::Inner(refusal::<io::Error>()).into() });
    assert_ignored(|| -> Box<dyn Error + Send> { Box::new(refusal::<io::Error>()) });
    assert_ignored(|| -> Box<dyn Error> { refusal::<AppError>().into() });
    assert_ignored(|| -> Box<dyn Error> { Box::new(Arc::new(open())) });
    assert_ignored(|| -> Box<dyn Error> { Box::new(Box::new(open())) });
    assert_ignored(|| -> Arc<dyn Error + Send + Sync> { Arc::new(refusal::<io::Error>()) });
    assert_ignored(|| -> Arc<dyn Error + Send> { Arc::new(refusal::<io::Error>()) });
    assert_ignored(|| -> Arc<dyn Error> { Arc::new(open()) });
    assert_ignored(|| -> Rc<dyn Error> { Rc::new(open()) });
    assert_ignored(|| -> BoxError {
        let shared: Arc<dyn Error + Send + Sync> = Arc::new(open());
        Box::new(shared)
    });
    assert_ignored(|| Arc::<BoxError>::new(open().into()));
}

#[test]
fn refusals_in_sources_of_boxed_errors_are_ignored() {
    let wrapped = || Wrapper {
        source: open().into(),
    };
    assert_ignored(move || BoxError::from(wrapped()));
    assert_ignored(move || {
        BoxError::from(Wrapper {
            source: wrapped().into(),
        })
    });
    assert_ignored(|| BoxError::from(AppError::Circuit(refusal())));
    assert_ignored(|| BoxError::from(BreakerError::Inner(AppError::Circuit(refusal()))));
    assert_ignored(|| BoxError::from(AppError::Io(io::Error::other(open()))));
}

#[test]
fn refusals_inside_breaker_error_are_ignored() {
    assert_ignored(|| BreakerError::Inner(BoxError::from(open())));
    assert_ignored(|| BreakerError::Inner(BoxError::from(refusal::<io::Error>())));
    assert_ignored(|| BreakerError::Inner(BreakerError::Inner(BoxError::from(open()))));
    assert_ignored(|| -> BreakerError<Box<dyn Error>> { BreakerError::Inner(open().into()) });
    assert_ignored(|| BreakerError::Inner(io::Error::other(open())));
    assert_ignored(|| BreakerError::Inner(Arc::new(io::Error::other(open()))));
    assert_ignored(|| Arc::new(BreakerError::Inner(BoxError::from(open()))));
}

#[test]
fn refusals_in_io_errors_are_ignored() {
    assert_ignored(|| io::Error::other(open()));
    assert_ignored(|| io::Error::from(refusal()));
    assert_ignored(|| io::Error::other(refusal::<AppError>()));
    assert_ignored(|| io::Error::other(io::Error::other(BoxError::from(open()))));
    assert_ignored(|| Box::new(io::Error::other(open())));
    assert_ignored(|| Arc::new(io::Error::other(open())));
    assert_ignored(|| BoxError::from(io::Error::other(open())));
    assert_ignored(|| {
        io::Error::other(Wrapper {
            source: io::Error::other(open()).into(),
        })
    });
}

#[cfg(feature = "anyhow")]
#[test]
fn refusals_in_anyhow_errors_are_ignored() {
    assert_ignored(|| anyhow::Error::from(open()));
    assert_ignored(|| anyhow::Error::from(refusal::<io::Error>()));
    assert_ignored(|| anyhow::Error::from(open()).context("while fetching"));
    assert_ignored(|| anyhow::Error::from(io::Error::other(open())).context("while fetching"));
    assert_ignored(|| BreakerError::Inner(anyhow::Error::from(open())));
    assert_ignored(|| BreakerError::Inner(BreakerError::Inner(anyhow::Error::from(open()))));
    assert_ignored(|| Arc::new(anyhow::Error::from(refusal::<io::Error>())));
    assert_ignored(refusal::<anyhow::Error>);
}

#[test]
fn refusals_converted_by_question_mark_are_ignored() {
    let inner = refusing();
    let call = || inner.call(|| Ok::<_, io::Error>(()));
    assert_ignored(|| {
        let boxed = || -> Result<(), Box<dyn Error>> { Ok(call()?) };
        boxed().unwrap_err()
    });
    assert_ignored(|| {
        let boxed = || -> Result<(), BoxError> { Ok(call()?) };
        boxed().unwrap_err()
    });
    assert_ignored(|| {
        let flat = || -> io::Result<()> { call().map_err(BreakerError::flatten) };
        flat().unwrap_err()
    });
    assert_ignored(|| {
        let flat = || -> io::Result<()> { call().map_err(BreakerError::flatten) };
        let boxed = || -> Result<(), BoxError> { Ok(flat()?) };
        boxed().unwrap_err()
    });
    #[cfg(feature = "anyhow")]
    assert_ignored(|| {
        let any = || -> anyhow::Result<()> { Ok(call()?) };
        any().unwrap_err()
    });
}

#[test]
fn application_error_named_by_rule_is_searched() {
    let circuit = || AppError::Circuit(refusal());
    // No rule names the type.
    assert_eq!(classify_with(|b| b, circuit()), FAILURE);
    let other_rules = |b: BreakerBuilder| b.expected_error::<fmt::Error>();
    assert_eq!(classify_with(other_rules, circuit()), unknown::<AppError>());

    let ignoring = |b: BreakerBuilder| b.ignored_error_if(|e: &AppError| is_refusal(e));
    assert_eq!(classify_with(ignoring, circuit()), IGNORED);
    assert_eq!(classify_with(ignoring, AppError::Io(refused_io())), FAILURE);
    let naming = |b: BreakerBuilder| b.ignored_error_if(|_: &AppError| false);
    let expecting = |b: BreakerBuilder| b.expected_error::<AppError>();
    let carrying = || AppError::Io(io::Error::other(open()));
    for settings in [naming, expecting] {
        assert_eq!(classify_with(settings, circuit()), IGNORED);
        assert_eq!(classify_with(settings, carrying()), IGNORED);
        assert_eq!(classify_with(settings, Box::new(circuit())), IGNORED);
        assert_eq!(classify_with(settings, Arc::new(circuit())), IGNORED);
        let nested = BreakerError::Inner(circuit());
        assert_eq!(classify_with(settings, nested), IGNORED);
        let nested = BreakerError::Inner(BreakerError::Inner(Box::new(circuit())));
        assert_eq!(classify_with(settings, nested), IGNORED);
    }
}

#[test]
fn errors_of_guarded_code_are_classified() {
    assert_eq!(classify_with(|b| b, BreakerError::Inner(Opaque)), FAILURE);
    assert_eq!(
        classify_with(|b| b, BreakerError::Inner(BreakerError::Inner(Opaque))),
        FAILURE
    );
    assert_eq!(classify_with(|b| b, Box::new(Opaque)), FAILURE);
    assert_eq!(classify_with(|b| b, io::Error::other("down")), FAILURE);
    let expecting = |b: BreakerBuilder| b.expected_error::<fmt::Error>();
    assert_eq!(classify_with(expecting, fmt::Error), FAILURE);
    assert_eq!(classify_with(expecting, Opaque), unknown::<Opaque>());
    assert_eq!(
        classify_with(expecting, BreakerError::Inner(Opaque)),
        unknown::<BreakerError<Opaque>>()
    );
    let never = |b: BreakerBuilder| b.expected_error_if(|_: &fmt::Error| false);
    assert_eq!(
        classify_with(never, BreakerError::Inner(fmt::Error)),
        SUCCESS
    );
}

#[test]
fn classification_never_formats_errors() {
    struct Unprintable;
    impl Debug for Unprintable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("the error was formatted");
        }
    }
    // Successes keep no text, so only classification could format the error.
    let rules = |b: BreakerBuilder| b.expected_error::<fmt::Error>();
    assert_eq!(classify_with(rules, Unprintable), unknown::<Unprintable>());
    classify_with(rules, Box::new(Unprintable));
    classify_with(rules, BreakerError::Inner(Unprintable));
    classify_with(rules, BreakerError::Inner(Arc::new(Unprintable)));
    classify_with(rules, BreakerError::Inner(BreakerError::Inner(Unprintable)));
    assert!(!BreakerError::Inner(Unprintable).is_open());
}

#[test]
fn is_refusal_searches_every_chain() {
    assert!(is_refusal(&open()));
    assert!(is_refusal(&refusal::<io::Error>()));
    assert!(is_refusal(&BreakerError::Inner(refusal::<io::Error>())));
    assert!(is_refusal(&AppError::Circuit(refusal())));
    assert!(is_refusal(&AppError::Io(io::Error::from(refusal()))));
    assert!(is_refusal(&Box::new(Arc::new(open()))));
    assert!(is_refusal(&Arc::new(open())));
    let boxed = BoxError::from(Wrapper {
        source: refusal::<fmt::Error>().into(),
    });
    assert!(is_refusal(&*boxed));
    assert!(!is_refusal(&fmt::Error));
    assert!(!is_refusal(&AppError::Io(refused_io())));
    assert!(!is_refusal(&BreakerError::Inner(fmt::Error)));
    assert!(!is_refusal(
        &BreakerError::from(crate::support::timeout()).map_inner(|e: io::Error| e)
    ));
}

#[cfg(feature = "http")]
#[test]
fn http_classification_ignores_refusals() {
    use breakerbox::http::{grpc, judge_result};
    use http::Response;

    fn both<E: Debug + 'static>(error: E) -> Outcome {
        let result = Err::<Response<()>, _>(error);
        let outcome = judge_result(&result);
        assert_eq!(grpc::judge_result(&result), outcome);
        outcome
    }
    assert_eq!(both(open()), Outcome::Ignored);
    assert_eq!(both(refusal::<Opaque>()), Outcome::Ignored);
    assert_eq!(
        both(BreakerError::Inner(refusal::<Opaque>())),
        Outcome::Ignored
    );
    assert_eq!(both(Arc::new(refusal::<io::Error>())), Outcome::Ignored);
    assert_eq!(
        both(BoxError::from(refusal::<io::Error>())),
        Outcome::Ignored
    );
    assert_eq!(both(io::Error::other(open())), Outcome::Ignored);
    assert_eq!(
        both(BreakerError::Inner(BoxError::from(open()))),
        Outcome::Ignored
    );
    assert_eq!(both(Opaque), Outcome::Failure);
    assert_eq!(both(BreakerError::Inner(Opaque)), Outcome::Failure);
    let timed_out = BreakerError::<Opaque>::from(crate::support::timeout());
    assert_eq!(both(timed_out), Outcome::Failure);

    let (inner, outer) = (refusing(), breaker());
    let get = ready(Err::<Response<()>, _>(refused_io())).guarded_by(&inner);
    let call = get.guarded_by(&outer).classify(judge_result);
    assert!(expect_ready(call).is_err_and(|error| error.is_open()));
    assert_eq!(outer.failure_count(), 0);
}

#[test]
fn refusal_in_transparent_variant_is_ignored() {
    #[derive(Debug, thiserror::Error)]
    enum AppError {
        #[error(transparent)]
        Direct(#[from] CircuitOpen),
        #[error(transparent)]
        Other(#[from] anyhow::Error),
    }
    let inner = CircuitBreaker::builder().build().unwrap();
    inner.force_open();
    let any = || -> anyhow::Result<()> {
        inner.try_acquire()?.success();
        Ok(())
    };
    let named = CircuitBreaker::builder()
        .ignored_error_if(|error: &AppError| breakerbox::is_refusal(error))
        .build()
        .unwrap();
    let _ = named.call(|| any().map_err(AppError::from));
    let _ = named.call(|| inner.try_acquire().map(drop).map_err(AppError::from));
    let boxed = CircuitBreaker::builder().build().unwrap();
    let _ = boxed.call(|| {
        any()
            .map_err(AppError::from)
            .map_err(Box::<dyn std::error::Error>::from)
    });
    assert_eq!((named.failure_count(), boxed.failure_count()), (0, 0));
    assert_eq!(named.snapshot().totals.ignored, 2);
}

#[test]
fn panicking_source_ends_chain() {
    #[derive(Debug, thiserror::Error)]
    #[error("broken")]
    struct Broken(#[source] Panics);

    #[derive(Debug)]
    struct Panics;

    impl std::fmt::Display for Panics {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("panics")
        }
    }

    impl std::error::Error for Panics {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            panic!("the source panicked");
        }
    }

    let breaker = CircuitBreaker::builder().build().unwrap();
    let call = || Err::<(), Box<dyn std::error::Error>>(Box::new(Broken(Panics)));
    assert!(breaker.call(call).is_err());
    assert_eq!(breaker.failure_count(), 1);
}
