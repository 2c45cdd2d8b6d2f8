use super::future::Verdict;
use super::{
    Classify, ClassifyOutput, FailIf, FlattenErr, FlattenInto, Judge, Lazy, Limit, NoTimeout,
    ResultLike, Timeout, WithBreaker,
};
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

/// Starts the answer for a refused `F`. Implemented by [`OnOpen`] and [`OnArgs`].
pub trait Rescue<F, Answer> {
    #[doc(hidden)]
    fn rescue(self, refused: Pin<&mut F>, open: CircuitOpen) -> Answer;
}

/// A fallback that is told why: `|open: CircuitOpen| async { .. }`.
#[derive(Clone, Copy)]
pub struct OnOpen<FB>(pub(crate) FB);

impl<FB> fmt::Debug for OnOpen<FB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnOpen")
    }
}

impl<F, FB, Fut> Rescue<F, Fut> for OnOpen<FB>
where
    FB: FnOnce(CircuitOpen) -> Fut,
{
    fn rescue(self, _: Pin<&mut F>, open: CircuitOpen) -> Fut {
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

impl<F, FB, Args, Called, Fut> Rescue<Lazy<F, Args, Called>, Fut> for OnArgs<FB, Args, Fut> {
    fn rescue(self, refused: Pin<&mut Lazy<F, Args, Called>>, _: CircuitOpen) -> Fut {
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
    pub struct Fallback<F, H, J, L, R, Answer>
    where
        H: Handle,
    {
        #[pin]
        guarded: WithBreaker<F, H, J, L>,
        rescue: Option<R>,
        #[pin]
        answer: Option<Answer>,
    }
}

impl<F: Future, H: Handle, J, L: Limit> WithBreaker<F, H, J, L> {
    /// Answers in the future's stead when the circuit refuses, and only then.
    ///
    /// Its errors pass through uncounted. Without a [`timeout`](Self::timeout) the output is the
    /// future's own again.
    pub fn fallback<FB, Fut>(self, fallback: FB) -> Fallback<F, H, J, L, OnOpen<FB>, Fut>
    where
        FB: FnOnce(CircuitOpen) -> Fut,
        Fut: FallbackFuture<F::Output>,
    {
        Fallback::new(self, OnOpen(fallback))
    }
}

impl<F, H: Handle, J, L, R, A> Fallback<F, H, J, L, R, A> {
    pub(crate) fn new(guarded: WithBreaker<F, H, J, L>, rescue: R) -> Self {
        Self {
            guarded,
            rescue: Some(rescue),
            answer: None,
        }
    }

    fn map<K, M>(
        self,
        map: impl FnOnce(WithBreaker<F, H, J, L>) -> WithBreaker<F, H, K, M>,
    ) -> Fallback<F, H, K, M, R, A> {
        Fallback {
            guarded: map(self.guarded),
            rescue: self.rescue,
            answer: None,
        }
    }
}

/// What counts as a failure. The last word wins.
impl<F: Future, H: Handle, J, L, R, A> Fallback<F, H, J, L, R, A> {
    /// As [`WithBreaker::fail_if`].
    pub fn fail_if<P>(self, failure: P) -> Fallback<F, H, FailIf<P>, L, R, A>
    where
        F::Output: ResultLike,
        P: Fn(&<F::Output as ResultLike>::Err) -> bool,
    {
        self.map(|guarded| guarded.fail_if(failure))
    }

    /// As [`WithBreaker::classify`].
    pub fn classify<C>(self, classify: C) -> Fallback<F, H, Classify<C>, L, R, A>
    where
        F::Output: ResultLike,
        C: Fn(&F::Output) -> Outcome,
    {
        self.map(|guarded| guarded.classify(classify))
    }

    /// As [`WithBreaker::classify_output`].
    pub fn classify_output<C>(self, classify: C) -> Fallback<F, H, ClassifyOutput<C>, L, R, A>
    where
        C: Fn(&F::Output) -> Outcome,
    {
        self.map(|guarded| guarded.classify_output(classify))
    }
}

impl<F: Future, H: Handle, J, R, A> Fallback<F, H, J, NoTimeout, R, A> {
    /// As [`WithBreaker::timeout`]; the fallback itself has no limit.
    pub fn timeout(self, after: Duration) -> Fallback<F, H, J, Timeout, R, A> {
        self.map(|guarded| guarded.timeout(after))
    }
}

/// Only with a time limit is there still an error of the breaker's to flatten.
impl<F: Future, H: Handle, J, R, A> Fallback<F, H, J, Timeout, R, A> {
    /// As [`WithBreaker::flatten_err`].
    pub fn flatten_err(self) -> FlattenErr<Self> {
        FlattenErr::new(self)
    }

    /// As [`WithBreaker::flatten_into`].
    pub fn flatten_into<Target>(self) -> FlattenInto<Self, Target> {
        FlattenInto::new(self)
    }
}

impl<F, H, J, L, R, A> Future for Fallback<F, H, J, L, R, A>
where
    F: Future,
    H: Handle,
    J: Judge<F::Output>,
    L: Limit,
    R: Rescue<F, A>,
    A: Future<Output = F::Output>,
{
    type Output = Result<J::Ok, L::WithFallback<J::Err>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let own = |result: Result<_, _>| result.map_err(L::inner_with_fallback);
        if let Some(answer) = this.answer.as_mut().as_pin_mut() {
            return answer.poll(cx).map(|out| own(J::split(out)));
        }
        // Without it the fallback was called, and panicked.
        assert!(this.rescue.is_some(), "`Fallback` polled after it panicked");
        let open = match this.guarded.as_mut().poll_verdict(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Verdict::Done(result)) => return Poll::Ready(own(result)),
            Poll::Ready(Verdict::Late(late)) => {
                return Poll::Ready(Err(L::late_with_fallback(late, this.guarded.name())));
            }
            Poll::Ready(Verdict::Refused(open)) => open,
        };
        if let (Some(rescue), Some(refused)) = (this.rescue.take(), this.guarded.as_mut().refused())
        {
            this.answer.set(Some(rescue.rescue(refused, open)));
            this.guarded.finish();
        }
        let answer = this.answer.as_pin_mut();
        // A refused call still has its future, and it is refused once.
        let answer = answer.expect("`Fallback` polled after it panicked");
        answer.poll(cx).map(|out| own(J::split(out)))
    }
}

impl<F, H: Handle, J, L, R, A> fmt::Debug for Fallback<F, H, J, L, R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("answering", &self.answer.is_some())
            .finish_non_exhaustive()
    }
}
