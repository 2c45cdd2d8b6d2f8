//! Calls of functions with `#[circuit]`.

use super::classify::OfReturned;
use super::result::Returned;
use super::run_admitted::{RunAdmitted, TimeoutOutput};
use crate::breaker::CircuitBreaker;
use crate::call::{self, Call};
use crate::error::BreakerError;
use crate::future::{WithBreaker, warn_if_nested};

/// Calls a sync function. A refused call returns the error that `refused` makes from the refusal.
#[inline]
#[track_caller]
pub fn call<R, C, X>(
    breaker: &CircuitBreaker,
    classifier: &C,
    refused: X,
    work: impl FnOnce() -> R,
) -> R
where
    R: Returned,
    C: OfReturned<R>,
    X: Fn(BreakerError) -> R::Error,
{
    warn_if_nested::<R>();
    match call::call(breaker, classifier, (), |()| work()) {
        Ok(result) => C::returned(result),
        Err((open, ())) => R::of_error(refused(open.into())),
    }
}

/// Admits a call of a function with a fallback. Such a function does not return the refusal, so none is
/// built.
#[inline]
pub fn admit(breaker: &CircuitBreaker) -> Option<Admitted<'_>> {
    let token = call::try_admit(breaker)?;
    let call = Call::admitted(breaker, token);
    Some(Admitted { call })
}

/// An admitted call.
#[derive(Debug)]
pub struct Admitted<'h> {
    call: Call<&'h CircuitBreaker>,
}

impl<'h> Admitted<'h> {
    /// Calls a sync function.
    #[inline]
    #[track_caller]
    pub fn call<R, C: OfReturned<R>>(self, classifier: &C, work: impl FnOnce() -> R) -> R {
        warn_if_nested::<R>();
        C::returned(self.call.run(classifier, work))
    }

    /// Runs the future of an async function. `timed_out` makes the error of a call that timed out, and is
    /// `()` without a timeout.
    #[inline]
    #[track_caller]
    pub fn run<R, F, C, L, X>(
        self,
        classifier: C,
        limit: L,
        timed_out: X,
        future: F,
    ) -> RunAdmitted<'h, F, C, L, X>
    where
        F: Future<Output = R>,
        C: OfReturned<R>,
        L: TimeoutOutput<R, X>,
    {
        warn_if_nested::<R>();
        let guarded = WithBreaker::with_parts(future, self.call, classifier, limit);
        RunAdmitted::new(guarded, timed_out)
    }
}

/// Calls the body of a sync function that returns a future. The body is a closure, so that a `return` in it
/// does not leave the expansion.
#[inline]
pub fn call_maker<F>(make: impl FnOnce() -> F) -> F {
    make()
}
