//! A call of a function with `#[circuit]`, on its way through its breaker.

use super::result::{FromCircuit, ResultOf, Returned, refuse};
use crate::breaker::CircuitBreaker;
use crate::circuit::CallToken;
use crate::guard::{
    self, Attempt, FailIf, FlattenErr, Judge, Limit, NoTimeout, Passed, Rules, Timeout,
    WithBreaker, warn_if_nested,
};
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
pub fn call<R, J>(breaker: &CircuitBreaker, judge: &J, work: impl FnOnce() -> R) -> R
where
    R: Returned<Error: FromCircuit>,
    J: OfErrors<R>,
{
    warn_if_nested::<R>();
    match guard::admit_inside(&breaker) {
        Ok(ticket) => {
            let passed = Passed::new(&breaker, ticket);
            settle(passed, judge, passed.run(work))
        }
        Err(open) => refuse(open),
    }
}

/// Records what a call returned.
///
/// Inlined, however large the function that it is part of: what the call returned would go through memory to it
/// and back, and cost more than the breaker does. What few calls need stands apart.
#[allow(clippy::inline_always)]
#[inline(always)]
fn settle<R, J>(passed: Passed<'_>, judge: &J, returned: R) -> R
where
    R: Returned,
    J: OfErrors<R>,
{
    // Taken apart: a value whose address nobody knows stays in registers. Whoever judges, an `Ok` is a
    // success.
    match returned.into_result() {
        Ok(value) => {
            passed.succeed();
            R::of_result(Ok(value))
        }
        Err(error) => {
            let result = Err(error);
            settle_error(passed.breaker, passed.ticket, judge, &result);
            R::of_result(result)
        }
    }
}

/// Given what fits in registers, so that a [`Passed`] need not stand in memory for it.
#[cold]
#[inline(never)]
fn settle_error<Out, J>(breaker: &CircuitBreaker, ticket: CallToken, judge: &J, result: &Out)
where
    J: Judge<Out>,
{
    Passed { breaker, ticket }.settle(judge, result);
}

/// Judges errors only: [`Rules`] and [`FailIf`].
pub trait OfErrors<R: Returned>: Judge<ResultOf<R>> {}
impl<R: Returned> OfErrors<R> for Rules where Self: Judge<ResultOf<R>> {}
impl<R: Returned, P> OfErrors<R> for FailIf<P> where Self: Judge<ResultOf<R>> {}

/// Lets the call of a function with a fallback pass, which does not ask why it is refused.
#[inline]
pub fn admit(breaker: &CircuitBreaker) -> Option<Admitted<'_>> {
    let admitted = guard::try_admit(&breaker).ok();
    admitted.map(|ticket| Admitted::new(breaker, ticket))
}

/// A call that may begin.
#[derive(Debug)]
pub struct Admitted<'h> {
    attempt: Attempt<&'h CircuitBreaker>,
}

impl<'h> Admitted<'h> {
    #[inline]
    fn new(breaker: &'h CircuitBreaker, ticket: CallToken) -> Self {
        Self {
            attempt: Attempt::admitted(breaker, ticket),
        }
    }

    /// Calls a sync function.
    #[inline]
    #[track_caller]
    pub fn call<R, J>(mut self, judge: &J, work: impl FnOnce() -> R) -> R
    where
        R: Returned,
        J: OfErrors<R>,
    {
        warn_if_nested::<R>();
        let returned = self.attempt.run_inside(work);
        match self.attempt.take() {
            Some(ticket) => settle(Passed::new(self.attempt.handle(), ticket), judge, returned),
            None => returned,
        }
    }

    /// Runs the future of an async one.
    #[inline]
    #[track_caller]
    pub fn run<R, F, J, L>(self, judge: J, limit: L, future: F) -> Passage<'h, F, J, L>
    where
        R: Returned,
        F: Future<Output = R>,
        J: OfErrors<R>,
        L: Overrun<R>,
    {
        warn_if_nested::<R>();
        Passage {
            future: Some(future),
            attempt: self.attempt,
            judge,
            limit,
        }
    }
}

