//! Errors that are expected or ignored: `expected = ConnectError`, `ignored = |error| ..`.
//!
//! A builder tells types that implement `Error`, which it also finds inside boxed ones, from others.
//! Here one word serves both, so the expansion asks which it is: method resolution prefers
//! [`AsError`], for which it has to borrow once less, and takes [`AsValue`] where that does not
//! apply.

use super::result::Returned;
use crate::classifier::{DefaultClassifier, FailIf};
use crate::config::BreakerBuilder;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

/// A predicate about errors of type `E`.
pub struct Predicate<E, P>(P, PhantomData<fn(&E)>);

impl<E, P> fmt::Debug for Predicate<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Predicate")
    }
}

impl<E, P> Predicate<E, P> {
    /// To ask what `E` is.
    pub fn probe(&self) -> Probe<E> {
        Probe(PhantomData)
    }
}

/// A predicate that says itself which errors it is about.
pub fn predicate<E, P: Fn(&E) -> bool>(predicate: P) -> Predicate<E, P> {
    Predicate(predicate, PhantomData)
}

/// A predicate about the errors of a function that returns `R`.
pub fn own_predicate<R, P>(predicate: P) -> Predicate<R::Error, P>
where
    R: Returned,
    P: Fn(&R::Error) -> bool,
{
    Predicate(predicate, PhantomData)
}

/// All errors of type `E`.
pub fn every<E>() -> Predicate<E, impl Fn(&E) -> bool + Send + Sync + 'static>
where
    E: 'static,
{
    Predicate(|_: &E| true, PhantomData)
}

/// Asked what `E` is.
#[derive(Debug)]
pub struct Probe<E>(PhantomData<fn(&E)>);

/// For types that implement `Error`.
pub trait AsError {
    #[doc(hidden)]
    fn __breakerbox_kind(&self) -> ErrorClassifier {
        ErrorClassifier
    }
}

impl<E: Error + 'static> AsError for Probe<E> {}

/// For all others.
pub trait AsValue {
    #[doc(hidden)]
    fn __breakerbox_kind(&self) -> ValueRules {
        ValueRules
    }
}

impl<E> AsValue for &Probe<E> {}

/// How errors are named to a builder.
#[derive(Clone, Copy, Debug)]
pub struct ErrorClassifier;

/// How values that are no errors are named to a builder.
#[derive(Clone, Copy, Debug)]
pub struct ValueRules;

macro_rules! rules {
    ($Rules:ident, $expected:ident, $ignored:ident $(, $Error:ident)?) => {
        impl $Rules {
            /// Those for which the predicate holds are expected.
            pub fn expected<E, P>(self, builder: BreakerBuilder, errors: Predicate<E, P>) -> BreakerBuilder
            where
                E: $($Error +)? 'static,
                P: Fn(&E) -> bool + Send + Sync + 'static,
            {
                builder.$expected(errors.0)
            }

            /// Those for which the predicate holds are ignored.
            pub fn ignored<E, P>(self, builder: BreakerBuilder, errors: Predicate<E, P>) -> BreakerBuilder
            where
                E: $($Error +)? 'static,
                P: Fn(&E) -> bool + Send + Sync + 'static,
            {
                builder.$ignored(errors.0)
            }
        }
    };
}

rules!(ErrorClassifier, expected_error_if, ignored_error_if, Error);
rules!(ValueRules, expected_value_if, ignored_value_if);

/// Judged by the breaker's own rules.
pub fn judged() -> DefaultClassifier {
    DefaultClassifier
}

/// Judged by a predicate about the errors of a function that returns `R`.
#[inline]
pub fn fail_if<R, P>(failure: P) -> FailIf<P>
where
    R: Returned,
    P: Fn(&R::Error) -> bool,
{
    FailIf(failure)
}

/// What `adjust` makes of the builder.
pub fn adjust(
    builder: BreakerBuilder,
    adjust: impl FnOnce(BreakerBuilder) -> BreakerBuilder,
) -> BreakerBuilder {
    adjust(builder)
}
