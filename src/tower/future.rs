//! [`ResponseFuture`]: the future of a call through [`Breaker`](super::Breaker).

use super::{Finish, Refusals, UntilResponse};
use crate::call::{self, Call, RunningCall};
use crate::classifier::{Classifier, DefaultClassifier};
use crate::error::CircuitOpen;
use crate::function::NoFallback;
use crate::future::{NoTimeout, WithBreaker};
use crate::handle::{ByName, Handle};
use crate::refusal_details::RefusalDetails;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future of a guarded call, as returned by [`Breaker`](super::Breaker).
    ///
    /// The call was admitted or refused when the future was created. `F` is the future of the inner
    /// service, `C` classifies its output, and `A` answers refusals.
    ///
    /// # Errors
    ///
    /// Resolves to a [`BreakerError`](crate::BreakerError). With
    /// [`on_refused`](super::BreakerLayer::on_refused), resolves to the error type of the inner
    /// service.
    ///
    /// # Panics
    ///
    /// Panics if it is polled after completion. A panic of the inner future propagates and is
    /// recorded as a failure.
    ///
    /// # Cancel safety
    ///
    /// Dropping this future drops the inner future. The call is recorded according to
    /// [`cancelled_as`](crate::BreakerBuilder::cancelled_as) and
    /// [`cancelled_after`](crate::BreakerBuilder::cancelled_after). If the call is a trial, its
    /// slot becomes available immediately.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C = DefaultClassifier, A = NoFallback, U = UntilResponse> {
        #[pin]
        state: State<F, C>,
        refusals: A,
        until: U,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, C> {
        Admitted {
            #[pin]
            guarded: WithBreaker<F, ByName, C>,
        },
        /// `None` after completion.
        Refused { open: Option<CircuitOpen> },
    }
}

impl<F, C, A, U> ResponseFuture<F, C, A, U> {
    pub(super) fn refused(handle: &ByName, refused: RefusalDetails, refusals: A, until: U) -> Self {
        let open = handle.breaker().circuit.refusal_error(refused);
        let state = State::Refused { open: Some(open) };
        Self {
            state,
            refusals,
            until,
        }
    }

    /// Starts the call if the circuit admits it.
    #[inline]
    pub(super) fn admit(
        handle: ByName,
        classifier: C,
        refusals: A,
        until: U,
        start: impl FnOnce() -> F,
    ) -> Self {
        let mut call = Call::new(handle);
        let state = match call::start(call.breaker()) {
            Ok(token) => {
                let future = RunningCall::new(call.breaker(), token).run(start);
                call.suspend(token);
                let guarded = WithBreaker::with_parts(future, call, classifier, NoTimeout);
                State::Admitted { guarded }
            }
            Err(open) => State::Refused { open: Some(open) },
        };
        Self {
            state,
            refusals,
            until,
        }
    }
}

impl<F, C, A, U, Response, Error> Future for ResponseFuture<F, C, A, U>
where
    F: Future<Output = Result<Response, Error>>,
    C: Classifier<Result<Response, Error>, Ok = Response, Err = Error>,
    A: Refusals<Response, Error>,
    U: Finish<Response>,
{
    type Output = Result<U::Response, A::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.state.project() {
            StateProj::Admitted { guarded } => {
                let polled = this.until.poll_guarded(guarded, cx);
                polled.map(|result| result.map_err(A::inner))
            }
            StateProj::Refused { open } => {
                let open = open.take();
                let open = open.expect("`ResponseFuture` polled after it completed");
                let answer = this.refusals.refused(open);
                Poll::Ready(answer.map(U::unguarded))
            }
        }
    }
}

impl<F, C, A, U> fmt::Debug for ResponseFuture<F, C, A, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Admitted { guarded } if !guarded.is_over() => "admitted",
            State::Refused { open: Some(_) } => "refused",
            _ => "over",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