/// No time limit.
pub fn unlimited() -> NoTimeout {
    NoTimeout
}

/// A time limit, counted from now.
///
/// # Panics
///
/// Outside a tokio runtime with time enabled.
pub fn limit(time: Duration) -> Timeout {
    Timeout::started(time)
}

/// A time limit, and what a function that overran it returns.
pub trait Overrun<R>: Limit {
    #[doc(hidden)]
    fn overrun(late: Self::Late, name: &Arc<str>) -> R;
}

impl<R> Overrun<R> for NoTimeout {
    fn overrun(late: Self::Late, _: &Arc<str>) -> R {
        match late {}
    }
}

impl<R: Returned<Error: FromCircuit>> Overrun<R> for Timeout {
    fn overrun(late: Duration, name: &Arc<str>) -> R {
        refuse(Self::late(late, name))
    }
}

pin_project! {
    /// The future of a call that was admitted.
    #[must_use = "futures do nothing unless polled"]
    pub struct Passage<'h, F, J, L> {
        // Before the attempt, so that the work is over when a trial's slot becomes free.
        #[pin]
        future: Option<F>,
        attempt: Attempt<&'h CircuitBreaker>,
        judge: J,
        #[pin]
        limit: L,
    }
}

impl<R, F, J, L> Future for Passage<'_, F, J, L>
where
    R: Returned,
    F: Future<Output = R>,
    J: OfErrors<R>,
    L: Overrun<R>,
{
    type Output = R;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let mut this = self.project();
        let future = this.future.as_mut().as_pin_mut();
        let future = future.expect("`Passage` polled after it completed");
        if let Poll::Ready(returned) = this.attempt.run_inside(|| future.poll(cx)) {
            return Poll::Ready(match this.attempt.take() {
                Some(ticket) => {
                    let passed = Passed::new(this.attempt.handle(), ticket);
                    settle(passed, this.judge, returned)
                }
                None => returned,
            });
        }
        this.limit.poll_late(cx).map(|late| {
            this.attempt.run(|| this.future.set(None));
            this.attempt.time_out(L::limit(late));
            L::overrun(late, &this.attempt.handle().circuit.name)
        })
    }
}

impl<F, J, L> fmt::Debug for Passage<'_, F, J, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage")
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// Guards the future of an async function, or one that a sync function made; admitted at its first poll.
#[inline]
#[track_caller]
pub fn wrap<R, F, H, J, L>(
    handle: H,
    judge: J,
    limit: L,
    future: F,
) -> FlattenErr<WithBreaker<F, H, J, L>>
where
    R: Returned<Error: FromCircuit>,
    F: Future<Output = R>,
    H: Handle,
    J: Judge<ResultOf<R>>,
    L: Limit,
{
    warn_if_nested::<R>();
    FlattenErr::new(WithBreaker::limited(future, handle, judge, limit))
}

/// A time limit for [`wrap`], counted from the first poll.
pub fn limit_of(time: Duration) -> Timeout {
    Timeout::new(time)
}

/// What a fallback gives: what the function returns, or a future of it.
#[diagnostic::on_unimplemented(
    message = "this fallback cannot stand in for the function",
    label = "the fallback must give `{R}`, or a future of it, as the function does",
    note = "found `{Self}`"
)]
pub trait Answer<R, Kind> {
    #[doc(hidden)]
    type Future: Future<Output = R>;
    #[doc(hidden)]
    fn begin(self) -> Self::Future;
}

/// The answer itself.
#[derive(Debug)]
pub enum Now {}
/// A future of it.
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

/// The answer of the fallback of an async function, which may be sync.
pub fn answer<R, A, Kind>(answer: A) -> A::Future
where
    A: Answer<R, Kind>,
{
    answer.begin()
}

/// Calls what makes the future of a sync function.
#[inline]
pub fn make<F>(make: impl FnOnce() -> F) -> F {
    make()
}
