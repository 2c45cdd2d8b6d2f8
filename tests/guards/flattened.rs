//! `flatten_err`: guarded calls that return the caller's own error type.

use crate::support::{expect_ready, refusing};
use breakerbox::prelude::*;
use std::error::Error;

type Boxed = Box<dyn Error + Send + Sync>;

/// An error enum with a variant for errors of the circuit.
#[derive(Debug)]
enum AppError {
    Own,
    Circuit(BreakerError),
}

impl From<BreakerError> for AppError {
    fn from(error: BreakerError) -> Self {
        Self::Circuit(error)
    }
}

#[test]
fn refusal_converts_into_callers_error() {
    let registry = refusing();
    let future = async { Err::<u8, _>(AppError::Own) }.with_breaker(&registry, "x");
    let error = expect_ready(future.flatten_err()).expect_err("refused");
    assert!(
        matches!(error, AppError::Circuit(BreakerError::Open(_))),
        "{error:?}"
    );
    let sync = (|_: u8| Err::<u8, _>(AppError::Own))
        .with_breaker(&registry, "x")
        .flatten_err();
    let error = sync.call(7).expect_err("refused");
    assert!(
        matches!(error, AppError::Circuit(BreakerError::Open(_))),
        "{error:?}"
    );
    let guarded = (async |_: u8| Err::<u8, _>(AppError::Own)).with_breaker(&registry, "x");
    let error = expect_ready(guarded.flatten_err().call(7)).expect_err("refused");
    assert!(
        matches!(error, AppError::Circuit(BreakerError::Open(_))),
        "{error:?}"
    );
}

#[test]
fn callers_own_error_is_unchanged() {
    let registry = BreakerRegistry::new();
    let future = async { Err::<u8, _>(AppError::Own) }.with_breaker(&registry, "x");
    assert!(matches!(
        expect_ready(future.flatten_err()),
        Err(AppError::Own)
    ));
    let mut sync = (|| Err::<u8, _>(AppError::Own))
        .with_breaker(&registry, "x")
        .flatten_err();
    assert!(matches!(sync.call_mut(), Err(AppError::Own)));
    assert!(matches!(sync.call_once(), Err(AppError::Own)));
    assert_eq!(registry.breaker("x").failure_count(), 3);
}

#[test]
fn refusal_converts_into_boxed_and_anyhow_errors() {
    let registry = refusing();
    let future = async { Ok::<u8, Boxed>(7) }.with_breaker(&registry, "x");
    let error = expect_ready(future.flatten_err()).expect_err("refused");
    assert!(
        error
            .downcast_ref::<BreakerError>()
            .is_some_and(BreakerError::is_open)
    );
    let future = async { anyhow::Ok(7) }.with_breaker(&registry, "x");
    let error = expect_ready(future.flatten_err()).expect_err("refused");
    assert!(
        error
            .downcast_ref::<BreakerError>()
            .is_some_and(BreakerError::is_open)
    );
}
