//! Errors that are expected or ignored: `expected = ConnectError`, `ignored = |error| ..`.
//!
//! A builder has separate methods for types that implement `Error` and for other types, because only
//! the former can be found inside boxed errors. The attribute has one key for both, so the expansion
//! chooses by type: it calls a method that two traits provide (autoref specialization). Method
//! resolution prefers [`AsError`], which needs one borrow less. It falls back to [`AsValue`] for types
//! that do not implement `Error`.

use super::result::Returned;
use crate::config::BreakerBuilder;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

/// A predicate for errors of type `E`.
pub struct Predicate<E, P>(P, PhantomData<fn(&E)>);

impl<E, P> fmt::Debug for Predicate<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Predicate")
    }
}

impl<E, P> Predicate<E, P> {
    /// Returns the receiver of `__breakerbox_kind`, the method that both traits provide.
    pub fn probe(&self) -> Probe<E> {
        Probe(PhantomData)
    }
}

/// Creates a predicate whose parameter determines the error type.
pub fn predicate<E, P: Fn(&E) -> bool>(predicate: P) -> Predicate<E, P> {
    Predicate(predicate, PhantomData)
}

/// Creates a predicate for the error type of a function that returns `R`.
pub fn own_predicate<R, P>(predicate: P) -> Predicate<R::Error, P>
where
    R: Returned,
    P: Fn(&R::Error) -> bool,
{
    Predicate(predicate, PhantomData)
}

/// Creates a predicate that holds for all errors of type `E`.
pub fn any_error<E>() -> Predicate<E, impl Fn(&E) -> bool + Send + Sync + 'static>
where
    E: 'static,
{
    Predicate(|_: &E| true, PhantomData)
}

/// The receiver of the method by which the compiler chooses [`AsError`] or [`AsValue`].
#[derive(Debug)]
pub struct Probe<E>(PhantomData<fn(&E)>);

/// The trait for types that implement `Error`.
pub trait AsError {
    #[doc(hidden)]
    fn __breakerbox_kind(&self) -> ErrorClassifier {
        ErrorClassifier
    }
}

impl<E: Error + 'static> AsError for Probe<E> {}

/// The trait for all other types.
pub trait AsValue {
    #[doc(hidden)]
    fn __breakerbox_kind(&self) -> ValueRules {
        ValueRules
    }
}

impl<E> AsValue for &Probe<E> {}

/// Adds predicates for types that implement `Error` to a builder.
#[derive(Clone, Copy, Debug)]
pub struct ErrorClassifier;

/// Adds predicates for other types to a builder.
#[derive(Clone, Copy, Debug)]
pub struct ValueRules;

macro_rules! rules {
    ($Rules:ident, $expected:ident, $ignored:ident $(, $Error:ident)?) => {
        impl $Rules {
            /// Adds a rule: errors for which the predicate holds are expected.
            pub fn expected<E, P>(self, builder: BreakerBuilder, errors: Predicate<E, P>) -> BreakerBuilder
            where
                E: $($Error +)? 'static,
                P: Fn(&E) -> bool + Send + Sync + 'static,
            {
                builder.$expected(errors.0)
            }

            /// Adds a rule: errors for which the predicate holds are ignored.
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

/// Applies `adjust` to the builder. The compiler infers the types of the closure in the attribute from
/// this signature.
pub fn apply_settings(
    builder: BreakerBuilder,
    adjust: impl FnOnce(BreakerBuilder) -> BreakerBuilder,
) -> BreakerBuilder {
    adjust(builder)
}
