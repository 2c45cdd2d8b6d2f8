//! [`GuardedBody`]: a response body whose end decides the outcome of its call.

use crate::classifier::Classification;
use crate::classify::Outcome;
use crate::handle::ByName;
use crate::http::grpc;
use crate::stream::StreamCall;
use ::http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::fmt::{self, Debug};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

pin_project! {
    /// The body of a response, which records the outcome of its call when it ends.
    ///
    /// Returned by services with [`until_body_end`](super::BreakerLayer::until_body_end). Frames,
    /// errors and size hints are those of the inner body `B`.
    ///
    /// The first of these events decides the outcome. All later frames pass uncounted.
    ///
    /// | event | outcome |
    /// |---|---|
    /// | the end: `None`, or `is_end_stream()` after a frame | success |
    /// | trailers with a `grpc-status` | that of [`grpc::judge`](crate::http::grpc::judge) |
    /// | other trailers | success |
    /// | the end of a gRPC response without a `grpc-status` | failure, like the code `UNKNOWN` |
    /// | an error | that of the rules of the breaker: without rules, a failure |
    /// | a panic of the inner body | failure |
    /// | dropped before the end | cancelled |
    ///
    /// The body of a refused call, or of a response that was recorded at its head, records nothing.
    ///
    /// # Errors
    ///
    /// `poll_frame` returns the errors of the inner body, unchanged.
    ///
    /// # Panics
    ///
    /// A panic of the inner body propagates and is recorded as a failure.
    ///
    /// # Cancel safety
    ///
    /// Dropping a body before its end drops the inner body. The call is then recorded according to
    /// [`cancelled_as`](crate::BreakerBuilder::cancelled_as) and
    /// [`cancelled_after`](crate::BreakerBuilder::cancelled_after), but is not one of the cancelled
    /// calls in a row that send a warning. If the call is a trial, its slot becomes available
    /// immediately.
    ///
    /// A body that is dropped when nothing is left to read has ended, even if `None` was not polled.
    ///
    /// # Examples
    ///
    /// A type that holds a guarded body:
    ///
    /// ```
    /// use breakerbox::tower::GuardedBody;
    /// use hyper::body::Incoming;
    ///
    /// struct Download {
    ///     body: GuardedBody<Incoming>,
    /// }
    /// ```
    #[must_use = "a body that is dropped before its end counts as a cancelled call"]
    pub struct GuardedBody<B>
    where
        B: Body,
    {
        // Declared before `call`, because fields drop in this order: the guarded code has to end
        // before the slot of a trial becomes free.
        #[pin]
        inner: B,
        // `None` if the call was refused.
        call: Option<StreamCall<ByName>>,
        awaits_grpc_status: bool,
    }

    impl<B> PinnedDrop for GuardedBody<B>
    where
        B: Body,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // A server that has seen `is_end_stream()` does not poll the body again. The inner body
            // is not asked during unwinding, because a second panic would abort the process.
            if thread::panicking() {
                return;
            }
            if let Some(call) = unrecorded(this.call) {
                if call.run(|| this.inner.is_end_stream()) {
                    call.end_with(outcome_of_end(None, *this.awaits_grpc_status));
                }
            }
        }
    }
}

impl<B: Body> GuardedBody<B> {
    /// Creates the body of a call that lasts until the end of `inner`.
    pub(super) fn new(inner: B, call: StreamCall<ByName>, awaits_grpc_status: bool) -> Self {
        Self {
            inner,
            call: Some(call),
            awaits_grpc_status,
        }
    }

    /// Creates a body that records nothing.
    pub(super) fn unguarded(inner: B) -> Self {
        Self {
            inner,
            call: None,
            awaits_grpc_status: false,
        }
    }
}

impl<B> Body for GuardedBody<B>
where
    B: Body,
    B::Error: Debug + 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(call) = unrecorded(this.call) else {
            return this.inner.poll_frame(cx);
        };
        let (polled, is_last) = call.run(|| {
            let polled = this.inner.as_mut().poll_frame(cx);
            let is_frame = matches!(polled, Poll::Ready(Some(Ok(_))));
            (polled, is_frame && this.inner.is_end_stream())
        });
        let trailers = match &polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Err(error))) => {
                call.classify(|breaker| Classification::of_error(error, None, breaker));
                // An error that the rules classify as a success.
                call.end();
                return polled;
            }
            Poll::Ready(Some(Ok(frame))) => {
                let trailers = frame.trailers_ref();
                if trailers.is_none() && !is_last {
                    return polled;
                }
                trailers
            }
            Poll::Ready(None) => None,
        };
        call.end_with(outcome_of_end(trailers, *this.awaits_grpc_status));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn unrecorded(call: &mut Option<StreamCall<ByName>>) -> Option<&mut StreamCall<ByName>> {
    call.as_mut().filter(|call| !call.is_recorded())
}

/// Returns the outcome of a response that ended with `trailers`.
///
/// `awaits_grpc_status` is set if the head says that a gRPC status follows. Clients of gRPC take the
/// end of such a response without a status for a truncated one, of the code `UNKNOWN`.
pub(super) fn outcome_of_end(trailers: Option<&HeaderMap>, awaits_grpc_status: bool) -> Outcome {
    match trailers.and_then(grpc::judge_trailers) {
        Some(outcome) => outcome,
        None if awaits_grpc_status => Outcome::Failure,
        None => Outcome::Success,
    }
}

/// An empty body that records nothing, which layers around the breaker use for their own responses.
impl<B: Body + Default> Default for GuardedBody<B> {
    fn default() -> Self {
        Self::unguarded(B::default())
    }
}

impl<B: Body + Debug> Debug for GuardedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedBody")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
