//! Calls of functions with `#[circuit]`.

use super::result::{FromCircuit, ResultOf, Returned, refuse};
use crate::breaker::CircuitBreaker;
use crate::call::{self, Call};
use crate::classifier::{Classifier, DefaultClassifier, FailIf};
use crate::future::{FlattenErr, Limit, NoTimeout, Timeout, WithBreaker, warn_if_nested};
use crate::handle::Handle;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Calls a sync function.
#[inline]
#[track_caller]
pub fn call<R, C>(breaker: &CircuitBreaker, classifier: &C, work: impl FnOnce() -> R) -> R
where
    R: Returned<Error: FromCircuit>,
    C: OfErrors<R>,
{
    warn_if_nested::<R>();
    match call::call(breaker, classifier, (), |()| work().into_result()) {
        Ok(result) => R::of_result(result),
        Err((open, ())) => refuse(open),
    }
}

/// A classifier of the results of `R`: [`DefaultClassifier`] or [`FailIf`].
pub trait OfErrors<R: Returned>: Classifier<ResultOf<R>, Ok = R::Value, Err = R::Error> {}
impl<R: Returned> OfErrors<R> for DefaultClassifier where
    Self: Classifier<ResultOf<R>, Ok = R::Value, Err = R::Error>
{
}
impl<R: Returned, P> OfErrors<R> for FailIf<P> where
    Self: Classifier<ResultOf<R>, Ok = R::Value, Err = R::Error>
{
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
    pub fn call<R, C>(self, classifier: &C, work: impl FnOnce() -> R) -> R
    where
        R: Returned,
        C: OfErrors<R>,
    {
        warn_if_nested::<R>();
        R::of_result(self.call.run(classifier, || work().into_result()))
    }

    /// Runs the future of an async function.
    #[inline]
    #[track_caller]
    pub fn run<R, F, C, L>(self, classifier: C, limit: L, future: F) -> RunAdmitted<'h, F, C, L>
    where
        R: Returned,
        F: Future<Output = R>,
        C: OfErrors<R>,
        L: TimeoutOutput<R>,
    {
        warn_if_nested::<R>();
        RunAdmitted {
            guarded: WithBreaker::with_parts(future, self.call, classifier, limit),
        }
    }
}

/// Returns the limit of a call without a timeout.
pub fn no_timeout() -> NoTimeout {
    NoTimeout
}

/// Returns a timeout that starts now.
///
/// # Panics
///
/// Panics outside a tokio runtime with time enabled.
pub fn started_timeout(time: Duration) -> Timeout {
    Timeout::started(time)
}

/// A limit of a function that returns `R`, and the return value after the limit has elapsed.
pub trait TimeoutOutput<R>: Limit {
    #[doc(hidden)]
    fn output(elapsed: Self::Elapsed, name: &Arc<str>) -> R;
}

impl<R> TimeoutOutput<R> for NoTimeout {
    fn output(elapsed: Self::Elapsed, _: &Arc<str>) -> R {
        match elapsed {}
    }
}

impl<R: Returned<Error: FromCircuit>> TimeoutOutput<R> for Timeout {
    fn output(elapsed: Duration, name: &Arc<str>) -> R {
        refuse(Self::error(elapsed, name))
    }
}

pin_project! {
    /// The future of an admitted call.
    #[must_use = "futures do nothing unless polled"]
    pub struct RunAdmitted<'h, F, C, L> {
        #[pin]
        guarded: WithBreaker<F, &'h CircuitBreaker, C, L>,
    }
}

impl<R, F, C, L> Future for RunAdmitted<'_, F, C, L>
where
    R: Returned,
    F: Future<Output = R>,
    C: OfErrors<R> + Classifier<R, Ok = R::Value, Err = R::Error>,
    L: TimeoutOutput<R>,
{
    type Output = R;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let mut this = self.project();
        let polled = this.guarded.as_mut().poll_admitted(cx);
        polled.map(|result| match result {
            Ok(result) => R::of_result(result),
            Err(elapsed) => L::output(elapsed, &this.guarded.breaker().circuit.name),
        })
    }
}

impl<F, C, L> fmt::Debug for RunAdmitted<'_, F, C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunAdmitted").finish_non_exhaustive()
    }
}

/// Guards the future of an async function, or a future that a sync function returned. The call is
/// admitted at the first poll.
#[inline]
#[track_caller]
pub fn guard_future<R, F, H, C, L>(
    handle: H,
    classifier: C,
    limit: L,
    future: F,
) -> FlattenErr<WithBreaker<F, H, C, L>>
where
    R: Returned<Error: FromCircuit>,
    F: Future<Output = R>,
    H: Handle,
    C: Classifier<ResultOf<R>>,
    L: Limit,
{
    warn_if_nested::<R>();
    FlattenErr::new(WithBreaker::with_parts(
        future,
        Call::new(handle),
        classifier,
        limit,
    ))
}

/// Returns a timeout for [`guard_future`], which starts at the first poll.
pub fn timeout(time: Duration) -> Timeout {
    Timeout::new(time)
}

/// The output of a fallback: the return value of the function, or a future of it.
#[diagnostic::on_unimplemented(
    message = "this fallback does not match the function",
    label = "the fallback must return `{R}`, or a future of it, like the function",
    note = "found `{Self}`"
)]
pub trait Answer<R, Kind> {
    #[doc(hidden)]
    type Future: Future<Output = R>;
    #[doc(hidden)]
    fn begin(self) -> Self::Future;
}

/// Marks a fallback that returns the value.
#[derive(Debug)]
pub enum Now {}
/// Marks a fallback that returns a future of the value.
#[derive(Debug)]
pub enum Later {}

#[diagnostic::do_not_recommend]
impl<R> Answer<R, Now> for R {
    type Future = Ready<R>;

    fn begin(self) -> Ready<R> {
        ready(self)
    }
}

#[diagnostic::do_not_recommend]
impl<R, F: Future<Output = R>> Answer<R, Later> for F {
    type Future = F;

    fn begin(self) -> F {
        self
    }
}

/// Returns the future of a fallback's answer. The fallback of an async function may be sync.
pub fn fallback_output<R, A, Kind>(answer: A) -> A::Future
where
    A: Answer<R, Kind>,
{
    answer.begin()
}

/// Calls the body of a sync function that returns a future. The body is a closure, so that a `return` in it
/// does not leave the expansion.
#[inline]
pub fn call_maker<F>(make: impl FnOnce() -> F) -> F {
    make()
}
