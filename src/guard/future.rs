use super::{
    Attempt, Classify, ClassifyOutput, FailIf, FlattenErr, FlattenInto, Judge, Limit, NoTimeout,
    Passed, ResultLike, Rules, Timeout, admit_inside, warn_if_nested,
};
use crate::breaker::CircuitBreaker;
use crate::classify::Outcome;
use crate::error::{BreakerError, CircuitOpen};
use crate::ext::{BreakerExt, kind};
use crate::handle::{ByName, Handle};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

pin_project! {
    /// A future behind a circuit breaker; made by
    /// [`with_breaker`](crate::BreakerExt::with_breaker) and
    /// [`guarded_by`](crate::BreakerExt::guarded_by).
    ///
    /// It is admitted at its first poll, so that one that is never polled takes no trial's slot.
    /// Refused, the guarded future is dropped unpolled.
    ///
    /// # Errors
    ///
    /// [`BreakerError::Open`] when the circuit refuses, [`BreakerError::TimedOut`] after
    /// [`timeout`](Self::timeout), [`BreakerError::Inner`] with the error of the future.
    ///
    /// # Panics
    ///
    /// When it is polled after it completed. A panic of the guarded future propagates, and is a
    /// failure; to poll it once more after that is another call, of a future that is spent.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the guarded future. The breaker counts that as
    /// [`cancelled_as`](crate::BreakerBuilder::cancelled_as) or
    /// [`cancelled_after`](crate::BreakerBuilder::cancelled_after) say, and a trial's slot is free
    /// again at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let registry = BreakerRegistry::new();
    /// let fetch = async { Ok::<_, std::io::Error>("alice") };
    /// assert_eq!(fetch.with_breaker(&registry, "users-api").await?, "alice");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct WithBreaker<F, H = ByName, J = Rules, L = NoTimeout>
    where
        H: Handle,
    {
        // Before the attempt, so that the guarded work is over when a trial's slot becomes free.
        // `None` once the call is over.
        #[pin]
        inner: Option<F>,
        attempt: Attempt<H>,
        judge: J,
        #[pin]
        limit: L,
    }
}

/// How a guarded future ended.
pub(super) enum Verdict<T, E, Late> {
    Refused(CircuitOpen),
    Done(Result<T, E>),
    Late(Late),
}

impl<F, H: Handle> WithBreaker<F, H> {
    #[inline]
    pub(crate) fn new(inner: F, handle: H) -> Self {
        Self::limited(inner, handle, Rules, NoTimeout)
    }
}

impl<F, H: Handle, J, L> WithBreaker<F, H, J, L> {
    #[inline]
    pub(crate) fn limited(inner: F, handle: H, judge: J, limit: L) -> Self {
        Self {
            inner: Some(inner),
            attempt: Attempt::new(handle),
            judge,
            limit,
        }
    }

    /// The guarded future of a refused call, until [`finish`](Self::finish).
    #[inline]
    pub(super) fn refused(self: Pin<&mut Self>) -> Option<Pin<&mut F>> {
        self.project().inner.as_pin_mut()
    }

    /// Drops the guarded future.
    #[inline]
    pub(super) fn finish(self: Pin<&mut Self>) {
        self.project().inner.set(None);
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.attempt.handle().breaker().circuit.name
    }

    fn judged_by<K>(self, judge: K) -> WithBreaker<F, H, K, L> {
        let Self {
            inner,
            attempt,
            limit,
            ..
        } = self;
        WithBreaker {
            inner,
            attempt,
            judge,
            limit,
        }
    }

    fn limited_by<M>(self, limit: M) -> WithBreaker<F, H, J, M> {
        let Self {
            inner,
            attempt,
            judge,
            ..
        } = self;
        WithBreaker {
            inner,
            attempt,
            judge,
            limit,
        }
    }

    /// After [`Verdict::Refused`] the guarded future is still there, for a fallback that wants its
    /// arguments; after the others it is gone.
    // Not inlined, its output would be copied through memory, which takes longer than all the rest.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(super) fn poll_verdict(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Verdict<J::Ok, J::Err, L::Late>>
    where
        F: Future,
        J: Judge<F::Output>,
        L: Limit,
    {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut();
        let inner = inner.expect("`WithBreaker` polled after it completed");
        let ticket = if let Some(ticket) = this.attempt.take() {
            ticket.enter(&this.attempt.handle().breaker().circuit)
        } else {
            // Before admission: without a timer's runtime this panics, and no slot may be taken.
            this.limit.as_mut().start();
            match admit_inside(this.attempt.handle()) {
                Ok(ticket) => ticket,
                Err(open) => return Poll::Ready(Verdict::Refused(open)),
            }
        };
        // The ticket is written down only when the call goes on: most are over at once.
        let passed = Passed::new(this.attempt.handle(), ticket);
        if let Poll::Ready(out) = passed.run(|| inner.poll(cx)) {
            // Judged first: what comes of the call does not depend on how its future is dropped.
            let result = this.judge.settle(out, passed);
            this.inner.set(None);
            return Poll::Ready(Verdict::Done(result));
        }
        this.attempt.put(ticket.leave());
        this.limit.poll_late(cx).map(|late| {
            // Dropped first, so that the work is over when a trial's slot becomes free.
            this.attempt.run(|| this.inner.set(None));
            this.attempt.time_out(L::limit(late));
            Verdict::Late(late)
        })
    }
}

