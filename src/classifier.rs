//! Classifiers: decide the outcome of the value or error that guarded code returned.

use crate::breaker::CircuitBreaker;
use crate::classify::{ErrorClass, Outcome};
use crate::config::BreakerConfig;
use crate::sync::Loaded;
use std::convert::Infallible;
use std::fmt::{self, Debug};

mod sealed {
    pub trait Sealed {}
    impl<T, E> Sealed for Result<T, E> {}
}

/// A trait of `Result`, through which a closure infers the type of its argument.
///
/// This trait is sealed: only `Result` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`, so it has no error to classify",
    label = "this classifies the error of a `Result`",
    note = "classify any other output with `.classify_output(|output| ..)`"
)]
pub trait ResultLike: sealed::Sealed {
    /// The type of the `Ok` variant.
    type Ok;
    /// The type of the `Err` variant.
    type Err;
}

impl<T, E> ResultLike for Result<T, E> {
    type Ok = T;
    type Err = E;
}

/// Decides the outcome of an `Out` that guarded code returned.
///
/// The implementations are [`DefaultClassifier`], [`FailIf`], [`Classify`] and [`ClassifyOutput`].
#[diagnostic::on_unimplemented(
    message = "a circuit breaker cannot tell whether `{Out}` is a success or a failure",
    label = "the output is `{Out}`, which is not a `Result`",
    note = "guard code that returns a `Result<T, E>`,",
    note = "or classify: `.classify_output(|output| ..)` for a future, `.classify_item(|item| ..)` for a stream"
)]
pub trait Classifier<Out> {
    /// The value of a guarded call that is admitted and does not fail.
    type Ok;
    /// The error of the guarded code.
    type Err: Debug + 'static;

    /// Whether every `Ok` is a success. Only errors are classified then.
    #[doc(hidden)]
    const OK_IS_SUCCESS: bool;

    #[doc(hidden)]
    fn into_result(out: Out) -> Result<Self::Ok, Self::Err>;
    #[doc(hidden)]
    fn classify<'a>(
        &self,
        result: &'a Result<Self::Ok, Self::Err>,
        breaker: &CircuitBreaker,
    ) -> Classification<'a>;
}

/// The outcome of a call, with the error that it was derived from.
#[doc(hidden)]
pub struct Classification<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<&'a dyn Debug>,
    /// The settings that classified the error. `None` if user code ran since they were loaded,
    /// because that code may have replaced them.
    pub(crate) config: Option<Loaded<BreakerConfig>>,
}

impl fmt::Debug for Classification<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(f)
    }
}

impl<'a> Classification<'a> {
    /// Creates the classification of a call without an error.
    pub(crate) const fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            error: None,
            config: None,
        }
    }

    /// Classifies a result. Every `Ok` is a success.
    #[inline]
    fn of_result<T, E: Debug + 'static>(
        result: &'a Result<T, E>,
        fail_if: Option<&dyn Fn(&E) -> bool>,
        breaker: &CircuitBreaker,
    ) -> Self {
        match result {
            Ok(_) => Self::new(Outcome::Success),
            Err(error) => Self::of_error(error, fail_if, breaker),
        }
    }

    /// Classifies an error by the rules of the breaker, and by the predicate of the call site if
    /// there is one.
    #[cold]
    pub(crate) fn of_error<E: Debug + 'static>(
        error: &'a E,
        fail_if: Option<&dyn Fn(&E) -> bool>,
        breaker: &CircuitBreaker,
    ) -> Self {
        let config = breaker.circuit.config();
        let outcome = match config.error_rules().classify(error, fail_if) {
            ErrorClass::Failure => Outcome::Failure,
            ErrorClass::Ignored => Outcome::Ignored,
            ErrorClass::TripFor(time) => Outcome::TripFor(time),
            ErrorClass::Unexpected => config.unexpected_errors_as(),
            ErrorClass::Unclassified(error) => {
                breaker.circuit.report_unclassified_error(error);
                config.unexpected_errors_as()
            }
        };
        // Predicates are user code, which may replace the settings of this breaker.
        let alone = fail_if.is_none() && config.error_rules().is_empty();
        Self {
            outcome,
            error: Some(error),
            config: alone.then_some(config),
        }
    }
}

