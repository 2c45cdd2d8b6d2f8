//! [`WithBreaker`]: a future that a circuit breaker guards.

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
    /// A future that a circuit breaker guards, returned by
    /// [`with_breaker`](crate::BreakerExt::with_breaker) and
    /// [`guarded_by`](crate::BreakerExt::guarded_by).
    ///
    /// The call is admitted at the first poll, so a future that is never polled takes no slot of a trial.
    /// If the circuit refuses, the guarded future is dropped without being polled.
    ///
    /// # Errors
    ///
    /// * [`BreakerError::Open`] if the circuit refuses
    /// * [`BreakerError::TimedOut`] if the future runs longer than its [`timeout`](Self::timeout)
    /// * [`BreakerError::Inner`] with the error of the guarded future
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it completed. A panic of the guarded future is recorded as a failure,
    /// and propagates. A poll after such a panic is a new call of the same guarded future.
    ///
    /// # Cancel safety
    ///
    /// Dropping a `WithBreaker` drops the guarded future. A call that was admitted is recorded as
    /// cancelled, as [`cancelled_as`](crate::BreakerBuilder::cancelled_as) and
    /// [`cancelled_after`](crate::BreakerBuilder::cancelled_after) specify. The slot of a trial becomes
    /// free at once.
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
        // Declared before `call`, because fields drop in this order: the guarded code has to end before
        // the slot of a trial becomes free. `None` after the call has ended.
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
    /// Guards `inner` as the code of `call`, which may have been admitted.
    #[inline]
    pub(crate) fn with_parts(inner: F, call: Call<H>, classifier: C, limit: L) -> Self {
        Self {
            inner: Some(inner),
            call,
            classifier,
            limit,
        }
    }

    /// Returns the guarded future of a refused call, unless [`finish`](Self::finish) has dropped it.
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

    /// Admits the call at the first poll, and polls the guarded future.
    ///
    /// After [`Completed::Refused`] the guarded future still exists, because a fallback may take its
    /// arguments. After the other variants it has been dropped.
    #[allow(clippy::inline_always)] // see `src/call.rs`
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
            // Before admission, because a timer panics without a runtime, and an admitted call would
            // hold a slot then.
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

    /// Polls the guarded future of an admitted call. Returns `Err` if the limit has elapsed.
    #[allow(clippy::inline_always, clippy::type_complexity)] // see `src/call.rs`
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

    #[allow(clippy::inline_always, clippy::type_complexity)] // see `src/call.rs`
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
        self.poll_output(token, cx, |handle, token, classifier, out| {
            RunningCall::new(handle.breaker(), token).finish(classifier, out)
        })
    }

    /// Polls the guarded future of an admitted call, which continues after the future has completed.
    /// `finish` gets that call, the classifier and the output.
    #[cfg(all(feature = "http", feature = "tower"))]
    pub(crate) fn poll_part<T>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        finish: impl FnOnce(Call<H>, &C, F::Output) -> T,
    ) -> Poll<Result<T, L::Elapsed>>
    where
        F: Future,
        H: Clone,
        L: Limit,
    {
        let token = self.as_mut().project().call.resume();
        let token = token.expect("a guarded future polled after it completed");
        self.poll_output(token, cx, |handle, token, classifier, out| {
            let mut call = Call::new(handle.clone());
            call.suspend(token);
            finish(call, classifier, out)
        })
    }

    /// Polls the guarded future. `finish` records the outcome of the call, or keeps the token.
    #[allow(clippy::inline_always)] // see `src/call.rs`
    #[inline(always)]
    fn poll_output<T>(
        self: Pin<&mut Self>,
        token: CallToken,
        cx: &mut Context<'_>,
        finish: impl FnOnce(&H, CallToken, &C, F::Output) -> T,
    ) -> Poll<Result<T, L::Elapsed>>
    where
        F: Future,
        L: Limit,
    {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut();
        let inner = inner.expect("a guarded future polled after it completed");
        let running = RunningCall::new(this.call.breaker(), token);
        if let Poll::Ready(out) = running.run(|| inner.poll(cx)) {
            // Recorded before the future is dropped, so that a panic of its `Drop` cannot change the
            // outcome.
            let result = finish(this.call.handle(), token, this.classifier, out);
            this.inner.set(None);
            return Poll::Ready(Ok(result));
        }
        // Before the limit is polled: the timer is not guarded code, so the thread must no longer be marked
        // as running a trial.
        this.call.suspend(token);
        this.limit.poll_elapsed(cx).map(|elapsed| {
            // Dropped before the timeout is recorded: the guarded code has to end before the slot of a
            // trial becomes free. `Drop` of the future is guarded code, so a panic of it is recorded.
            if let Some(token) = this.call.resume() {
                RunningCall::new(this.call.breaker(), token).run(|| this.inner.set(None));
                this.call.suspend(token);
            }
            this.call.record_timeout(L::limit(elapsed));
            Err(elapsed)
        })
    }
}

/// Classification. The last of these methods replaces the earlier ones.
impl<F: Future, H: Handle, C, L> WithBreaker<F, H, C, L> {
    /// Classifies errors for which `failure` returns true as failures, and all others as unexpected.
    ///
    /// Errors that the breaker ignores stay ignored, and those that
    /// [`trip_for_if`](crate::BreakerBuilder::trip_for_if) returns a time for open the circuit.
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

    /// Classifies the whole result with `classify`, in place of the breaker's rules.
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

    /// Classifies an output that is not a `Result`.
    ///
    /// The output of the guarded future becomes `Result<Output, BreakerError>`.
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
    /// Drops the future if it runs longer than `limit` on tokio's clock, and records a failure. Default:
    /// no timeout.
    ///
    /// The time starts at the first poll. The caller gets [`BreakerError::TimedOut`].
    ///
    /// # Panics
    ///
    /// The guarded future panics at its first poll, before admission, outside a tokio runtime with time
    /// enabled.
    pub fn timeout(self, limit: Duration) -> WithBreaker<F, H, C, Timeout> {
        self.limited_by(Timeout::new(limit))
    }
}

impl<F: Future, H: Handle, C, L: Limit> WithBreaker<F, H, C, L> {
    /// Converts the circuit's errors to the error type of the future, which must implement
    /// `From<BreakerError>`.
    ///
    /// `anyhow::Error` and `Box<dyn Error + Send + Sync>` implement it. An enum that derives thiserror's
    /// `Error` does with a variant `Circuit(#[from] BreakerError)`.
    pub fn flatten_err(self) -> FlattenErr<Self> {
        FlattenErr::new(self)
    }

    /// Converts all errors to the error type `A` of an application, which must implement
    /// `From<BreakerError>` and `From` the future's error type.
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

    #[allow(clippy::inline_always)] // see `src/call.rs`
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
    /// Guards `future`, as [`future.guarded_by(&breaker)`](crate::BreakerExt::guarded_by) does.
    ///
    /// For blocking work, use [`call`](Self::call) in tokio's `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// The returned future has the errors of [`WithBreaker`].
    ///
    /// # Cancel safety
    ///
    /// The returned future has the cancel safety of [`WithBreaker`].
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// let name = users.call_async(async { Ok::<_, std::io::Error>("alice") }).await?;
    /// assert_eq!(name, "alice");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn call_async<F>(&self, future: F) -> WithBreaker<F, &Self>
    where
        F: Future,
        DefaultClassifier: Classifier<F::Output>,
    {
        WithBreaker::new(future, self)
    }
}
