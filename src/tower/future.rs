//! [`ResponseFuture`]: the future of a call through [`Breaker`](super::Breaker).

use super::{AnswerRefused, Finish, UntilResponse};
use crate::call::Call;
use crate::classifier::{Classifier, DefaultClassifier};
use crate::error::CircuitOpen;
use crate::function::NoFallback;
use crate::future::{NoTimeout, WithBreaker};
use crate::handle::ByName;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future of a guarded call, as returned by [`Breaker`](super::Breaker).
    ///
    /// The call was admitted or refused when the future was created. `F` is the future of the inner
    /// service, `C` classifies its output, and `A` answers the refusal.
    ///
    /// # Errors
    ///
    /// Resolves to a [`BreakerError`](crate::BreakerError). With
    /// [`flatten_err`](super::BreakerLayer::flatten_err) or
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
        state: State<F, C, A>,
        until: U,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, C, A> {
        Admitted {
            #[pin]
            guarded: WithBreaker<F, ByName, C>,
        },
        /// `None` after completion.
        Refused { refused: Option<(CircuitOpen, A)> },
    }
}

impl<F, C, A, U> ResponseFuture<F, C, A, U> {
    pub(super) fn refused(open: CircuitOpen, answer: A, until: U) -> Self {
        let refused = Some((open, answer));
        let state = State::Refused { refused };
        Self { state, until }
    }

    /// Continues an admitted call, whose inner service has returned `future`.
    #[inline]
    pub(super) fn admitted(future: F, call: Call<ByName>, classifier: C, until: U) -> Self {
        let guarded = WithBreaker::with_parts(future, call, classifier, NoTimeout);
        let state = State::Admitted { guarded };
        Self { state, until }
    }
}

impl<F, C, A, U, Response, Error> Future for ResponseFuture<F, C, A, U>
where
    F: Future<Output = Result<Response, Error>>,
    C: Classifier<Result<Response, Error>, Ok = Response, Err = Error>,
    A: AnswerRefused<Response, Error>,
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
            StateProj::Refused { refused } => {
                let refused = refused.take();
                let (open, answer) = refused.expect("`ResponseFuture` polled after it completed");
                Poll::Ready(answer.refused(open).map(U::unguarded))
            }
        }
    }
}

impl<F, C, A, U> fmt::Debug for ResponseFuture<F, C, A, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Admitted { guarded } if !guarded.is_over() => "admitted",
            State::Refused { refused: Some(_) } => "refused",
            _ => "over",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
