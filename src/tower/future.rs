use super::Refusals;
use crate::error::CircuitOpen;
use crate::guard::{Attempt, Judge, NoFallback, Rules, admit};
use crate::handle::{ByName, Handle};
use crate::refusal_details::RefusalDetails;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

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
        // Before the attempt, so that the work is over when a trial's slot becomes free.
        // `None` when the call was refused, or is over.
        #[pin]
        call: Option<F>,
        attempt: Attempt<ByName>,
        refused: Option<CircuitOpen>,
        judge: J,
        refusals: A,
    }
}

impl<F, J, A> ResponseFuture<F, J, A> {
    pub(super) fn refused(handle: ByName, refused: RefusalDetails, judge: J, refusals: A) -> Self {
        let open = handle.breaker().circuit.refusal_error(refused);
        Self {
            call: None,
            attempt: Attempt::new(handle),
            refused: Some(open),
            judge,
            refusals,
        }
    }

    /// Admitted, or refused without `call` being made. Filled in where it stands: it is moved no
    /// more often than it must be.
    #[inline]
    pub(super) fn admit(handle: ByName, judge: J, refusals: A, call: impl FnOnce() -> F) -> Self {
        let mut future = Self {
            call: None,
            attempt: Attempt::new(handle),
            refused: None,
            judge,
            refusals,
        };
        match admit(future.attempt.handle()) {
            Ok(ticket) => {
                future.attempt.put(ticket);
                future.call = Some(future.attempt.run_inside(call));
            }
            Err(open) => future.refused = Some(open),
        }
        future
    }
}

impl<F, J, A, Response, Error> Future for ResponseFuture<F, J, A>
where
    F: Future<Output = Result<Response, Error>>,
    J: Judge<Result<Response, Error>, Ok = Response, Err = Error>,
    A: Refusals<Response, Error>,
{
    type Output = Result<Response, A::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(call) = this.call.as_mut().as_pin_mut() {
            let result = ready!(this.attempt.run_inside(|| call.poll(cx)));
            // Judged first: what comes of the call does not depend on how its future is dropped.
            let result = this.attempt.conclude(this.judge, result);
            this.call.set(None);
            return Poll::Ready(result.map_err(A::inner));
        }
        let open = this.refused.take();
        Poll::Ready(
            this.refusals
                .refused(open.expect("`ResponseFuture` polled after it completed")),
        )
    }
}

impl<F, J, A> fmt::Debug for ResponseFuture<F, J, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (&self.call, &self.refused) {
            (Some(_), _) => "admitted",
            (None, Some(_)) => "refused",
            (None, None) => "over",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
