//! [`Fallback`]: a guarded future with a fallback for refused calls.

use super::deferred_call::DeferredCall;
use super::with_breaker::{Completed, WithBreaker};
use super::{FlattenErr, FlattenInto, Limit, NoTimeout, Timeout};
use crate::classifier::{Classifier, Classify, ClassifyOutput, FailIf, ResultLike};
use crate::classify::Outcome;
use crate::error::CircuitOpen;
use crate::handle::Handle;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// The future of a fallback, with the output of the guarded future.
#[diagnostic::on_unimplemented(
    message = "this fallback does not match the guarded future",
    label = "the fallback must return a future of `{Out}`, like the guarded future",
    note = "found `{Self}`",
    note = "write it as `.fallback(|open| async move {{ .. }})`, with a block that returns `{Out}`"
)]
pub trait FallbackFuture<Out>: Future<Output = Out> {}

#[diagnostic::do_not_recommend]
impl<Out, Fut: Future<Output = Out>> FallbackFuture<Out> for Fut {}

/// Starts the fallback of a refused `F`. Implemented by [`OnOpen`] and [`OnArgs`].
pub trait FallbackFn<F, Answer> {
    #[doc(hidden)]
    fn start(self, refused: Pin<&mut F>, open: CircuitOpen) -> Answer;
}

/// A fallback that takes the refusal: `|open: CircuitOpen| async { .. }`.
#[derive(Clone, Copy)]
pub struct OnOpen<FB>(pub(crate) FB);

impl<FB> fmt::Debug for OnOpen<FB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnOpen")
    }
}

impl<F, FB, Fut> FallbackFn<F, Fut> for OnOpen<FB>
where
    FB: FnOnce(CircuitOpen) -> Fut,
{
    fn start(self, _: Pin<&mut F>, open: CircuitOpen) -> Fut {
        (self.0)(open)
    }
}

/// A fallback that takes the arguments of the refused call.
pub struct OnArgs<FB, Args, Fut> {
    fallback: FB,
    start: fn(FB, Args) -> Fut,
}

impl<FB, Args, Fut> OnArgs<FB, Args, Fut> {
    pub(crate) fn new(fallback: FB, start: fn(FB, Args) -> Fut) -> Self {
        Self { fallback, start }
    }
}

impl<FB, Args, Fut> fmt::Debug for OnArgs<FB, Args, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnArgs").finish_non_exhaustive()
    }
}

impl<F, FB, Args, Called, Fut> FallbackFn<DeferredCall<F, Args, Called>, Fut>
    for OnArgs<FB, Args, Fut>
{
    fn start(self, refused: Pin<&mut DeferredCall<F, Args, Called>>, _: CircuitOpen) -> Fut {
        let args = refused.take_args();
        (self.start)(
            self.fallback,
            args.expect("a refused call still has its arguments"),
        )
    }
}

// Without a bound between `F`, `R` and `Answer`: the compiler erases each lifetime in the state of an async
// block separately, and would reject a bound between them as "not general enough".
pin_project! {
    /// A guarded future with a fallback for refused calls, returned by
    /// [`fallback`](WithBreaker::fallback).
    ///
    /// The output is that of the guarded future. With a timeout, it is `Result<T, BreakerError<E>>`. The
    /// result of the fallback is not recorded.
    ///
    /// # Panics
    ///
    /// May panic if it is polled after it completed, and panics if it is polled after the fallback
    /// panicked.
    ///
    /// # Cancel safety
    ///
    /// Dropping a `Fallback` drops the guarded future, as described for [`WithBreaker`]. It also drops the
    /// future of the fallback.
    #[must_use = "futures do nothing unless polled"]
    pub struct Fallback<F, H, C, L, R, Answer>
    where
        H: Handle,
    {
        #[pin]
        guarded: WithBreaker<F, H, C, L>,
        start: Option<R>,
        #[pin]
        answer: Option<Answer>,
    }
}

impl<F: Future, H: Handle, C, L: Limit> WithBreaker<F, H, C, L> {
    /// Calls `fallback` with the refusal when the circuit refuses, and only then. Default: no fallback.
    ///
    /// The result of the fallback is not recorded. Without a [`timeout`](Self::timeout), the output is
    /// that of the future itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let registry = BreakerRegistry::new();
    /// registry.breaker("users-api").force_open();
    /// let name = async { Ok::<_, std::io::Error>("alice") }
    ///     .with_breaker(&registry, "users-api")
    ///     .fallback(|_| async { Ok("unknown") })
    ///     .await?;
    /// assert_eq!(name, "unknown");
    /// # Ok::<(), std::io::Error>(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn fallback<FB, Fut>(self, fallback: FB) -> Fallback<F, H, C, L, OnOpen<FB>, Fut>
    where
        FB: FnOnce(CircuitOpen) -> Fut,
        Fut: FallbackFuture<F::Output>,
    {
        Fallback::new(self, OnOpen(fallback))
    }
}