/// The default classifier: an `Ok` is a success, and an error is classified by the rules of the
/// breaker.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultClassifier;

/// Classifies errors with a predicate of the call site. Created by `fail_if`.
#[derive(Clone, Copy)]
pub struct FailIf<P>(pub(crate) P);

/// Classifies whole results with a closure. Created by `classify`.
#[derive(Clone, Copy)]
pub struct Classify<C>(pub(crate) C);

/// Classifies outputs other than a `Result` with a closure. Created by `classify_output`.
#[derive(Clone, Copy)]
pub struct ClassifyOutput<C>(pub(crate) C);

macro_rules! opaque_debug {
    ($($name:ident),*) => {$(
        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}

opaque_debug!(FailIf, Classify, ClassifyOutput);

impl<T, E: Debug + 'static> Classifier<Result<T, E>> for DefaultClassifier {
    type Ok = T;
    type Err = E;

    const OK_IS_SUCCESS: bool = true;

    #[inline]
    fn into_result(out: Result<T, E>) -> Result<T, E> {
        out
    }

    #[inline]
    fn classify<'a>(
        &self,
        result: &'a Result<T, E>,
        breaker: &CircuitBreaker,
    ) -> Classification<'a> {
        Classification::of_result(result, None, breaker)
    }
}

impl<T, E: Debug + 'static, P: Fn(&E) -> bool> Classifier<Result<T, E>> for FailIf<P> {
    type Ok = T;
    type Err = E;

    const OK_IS_SUCCESS: bool = true;

    #[inline]
    fn into_result(out: Result<T, E>) -> Result<T, E> {
        out
    }

    #[inline]
    fn classify<'a>(
        &self,
        result: &'a Result<T, E>,
        breaker: &CircuitBreaker,
    ) -> Classification<'a> {
        Classification::of_result(result, Some(&self.0), breaker)
    }
}

impl<T, E, C> Classifier<Result<T, E>> for Classify<C>
where
    E: Debug + 'static,
    C: Fn(&Result<T, E>) -> Outcome,
{
    type Ok = T;
    type Err = E;

    const OK_IS_SUCCESS: bool = false;

    #[inline]
    fn into_result(out: Result<T, E>) -> Result<T, E> {
        out
    }

    #[inline]
    fn classify<'a>(&self, result: &'a Result<T, E>, _: &CircuitBreaker) -> Classification<'a> {
        Classification {
            error: result.as_ref().err().map(|error| error as &dyn Debug),
            ..Classification::new((self.0)(result))
        }
    }
}

impl<Out, C: Fn(&Out) -> Outcome> Classifier<Out> for ClassifyOutput<C> {
    type Ok = Out;
    type Err = Infallible;

    const OK_IS_SUCCESS: bool = false;

    #[inline]
    fn into_result(out: Out) -> Result<Out, Infallible> {
        Ok(out)
    }

    #[inline]
    fn classify<'a>(
        &self,
        result: &'a Result<Out, Infallible>,
        _: &CircuitBreaker,
    ) -> Classification<'a> {
        match result {
            Ok(out) => Classification::new((self.0)(out)),
            Err(never) => match *never {},
        }
    }
}

#[diagnostic::do_not_recommend]
impl<Out, C: Classifier<Out>> Classifier<Out> for &C {
    type Ok = C::Ok;
    type Err = C::Err;

    const OK_IS_SUCCESS: bool = C::OK_IS_SUCCESS;

    #[inline]
    fn into_result(out: Out) -> Result<C::Ok, C::Err> {
        C::into_result(out)
    }

    #[inline]
    fn classify<'a>(
        &self,
        result: &'a Result<C::Ok, C::Err>,
        breaker: &CircuitBreaker,
    ) -> Classification<'a> {
        C::classify(self, result, breaker)
    }
}
