//! [`WithBreaker`]: a future behind a circuit breaker.

use super::lint_nested_result::warn_if_nested;
use super::{FlattenErr, FlattenInto, Limit, NoTimeout, Timeout};
use crate::breaker::CircuitBreaker;
use crate::call::{Call, RunningCall, start};
use crate::circuit::CallToken;
use crate::classifier::{
    Classifier, Classify, ClassifyOutput, DefaultClassifier, FailIf, ResultLike,
};
use crate::classify::Outcome;
use crate::error::{BreakerError, CircuitOpen};
use crate::ext::{BreakerExt, kind};
use crate::handle::{ByName, Handle};
use pin_project_lite::pin_project;
use std::pin::Pin;
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
    pub struct WithBreaker<F, H = ByName, C = DefaultClassifier, L = NoTimeout>
    where
        H: Handle,
    {
        // Before the call, so that the guarded code has ended when the slot of a trial becomes free.
        // `None` once the call is over.
        #[pin]
        inner: Option<F>,
        call: Call<H>,
        classifier: C,
        #[pin]
        limit: L,
    }
}

/// How a guarded future ended.
pub(super) enum Completed<T, E, Elapsed> {
    Refused(CircuitOpen),
    Returned(Result<T, E>),
    TimedOut(Elapsed),
}

impl<F, H: Handle> WithBreaker<F, H> {
    #[inline]
    pub(crate) fn new(inner: F, handle: H) -> Self {
        Self::with_parts(inner, Call::new(handle), DefaultClassifier, NoTimeout)
    }
}

impl<F, H: Handle, C, L> WithBreaker<F, H, C, L> {
    /// Guards `inner` as the code of `call`, which may be admitted already.
    #[inline]
    pub(crate) fn with_parts(inner: F, call: Call<H>, classifier: C, limit: L) -> Self {
        Self {
            inner: Some(inner),
            call,
            classifier,
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

    pub(crate) fn breaker(&self) -> &CircuitBreaker {
        self.call.breaker()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.inner.is_none()
    }

    fn classified_by<D>(self, classifier: D) -> WithBreaker<F, H, D, L> {
        WithBreaker {
            inner: self.inner,
            call: self.call,
            classifier,
            limit: self.limit,
        }
    }

    fn limited_by<M>(self, limit: M) -> WithBreaker<F, H, C, M> {
        WithBreaker {
            inner: self.inner,
            call: self.call,
            classifier: self.classifier,
            limit,
        }
    }

    /// Asks for admission at the first poll, and polls the guarded future.
    ///
    /// After [`Completed::Refused`] the guarded future is still there, for a fallback that takes its
    /// arguments; after the others it is gone.
    // Inlined also into a large future, where its output would be copied through memory otherwise.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(super) fn poll_completed(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Completed<C::Ok, C::Err, L::Elapsed>>
    where
        F: Future,
        C: Classifier<F::Output>,
        L: Limit,
    {
        let this = self.as_mut().project();
        let token = if let Some(token) = this.call.resume() {
            token
        } else {
            assert!(
                this.inner.is_some(),
                "`WithBreaker` polled after it completed"
            );
            // Before admission: this panics without a runtime that has a timer, and no slot may be
            // taken then.
            this.limit.start();
            match start(this.call.breaker()) {
                Ok(token) => token,
                Err(open) => return Poll::Ready(Completed::Refused(open)),
            }
        };
        self.poll_running(token, cx).map(|result| match result {
            Ok(result) => Completed::Returned(result),
            Err(elapsed) => Completed::TimedOut(elapsed),
        })
    }

    /// Polls the guarded future of a call that was admitted. Returns `Err` after the time limit.
    #[allow(clippy::inline_always, clippy::type_complexity)] // as above
    #[inline(always)]
    pub(crate) fn poll_admitted(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Result<C::Ok, C::Err>, L::Elapsed>>
    where
        F: Future,
        C: Classifier<F::Output>,
        L: Limit,
    {
        let token = self.as_mut().project().call.resume();
        let token = token.expect("a guarded future polled after it completed");
        self.poll_running(token, cx)
    }

    #[allow(clippy::inline_always, clippy::type_complexity)] // as above
    #[inline(always)]
    fn poll_running(
        self: Pin<&mut Self>,
        token: CallToken,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Result<C::Ok, C::Err>, L::Elapsed>>
    where
        F: Future,
        C: Classifier<F::Output>,
        L: Limit,
    {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut();
        let inner = inner.expect("a guarded future polled after it completed");
        let running = RunningCall::new(this.call.breaker(), token);
        if let Poll::Ready(out) = running.run(|| inner.poll(cx)) {
            // Recorded first: the outcome does not depend on how the future is dropped.
            let result = running.finish(this.classifier, out);
            this.inner.set(None);
            return Poll::Ready(Ok(result));
        }
        this.call.suspend(token);
        this.limit.poll_elapsed(cx).map(|elapsed| {
            // Dropped first, so that the guarded code has ended when the slot of a trial becomes free.
            if let Some(token) = this.call.resume() {
                RunningCall::new(this.call.breaker(), token).run(|| this.inner.set(None));
                this.call.suspend(token);
            }
            this.call.record_timeout(L::limit(elapsed));
            Err(elapsed)
        })
    }
}

/// What counts as a failure. The last word wins.
impl<F: Future, H: Handle, C, L> WithBreaker<F, H, C, L> {
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
        self.classified_by(FailIf(failure))
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
    pub fn classify<G>(self, classify: G) -> WithBreaker<F, H, Classify<G>, L>
    where
        F::Output: ResultLike,
        G: Fn(&F::Output) -> Outcome,
    {
        self.classified_by(Classify(classify))
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
    pub fn classify_output<G>(self, classify: G) -> WithBreaker<F, H, ClassifyOutput<G>, L>
    where
        G: Fn(&F::Output) -> Outcome,
    {
        self.classified_by(ClassifyOutput(classify))
    }
}

impl<F: Future, H: Handle, C> WithBreaker<F, H, C> {
    /// Drops the future when it runs longer than `limit` by tokio's clock: a failure, and
    /// [`BreakerError::TimedOut`] for the caller.
    ///
    /// # Panics
    ///
    /// At the first poll, before admission, outside a tokio runtime with time enabled.
    pub fn timeout(self, limit: Duration) -> WithBreaker<F, H, C, Timeout> {
        self.limited_by(Timeout::new(limit))
    }
}

impl<F: Future, H: Handle, C, L: Limit> WithBreaker<F, H, C, L> {
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

impl<F, H, C, L> Future for WithBreaker<F, H, C, L>
where
    F: Future,
    H: Handle,
    C: Classifier<F::Output>,
    L: Limit,
{
    type Output = Result<C::Ok, BreakerError<C::Err>>;

    // As `poll_completed`.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.as_mut()
            .poll_completed(cx)
            .map(|completed| match completed {
                Completed::Returned(result) => result.map_err(BreakerError::Inner),
                Completed::Refused(open) => {
                    self.finish();
                    Err(BreakerError::Open(open))
                }
                Completed::TimedOut(elapsed) => {
                    Err(L::error(elapsed, &self.breaker().circuit.name))
                }
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
        DefaultClassifier: Classifier<F::Output>,
    {
        WithBreaker::new(future, self)
    }
}
