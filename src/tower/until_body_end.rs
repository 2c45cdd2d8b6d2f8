//! [`UntilBodyEnd`]: calls that last until the end of the response body.

use super::guarded_body::{GuardedBody, outcome_of_end};
use super::until::{Finish, Until, sealed};
use crate::classifier::Classifier;
use crate::future::WithBreaker;
use crate::handle::ByName;
use crate::http::grpc;
use crate::stream::StreamCall;
use ::http::{Method, Request, Response, StatusCode};
use http_body::Body;
use std::convert::Infallible;
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

impl sealed::Sealed for UntilBodyEnd {}

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
        let polled = guarded.poll_part(cx, |call, classifier, result| {
            let mut call = StreamCall::admitted(call);
            let response = match call.item(classifier, result) {
                Ok(response) => response,
                Err(error) => {
                    // An error that the rules classify as a success.
                    call.end();
                    return Err(error);
                }
            };
            let awaits_grpc_status = !self.is_head && grpc::awaits_status(&response);
            if call.run(|| self.ends_at_head(&response)) {
                call.end_with(outcome_of_end(None, awaits_grpc_status));
            }
            Ok(response.map(|body| GuardedBody::new(body, call, awaits_grpc_status)))
        });
        polled.map(|result| result.unwrap_or_else(|never: Infallible| match never {}))
    }

    fn unguarded(response: Response<B>) -> Self::Response {
        response.map(GuardedBody::unguarded)
    }
}