/// What counts as a failure. The last word wins.
impl<F: Future, H: Handle, J, L> WithBreaker<F, H, J, L> {
    /// Errors for which `failure` holds are failures, the others unexpected ones. The breaker's
    /// ignored errors stay ignored.
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::prelude::*;
    /// # use std::io::{Error, ErrorKind};
    /// # let registry = BreakerRegistry::new();
    /// # let fetch = async { Ok::<_, Error>(()) };
    /// let guarded = fetch
    ///     .with_breaker(&registry, "users-api")
    ///     .fail_if(|error| error.kind() == ErrorKind::ConnectionRefused);
    /// ```
    pub fn fail_if<P>(self, failure: P) -> WithBreaker<F, H, FailIf<P>, L>
    where
        F::Output: ResultLike,
        P: Fn(&<F::Output as ResultLike>::Err) -> bool,
    {
        self.judged_by(FailIf(failure))
    }

    /// Judges the whole result, alone: none of the breaker's rules is asked.
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::{prelude::*, Outcome};
    /// # let registry = BreakerRegistry::new();
    /// # let get = async { Ok::<u16, std::io::Error>(503) };
    /// let guarded = get.with_breaker(&registry, "users-api").classify(|status| match status {
    ///     Ok(500..) | Err(_) => Outcome::Failure,
    ///     Ok(_) => Outcome::Success,
    /// });
    /// ```
    pub fn classify<C>(self, classify: C) -> WithBreaker<F, H, Classify<C>, L>
    where
        F::Output: ResultLike,
        C: Fn(&F::Output) -> Outcome,
    {
        self.judged_by(Classify(classify))
    }

    /// Judges an output that is no `Result`; the call's own becomes
    /// `Result<Output, BreakerError>`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::{prelude::*, Outcome};
    /// # let registry = BreakerRegistry::new();
    /// let guarded = async { Some(7) }.with_breaker(&registry, "cache").classify_output(|hit| {
    ///     if hit.is_some() { Outcome::Success } else { Outcome::Ignored }
    /// });
    /// ```
    pub fn classify_output<C>(self, classify: C) -> WithBreaker<F, H, ClassifyOutput<C>, L>
    where
        C: Fn(&F::Output) -> Outcome,
    {
        self.judged_by(ClassifyOutput(classify))
    }
}

impl<F: Future, H: Handle, J> WithBreaker<F, H, J> {
    /// Drops the future when it runs longer than `limit` by tokio's clock: a failure, and
    /// [`BreakerError::TimedOut`] for the caller.
    ///
    /// # Panics
    ///
    /// At the first poll, before admission, outside a tokio runtime with time enabled.
    pub fn timeout(self, limit: Duration) -> WithBreaker<F, H, J, Timeout> {
        self.limited_by(Timeout::new(limit))
    }
}

impl<F: Future, H: Handle, J, L: Limit> WithBreaker<F, H, J, L> {
    /// Turns the circuit's errors into the future's own type, which must be
    /// `From<BreakerError>`: `anyhow::Error`, `Box<dyn Error>`, or one with a `#[from]`.
    pub fn flatten_err(self) -> FlattenErr<Self> {
        FlattenErr::new(self)
    }

    /// Converts all errors to the error type of an application, which must be `From` the future's
    /// error and `From<BreakerError>`.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use std::io;
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// enum AppError {
    ///     #[error("no answer: {0}")]
    ///     Circuit(#[from] BreakerError),
    ///     #[error("I/O: {0}")]
    ///     Io(#[from] io::Error),
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let registry = BreakerRegistry::new();
    /// registry.breaker("users-api").force_open();
    /// let fetch = async { io::Result::Ok("alice") }.with_breaker(&registry, "users-api");
    /// let error = fetch.flatten_into::<AppError>().await.unwrap_err();
    /// assert!(matches!(error, AppError::Circuit(_)));
    /// # });
    /// # Ok::<(), io::Error>(())
    /// ```
    pub fn flatten_into<A>(self) -> FlattenInto<Self, A> {
        FlattenInto::new(self)
    }
}

impl<F, H, J, L> Future for WithBreaker<F, H, J, L>
where
    F: Future,
    H: Handle,
    J: Judge<F::Output>,
    L: Limit,
{
    type Output = Result<J::Ok, BreakerError<J::Err>>;

    // As above.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.as_mut().poll_verdict(cx).map(|verdict| match verdict {
            Verdict::Done(result) => result.map_err(BreakerError::Inner),
            Verdict::Refused(open) => {
                self.finish();
                Err(BreakerError::Open(open))
            }
            Verdict::Late(late) => Err(L::late(late, self.name())),
        })
    }
}

impl<F: Future> BreakerExt<kind::Future> for F {
    type Guarded<H: Handle> = WithBreaker<F, H>;

    #[inline]
    #[track_caller]
    fn guarded_by<H: Handle>(self, handle: H) -> WithBreaker<F, H> {
        warn_if_nested::<F::Output>();
        WithBreaker::new(self, handle)
    }
}

impl CircuitBreaker {
    /// Guards `future`; the same as [`guarded_by`](crate::BreakerExt::guarded_by) the other way
    /// round.
    ///
    /// # Cancel safety
    ///
    /// As that of [`WithBreaker`].
    #[inline]
    pub fn call_async<F>(&self, future: F) -> WithBreaker<F, &Self>
    where
        F: Future,
        Rules: Judge<F::Output>,
    {
        WithBreaker::new(future, self)
    }
}
