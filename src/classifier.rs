//! Classifiers: what the output of a call means to the breaker.

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

/// A `Result`, seen as a trait so that closures over it infer their argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`, so there is no error to judge",
    label = "this judges a `Result`",
    note = "for an output that is no `Result`, judge it with `.classify_output(|output| ..)`"
)]
pub trait ResultLike: sealed::Sealed {
    /// The type of its `Ok`.
    type Ok;
    /// The type of its `Err`.
    type Err;
}

impl<T, E> ResultLike for Result<T, E> {
    type Ok = T;
    type Err = E;
}

/// Classifies an `Out`. Implemented by [`DefaultClassifier`], [`FailIf`], [`Classify`] and
/// [`ClassifyOutput`].
#[diagnostic::on_unimplemented(
    message = "a circuit breaker cannot tell whether `{Out}` is a success or a failure",
    label = "this gives `{Out}`, which is not a `Result`",
    note = "guard something that gives a `Result<T, E>`,",
    note = "or say what counts as a failure: `.classify_output(|output| ..)`"
)]
pub trait Classifier<Out> {
    /// What a guarded call gives when it is not refused and does not fail.
    type Ok;
    /// The error of the guarded code.
    type Err: Debug + 'static;

    /// Whether every `Ok` is a success, so that only errors have to be classified.
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

/// The outcome of a call, and the error that it was derived from.
#[doc(hidden)]
pub struct Classification<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<&'a dyn Debug>,
    /// The settings by which the error was classified, if no user code could have changed them since.
    pub(crate) config: Option<Loaded<BreakerConfig>>,
}

impl fmt::Debug for Classification<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(f)
    }
}

impl<'a> Classification<'a> {
    /// The outcome of a call without an error.
    pub(crate) const fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            error: None,
            config: None,
        }
    }

    /// Classifies a result whose every `Ok` is a success.
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

    /// Classifies an error by the breaker's rules and the predicate of the call site.
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
            ErrorClass::Unexpected => config.unexpected_errors_as(),
            ErrorClass::Unclassified(error) => {
                breaker.circuit.report_unclassified_error(error);
                config.unexpected_errors_as()
            }
        };
        let alone = fail_if.is_none() && config.error_rules().is_empty();
        Self {
            outcome,
            error: Some(error),
            config: alone.then_some(config),
        }
    }
}

/// Classifies errors by the breaker's rules; the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultClassifier;

/// Classifies errors by a predicate of the call site; made by `fail_if`.
#[derive(Clone, Copy)]
pub struct FailIf<P>(pub(crate) P);

/// Classifies whole results; made by `classify`.
#[derive(Clone, Copy)]
pub struct Classify<C>(pub(crate) C);

/// Classifies outputs that are no `Result`; made by `classify_output`.
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
