//! How an output is judged, and split into what went well and what did not.

use super::Passed;
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

/// Judges an `Out` for the breaker. Implemented by [`Rules`], [`FailIf`], [`Classify`] and
/// [`ClassifyOutput`].
#[diagnostic::on_unimplemented(
    message = "a circuit breaker cannot tell whether `{Out}` is a success or a failure",
    label = "this gives `{Out}`, which is not a `Result`",
    note = "guard something that gives a `Result<T, E>`,",
    note = "or say what counts as a failure: `.classify_output(|output| ..)`"
)]
pub trait Judge<Out> {
    /// What a guarded call gives when all went well.
    type Ok;
    /// The error of the guarded code.
    type Err: Debug + 'static;

    #[doc(hidden)]
    fn judge<'a>(&self, out: &'a Out, breaker: &CircuitBreaker) -> Judgement<'a>;
    #[doc(hidden)]
    fn split(out: Out) -> Result<Self::Ok, Self::Err>;

    /// Judges what a call gave, records that, and splits it.
    #[doc(hidden)]
    #[inline]
    fn settle(&self, out: Out, call: Passed<'_>) -> Result<Self::Ok, Self::Err> {
        call.settle(self, &out);
        Self::split(out)
    }
}

/// What a judge found, and the error that it was about.
#[doc(hidden)]
pub struct Judgement<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<&'a dyn Debug>,
    /// The settings that it went by, where no code of somebody's could have changed them meanwhile.
    pub(crate) config: Option<Loaded<BreakerConfig>>,
}

impl fmt::Debug for Judgement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(f)
    }
}

impl<'a> Judgement<'a> {
    const SUCCESS: Self = Self::that(Outcome::Success);

    /// Of a call without an error to keep.
    pub(crate) const fn that(outcome: Outcome) -> Self {
        Self {
            outcome,
            error: None,
            config: None,
        }
    }

    #[inline]
    fn of<T, E: Debug>(outcome: Outcome, out: &'a Result<T, E>) -> Self {
        let error = out.as_ref().err().map(|error| error as &dyn Debug);
        Self {
            error,
            ..Self::that(outcome)
        }
    }

    /// By the breaker's rules, and the call site's own idea of a failure.
    #[cold]
    fn of_error<E: Debug + 'static>(
        error: &'a E,
        fail_if: Option<&dyn Fn(&E) -> bool>,
        breaker: &CircuitBreaker,
    ) -> Self {
        let config = breaker.circuit.config();
        let outcome = match config.settings.errors.classify(error, fail_if) {
            ErrorClass::Failure => Outcome::Failure,
            ErrorClass::Ignored => Outcome::Ignored,
            ErrorClass::Unexpected => config.unexpected_errors_as(),
            ErrorClass::Unclassified(error) => {
                breaker.circuit.meet_unknown(error);
                config.unexpected_errors_as()
            }
        };
        let alone = fail_if.is_none() && config.settings.errors.is_empty();
        Self {
            outcome,
            error: Some(error),
            config: alone.then_some(config),
        }
    }
}

/// Judges by the breaker's own rules; the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules;

/// Judges a bare error by the breaker's rules.
pub(crate) struct ErrorsByRules;

/// Judges errors by a predicate of the call site; made by `fail_if`.
#[derive(Clone, Copy)]
pub struct FailIf<P>(pub(crate) P);

/// Judges whole results; made by `classify`.
#[derive(Clone, Copy)]
pub struct Classify<C>(pub(crate) C);

/// Judges outputs that are no `Result`; made by `classify_output`.
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

