use super::Refusals;
use crate::error::CircuitOpen;
use crate::guard::{Attempt, Judge, NoFallback, Rules};
use crate::registry::Held;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Admitted {
            // Before the attempt, so that the work is over when a trial's slot becomes free.
            #[pin]
            call: F,
            attempt: Attempt<Held>,
        },
        Refused { open: Option<CircuitOpen> },
        Over,
    }
}

pin_project! {
    /// The future of a guarded call; made by [`Breaker`](super::Breaker).
    ///
    /// The call was admitted, or refused, when this was made. `F` is the inner service's future,
    /// `J` judges what it gives, `A` is what becomes of a refusal.
    ///
    /// # Errors
    ///
    /// [`BreakerError`](crate::BreakerError), or with
    /// [`on_refused`](super::BreakerLayer::on_refused) the error of the inner service.
    ///
    /// # Panics
    ///
    /// When it is polled after it completed. A panic of the inner future propagates, and is a
    /// failure.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner future. The breaker counts that as
    /// [`cancelled_as`](crate::BreakerBuilder::cancelled_as) or
    /// [`cancelled_after`](crate::BreakerBuilder::cancelled_after) say, and a trial's slot is free
    /// again at once.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, J = Rules, A = NoFallback> {
        #[pin]
        state: State<F>,
        judge: J,
        refusals: A,
    }
}

impl<F, J, A> ResponseFuture<F, J, A> {
    pub(super) fn admitted(call: F, attempt: Attempt<Held>, judge: J, refusals: A) -> Self {
        Self {
            state: State::Admitted { call, attempt },
            judge,
            refusals,
        }
    }

    pub(super) fn refused(open: CircuitOpen, judge: J, refusals: A) -> Self {
        Self {
            state: State::Refused { open: Some(open) },
            judge,
            refusals,
        }
    }
}

impl<F, J, A, Response, Error> Future for ResponseFuture<F, J, A>
where
    F: Future<Output = Result<Response, Error>>,
    J: Judge<Result<Response, Error>>,
    A: Refusals<Response, Error>,
{
    type Output = Result<Response, A::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let result = match this.state.as_mut().project() {
            StateProjection::Admitted { call, attempt } => {
                let result = ready!(attempt.run(|| call.poll(cx)));
                // Judged first: what comes of the call does not depend on how its future is dropped.
                attempt.judge(this.judge, &result);
                result.map_err(A::inner)
            }
            StateProjection::Refused { open } => {
                let open = open.take();
                // Without it the answer was asked for, and panicked.
                this.refusals
                    .refused(open.expect("`ResponseFuture` polled after it panicked"))
            }
            StateProjection::Over => panic!("`ResponseFuture` polled after it completed"),
        };
        this.state.set(State::Over);
        Poll::Ready(result)
    }
}

impl<F, J, A> fmt::Debug for ResponseFuture<F, J, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Admitted { .. } => "admitted",
            State::Refused { .. } => "refused",
            State::Over => "over",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
