//! [`Breaker`]: a service that is guarded by a circuit breaker.

use super::{
    AnswerRefused, Choose, Finish, Readiness, Refusals, ResponseFuture, Single, Until,
    UntilResponse,
};
use crate::breaker::CircuitBreaker;
use crate::call::{Call, RunningCall, start};
use crate::classifier::{Classifier, DefaultClassifier};
use crate::function::NoFallback;
use crate::refusal_details::RefusalDetails;
use std::fmt;
use std::mem;
use std::task::{Context, Poll, Waker, ready};
use tower_service::Service;

/// A service guarded by a circuit breaker, as created by [`BreakerLayer`](super::BreakerLayer).
///
/// A clone contains a clone of the inner service and shares the breaker. Each clone must be polled
/// ready before it is called.
///
/// # Errors
///
/// * [`BreakerError::Open`](crate::BreakerError::Open) if the circuit refuses the call. The inner
///   service is not called.
/// * [`BreakerError::Inner`](crate::BreakerError::Inner) if the inner service returns an error.
///
/// With [`flatten_err`](super::BreakerLayer::flatten_err) or
/// [`on_refused`](super::BreakerLayer::on_refused), the error type is that of the inner service.
///
/// # Panics
///
/// `call` panics if the service was not polled ready before. The contract of tower allows this, and
/// the inner service must not be called in that case. A panic of the inner service propagates and
/// is recorded as a failure.
pub struct Breaker<S, K = Single, J = DefaultClassifier, A = NoFallback, U = UntilResponse> {
    inner: S,
    choice: K,
    judge: J,
    refusals: A,
    until: U,
    /// Whether the inner service was polled ready and has not been called since.
    ready: bool,
    /// Why the inner service was not polled. The next call is refused with these details.
    refused: Option<RefusalDetails>,
}

impl<S, K, J, A, U> Breaker<S, K, J, A, U> {
    pub(super) fn new(inner: S, choice: K, judge: J, refusals: A, until: U) -> Self {
        Self {
            inner,
            choice,
            judge,
            refusals,
            until,
            ready: false,
            refused: None,
        }
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    ///
    /// Calls through this reference are not guarded. After such a call, poll the breaker ready
    /// again before calling it, because the readiness of the inner service is used up.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service and discards the breaker.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Request, K, J, A, U> Service<Request> for Breaker<S, K, J, A, U>
where
    S: Service<Request>,
    K: Choose<Request> + Readiness<S>,
    J: Classifier<Result<S::Response, S::Error>, Ok = S::Response, Err = S::Error> + Clone,
    A: Refusals<Request>,
    A::Answer: AnswerRefused<S::Response, S::Error>,
    U: Until<Request> + Finish<S::Response>,
{
    type Response = U::Response;
    type Error = <A::Answer as AnswerRefused<S::Response, S::Error>>::Error;
    type Future = ResponseFuture<S::Future, J, A::Answer, U>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        (self.ready, self.refused) = (false, None);
        let breaker = self.choice.chosen();
        let refused = breaker.and_then(|breaker| breaker.circuit.check_ready());
        let is_refusing = refused.is_some();
        if ready!(self.choice.poll_circuit(is_refusing, &mut self.inner, cx)) {
            self.refused = refused;
            return Poll::Ready(Ok(()));
        }
        let Some(breaker) = self.choice.chosen() else {
            ready!(self.inner.poll_ready(cx)).map_err(A::Answer::inner)?;
            self.ready = true;
            return Poll::Ready(Ok(()));
        };
        let panicking = Panicking(breaker);
        let polled = self.inner.poll_ready(cx);
        mem::forget(panicking);
        match ready!(polled) {
            Ok(()) => {
                self.ready = true;
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                let error = count(breaker, &self.judge, error);
                Poll::Ready(Err(A::Answer::inner(error)))
            }
        }
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        let until = self.until.start(&request);
        if let (Some(seen), Some(breaker)) = (self.refused.take(), self.choice.chosen()) {
            // A call inside a trial of the same circuit joins the trial, even if `poll_ready` ran
            // outside it and was refused.
            self.ready = breaker.circuit.is_inside_trial() && is_ready_now(&mut self.inner);
            if !self.ready {
                let refused = breaker.circuit.refuse(seen);
                let open = breaker.circuit.refusal_error(refused);
                return ResponseFuture::refused(open, self.refusals.answer(request), until);
            }
        }
        assert!(
            self.ready,
            "`Breaker::call` was called before `poll_ready` returned `Ready(Ok(()))`"
        );
        let mut call = Call::new(self.choice.handle(&request));
        match start(call.breaker()) {
            Ok(token) => {
                self.ready = false;
                let running = RunningCall::new(call.breaker(), token);
                let future = running.run(|| self.inner.call(request));
                call.suspend(token);
                ResponseFuture::admitted(future, call, self.judge.clone(), until)
            }
            Err(open) => {
                // Not ready if `release` panics.
                let was_ready = mem::take(&mut self.ready);
                self.ready = was_ready && !self.choice.release(&mut self.inner);
                ResponseFuture::refused(open, self.refusals.answer(request), until)
            }
        }
    }
}

/// Returns `true` if the inner service is ready, although it was not polled because its circuit
/// refused.
///
/// The waker is ignored. If the inner service is not ready, the next `poll_ready` of the breaker
/// registers the waker of its task.
#[cold]
fn is_ready_now<S: Service<Request>, Request>(inner: &mut S) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(inner.poll_ready(&mut context), Poll::Ready(Ok(())))
}

/// Records an error of `poll_ready` like a call with this result, if the circuit admits one.
///
/// A refusal is not counted, because `poll_ready` is not a call.
#[cold]
fn count<T, E, C>(breaker: &CircuitBreaker, classifier: &C, error: E) -> E
where
    C: Classifier<Result<T, E>, Ok = T, Err = E>,
{
    let Ok(token) = breaker.circuit.try_admit() else {
        return error;
    };
    match RunningCall::new(breaker, token).finish(classifier, Err(error)) {
        Err(error) => error,
        Ok(_) => unreachable!("`finish` returns an error for an error"),
    }
}

/// A drop guard that records a panic of `poll_ready` during unwinding.
struct Panicking<'a>(&'a CircuitBreaker);

impl Drop for Panicking<'_> {
    fn drop(&mut self) {
        if let Ok(token) = self.0.circuit.try_admit() {
            RunningCall::new(self.0, token).record_panic();
        }
    }
}

/// A clone is not ready, because the inner clone has not been polled.
impl<S: Clone, K: Clone, J: Clone, A: Clone, U: Clone> Clone for Breaker<S, K, J, A, U> {
    fn clone(&self) -> Self {
        Self::new(
            self.inner.clone(),
            self.choice.clone(),
            self.judge.clone(),
            self.refusals.clone(),
            self.until.clone(),
        )
    }
}

impl<S: fmt::Debug, K: fmt::Debug, J, A, U> fmt::Debug for Breaker<S, K, J, A, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("inner", &self.inner)
            .field("choice", &self.choice)
            .finish_non_exhaustive()
    }
}
