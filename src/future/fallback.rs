//! [`Fallback`]: a guarded future with an answer for an open circuit.

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

/// A future that may stand in for one that gives `Out`.
#[diagnostic::on_unimplemented(
    message = "this fallback cannot stand in for the guarded future",
    label = "the fallback must give a future of `{Out}`, as the guarded future does",
    note = "found `{Self}`",
    note = "write it as `.fallback(|open| async move {{ .. }})`, ending in a value of `{Out}`"
)]
pub trait FallbackFuture<Out>: Future<Output = Out> {}

#[diagnostic::do_not_recommend]
impl<Out, Fut: Future<Output = Out>> FallbackFuture<Out> for Fut {}

/// Starts the answer to the refusal of an `F`. Implemented by [`OnOpen`] and [`OnArgs`].
pub trait FallbackFn<F, Answer> {
    #[doc(hidden)]
    fn start(self, refused: Pin<&mut F>, open: CircuitOpen) -> Answer;
}

/// A fallback that is told why: `|open: CircuitOpen| async { .. }`.
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

/// A fallback that is given the arguments of the call it stands in for.
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

// No bound ties `F`, `R` and `Answer` together: within the state of an async block their lifetimes
// are erased one by one, and a bound between them would fail as "not general enough".
pin_project! {
    /// A guarded future with an answer for an open circuit; made by `fallback`.
    ///
    /// Its output is the guarded future's own; with a timeout it stays
    /// `Result<T, BreakerError<E>>`. What the fallback gives is not judged.
    ///
    /// # Cancel safety
    ///
    /// As that of [`WithBreaker`]; dropping it drops the fallback's future, too.
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
    /// Answers in the future's stead when the circuit refuses, and only then.
    ///
    /// Its errors pass through uncounted. Without a [`timeout`](Self::timeout) the output is the
    /// future's own again.
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

/// What counts as a failure. The last word wins.
impl<F: Future, H: Handle, C, L, R, A> Fallback<F, H, C, L, R, A> {
    /// As [`WithBreaker::fail_if`].
    pub fn fail_if<P>(self, failure: P) -> Fallback<F, H, FailIf<P>, L, R, A>
    where
        F::Output: ResultLike,
        P: Fn(&<F::Output as ResultLike>::Err) -> bool,
    {
        self.map(|guarded| guarded.fail_if(failure))
    }

    /// As [`WithBreaker::classify`].
    pub fn classify<G>(self, classify: G) -> Fallback<F, H, Classify<G>, L, R, A>
    where
        F::Output: ResultLike,
        G: Fn(&F::Output) -> Outcome,
    {
        self.map(|guarded| guarded.classify(classify))
    }

    /// As [`WithBreaker::classify_output`].
    pub fn classify_output<G>(self, classify: G) -> Fallback<F, H, ClassifyOutput<G>, L, R, A>
    where
        G: Fn(&F::Output) -> Outcome,
    {
        self.map(|guarded| guarded.classify_output(classify))
    }
}

impl<F: Future, H: Handle, C, R, A> Fallback<F, H, C, NoTimeout, R, A> {
    /// As [`WithBreaker::timeout`]; the fallback itself has no limit.
    pub fn timeout(self, after: Duration) -> Fallback<F, H, C, Timeout, R, A> {
        self.map(|guarded| guarded.timeout(after))
    }
}

/// Only with a time limit is there still an error of the breaker's to flatten.
impl<F: Future, H: Handle, C, R, A> Fallback<F, H, C, Timeout, R, A> {
    /// As [`WithBreaker::flatten_err`].
    pub fn flatten_err(self) -> FlattenErr<Self> {
        FlattenErr::new(self)
    }

    /// As [`WithBreaker::flatten_into`].
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
        // Without it the fallback was called, and panicked.
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
        // A refused call still has its future, and it is refused once.
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