/// Settles a call whose `Ok` is a success, whoever judges.
///
/// Only an error is looked at where it stands: a value whose address is known to nobody can stay in
/// registers on its way through. Inlined, since the judge may stand in a future, which is such a value, too.
#[allow(clippy::inline_always)]
#[inline(always)]
fn settle_result<J, T, E>(judge: &J, out: Result<T, E>, call: Passed<'_>) -> Result<T, E>
where
    J: Judge<Result<T, E>>,
{
    match out {
        Ok(value) => {
            call.succeed();
            Ok(value)
        }
        Err(error) => {
            let out = Err(error);
            call.settle(judge, &out);
            out
        }
    }
}

impl<T, E: Debug + 'static> Judge<Result<T, E>> for Rules {
    type Ok = T;
    type Err = E;

    #[inline]
    fn judge<'a>(&self, out: &'a Result<T, E>, breaker: &CircuitBreaker) -> Judgement<'a> {
        match out {
            Ok(_) => Judgement::SUCCESS,
            Err(error) => Judgement::of_error(error, None, breaker),
        }
    }

    #[inline]
    fn split(out: Result<T, E>) -> Result<T, E> {
        out
    }

    #[allow(clippy::inline_always)] // see `settle_result`
    #[inline(always)]
    fn settle(&self, out: Result<T, E>, call: Passed<'_>) -> Result<T, E> {
        settle_result(self, out, call)
    }
}

impl<E: Debug + 'static> Judge<E> for ErrorsByRules {
    type Ok = Infallible;
    type Err = E;

    fn judge<'a>(&self, error: &'a E, breaker: &CircuitBreaker) -> Judgement<'a> {
        Judgement::of_error(error, None, breaker)
    }

    fn split(error: E) -> Result<Infallible, E> {
        Err(error)
    }
}

impl<T, E: Debug + 'static, P: Fn(&E) -> bool> Judge<Result<T, E>> for FailIf<P> {
    type Ok = T;
    type Err = E;

    #[inline]
    fn judge<'a>(&self, out: &'a Result<T, E>, breaker: &CircuitBreaker) -> Judgement<'a> {
        match out {
            Ok(_) => Judgement::SUCCESS,
            Err(error) => Judgement::of_error(error, Some(&self.0), breaker),
        }
    }

    #[inline]
    fn split(out: Result<T, E>) -> Result<T, E> {
        out
    }

    #[allow(clippy::inline_always)] // see `settle_result`
    #[inline(always)]
    fn settle(&self, out: Result<T, E>, call: Passed<'_>) -> Result<T, E> {
        settle_result(self, out, call)
    }
}

impl<T, E: Debug + 'static, C: Fn(&Result<T, E>) -> Outcome> Judge<Result<T, E>> for Classify<C> {
    type Ok = T;
    type Err = E;

    #[inline]
    fn judge<'a>(&self, out: &'a Result<T, E>, _: &CircuitBreaker) -> Judgement<'a> {
        Judgement::of((self.0)(out), out)
    }

    #[inline]
    fn split(out: Result<T, E>) -> Result<T, E> {
        out
    }
}

impl<Out, C: Fn(&Out) -> Outcome> Judge<Out> for ClassifyOutput<C> {
    type Ok = Out;
    type Err = Infallible;

    #[inline]
    fn judge<'a>(&self, out: &'a Out, _: &CircuitBreaker) -> Judgement<'a> {
        Judgement::that((self.0)(out))
    }

    #[inline]
    fn split(out: Out) -> Result<Out, Infallible> {
        Ok(out)
    }
}

#[diagnostic::do_not_recommend]
impl<Out, J: Judge<Out>> Judge<Out> for &J {
    type Ok = J::Ok;
    type Err = J::Err;

    #[inline]
    fn judge<'a>(&self, out: &'a Out, breaker: &CircuitBreaker) -> Judgement<'a> {
        J::judge(self, out, breaker)
    }

    #[inline]
    fn split(out: Out) -> Result<J::Ok, J::Err> {
        J::split(out)
    }

    #[allow(clippy::inline_always)] // as that of what it refers to
    #[inline(always)]
    fn settle(&self, out: Out, call: Passed<'_>) -> Result<J::Ok, J::Err> {
        J::settle(self, out, call)
    }
}
