//! [`UntilBodyEnd`]: calls that last until the end of the response body.

use super::{Finish, GuardedBody, Until};
use crate::classifier::Classifier;
use crate::future::WithBreaker;
use crate::handle::ByName;
use ::http::{Method, Request, Response, StatusCode};
use http_body::Body;
use std::fmt::Debug;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The outcome of a call is recorded when the body of its response ends, as set by
/// [`BreakerLayer::until_body_end`](super::BreakerLayer::until_body_end).
#[derive(Clone, Copy, Debug, Default)]
pub struct UntilBodyEnd {
    /// Whether the request is a `HEAD`, whose response has no body.
    is_head: bool,
}

impl UntilBodyEnd {
    /// Returns `true` if the response ends with its head.
    ///
    /// A service in this process may return a body for a `HEAD` request or a 304. The server never
    /// polls such a body.
    fn ends_at_head<B: Body>(self, response: &Response<B>) -> bool {
        let status = response.status();
        self.is_head
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || response.body().is_end_stream()
    }
}

impl<B> Until<Request<B>> for UntilBodyEnd {
    #[inline]
    fn start(&self, request: &Request<B>) -> Self {
        let is_head = request.method() == Method::HEAD;
        Self { is_head }
    }
}

impl<B> Finish<Response<B>> for UntilBodyEnd
where
    B: Body,
    B::Error: Debug + 'static,
{
    type Response = Response<GuardedBody<B>>;

    fn poll_guarded<F, C, Error>(
        &self,
        guarded: Pin<&mut WithBreaker<F, ByName, C>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Response, Error>>
    where
        F: Future<Output = Result<Response<B>, Error>>,
        C: Classifier<Result<Response<B>, Error>, Ok = Response<B>, Err = Error>,
    {
        let polled = guarded.poll_admitted_with(cx, |running, handle, classifier, out| {
            let ends = running.run(|| out.as_ref().is_ok_and(|head| self.ends_at_head(head)));
        });
    }

    fn unguarded(response: Response<B>) -> Self::Response {
        response.map(GuardedBody::unguarded)
    }
}