impl<F, H: Handle, C, L, R, A> Fallback<F, H, C, L, R, A> {
    pub(crate) fn new(guarded: WithBreaker<F, H, C, L>, fallback: R) -> Self {
        Self {
            guarded,
            start: Some(fallback),
            answer: None,
        }
    }

    fn map<K, M>(
        self,
        map: impl FnOnce(WithBreaker<F, H, C, L>) -> WithBreaker<F, H, K, M>,
    ) -> Fallback<F, H, K, M, R, A> {
        Fallback {
            guarded: map(self.guarded),
            start: self.start,
            answer: None,
        }
    }
}

/// Classification. The last of these methods replaces the earlier ones.
impl<F: Future, H: Handle, C, L, R, A> Fallback<F, H, C, L, R, A> {
    /// Does the same as [`WithBreaker::fail_if`].
    pub fn fail_if<P>(self, failure: P) -> Fallback<F, H, FailIf<P>, L, R, A>
    where
        F::Output: ResultLike,
        P: Fn(&<F::Output as ResultLike>::Err) -> bool,
    {
        self.map(|guarded| guarded.fail_if(failure))
    }

    /// Does the same as [`WithBreaker::classify`].
    pub fn classify<G>(self, classify: G) -> Fallback<F, H, Classify<G>, L, R, A>
    where
        F::Output: ResultLike,
        G: Fn(&F::Output) -> Outcome,
    {
        self.map(|guarded| guarded.classify(classify))
    }

    /// Does the same as [`WithBreaker::classify_output`].
    pub fn classify_output<G>(self, classify: G) -> Fallback<F, H, ClassifyOutput<G>, L, R, A>
    where
        G: Fn(&F::Output) -> Outcome,
    {
        self.map(|guarded| guarded.classify_output(classify))
    }
}

impl<F: Future, H: Handle, C, R, A> Fallback<F, H, C, NoTimeout, R, A> {
    /// Does the same as [`WithBreaker::timeout`]. The timeout does not apply to the fallback.
    ///
    /// # Panics
    ///
    /// The guarded future panics at its first poll, before admission, outside a tokio runtime with time
    /// enabled.
    pub fn timeout(self, after: Duration) -> Fallback<F, H, C, Timeout, R, A> {
        self.map(|guarded| guarded.timeout(after))
    }
}

/// Conversion of errors. Only a call with a timeout can still return an error of the breaker.
impl<F: Future, H: Handle, C, R, A> Fallback<F, H, C, Timeout, R, A> {
    /// Does the same as [`WithBreaker::flatten_err`].
    pub fn flatten_err(self) -> FlattenErr<Self> {
        FlattenErr::new(self)
    }

    /// Does the same as [`WithBreaker::flatten_into`].
    pub fn flatten_into<Target>(self) -> FlattenInto<Self, Target> {
        FlattenInto::new(self)
    }
}

impl<F, H, C, L, R, A> Future for Fallback<F, H, C, L, R, A>
where
    F: Future,
    H: Handle,
    C: Classifier<F::Output>,
    L: Limit,
    R: FallbackFn<F, A>,
    A: Future<Output = F::Output>,
{
    type Output = Result<C::Ok, L::WithFallback<C::Err>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let own = |result: Result<_, _>| result.map_err(L::inner_with_fallback);
        if let Some(answer) = this.answer.as_mut().as_pin_mut() {
            return answer.poll(cx).map(|out| own(C::into_result(out)));
        }
        // Without an answer, `start` is `None` only if the fallback was called and panicked.
        assert!(this.start.is_some(), "`Fallback` polled after it panicked");
        let open = match this.guarded.as_mut().poll_completed(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Completed::Returned(result)) => return Poll::Ready(own(result)),
            Poll::Ready(Completed::TimedOut(elapsed)) => {
                return Poll::Ready(Err(L::error_with_fallback(
                    elapsed,
                    &this.guarded.breaker().circuit.name,
                )));
            }
            Poll::Ready(Completed::Refused(open)) => open,
        };
        if let (Some(fallback), Some(refused)) =
            (this.start.take(), this.guarded.as_mut().refused())
        {
            this.answer.set(Some(fallback.start(refused, open)));
            this.guarded.finish();
        }
        let answer = this.answer.as_pin_mut();
        // Both were present: `start` was checked above, and a refused call keeps its future until `finish`.
        let answer = answer.expect("`Fallback` polled after it panicked");
        answer.poll(cx).map(|out| own(C::into_result(out)))
    }
}

impl<F, H: Handle, C, L, R, A> fmt::Debug for Fallback<F, H, C, L, R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("answering", &self.answer.is_some())
            .finish_non_exhaustive()
    }
}
