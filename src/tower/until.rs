//! [`Until`] and [`Finish`]: the part of an exchange that one call covers.

use crate::classifier::Classifier;
use crate::future::WithBreaker;
use crate::handle::ByName;
use std::pin::Pin;
use std::task::{Context, Poll};

pub(super) mod sealed {
    pub trait Sealed {}
    impl Sealed for super::UntilResponse {}
}

/// The requests of a guarded service: any ([`UntilResponse`]), or HTTP requests (`UntilBodyEnd`).
#[diagnostic::on_unimplemented(
    message = "`until_body_end` guards HTTP services, and `{Request}` is not an `http::Request`",
    note = "convert requests in a layer around the breaker, for example with `map_request`"
)]
pub trait Until<Request>: sealed::Sealed {
    /// Returns the value that the response future of `request` keeps.
    #[doc(hidden)]
    #[must_use]
    fn start(&self, request: &Request) -> Self;
}

/// The responses of a guarded service: any ([`UntilResponse`]), or HTTP responses
/// (`UntilBodyEnd`).
#[diagnostic::on_unimplemented(
    message = "`until_body_end` guards HTTP services, and `{Response}` is not an `http::Response` \
               with a body",
    note = "the body must implement `http_body::Body`, and its error `Debug`",
    note = "convert responses in a layer inside the breaker, for example with `map_response`"
)]
pub trait Finish<Response>: sealed::Sealed {
    /// The response of the guarded service.
    type Response;

    /// Polls an admitted call. Records its outcome, or leaves that to the response.
    #[doc(hidden)]
    fn poll_guarded<F, C, Error>(
        &self,
        guarded: Pin<&mut WithBreaker<F, ByName, C>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Response, Error>>
    where
        F: Future<Output = Result<Response, Error>>,
        C: Classifier<Result<Response, Error>, Ok = Response, Err = Error>;

    /// Converts the answer to a refused call.
    #[doc(hidden)]
    fn unguarded(response: Response) -> Self::Response;
}

/// The default of a layer: the outcome of a call is recorded when its response arrives.
#[derive(Clone, Copy, Debug, Default)]
pub struct UntilResponse;

impl<Request> Until<Request> for UntilResponse {
    #[inline]
    fn start(&self, _: &Request) -> Self {
        Self
    }
}

impl<Response> Finish<Response> for UntilResponse {
    type Response = Response;

    #[inline]
    fn poll_guarded<F, C, Error>(
        &self,
        guarded: Pin<&mut WithBreaker<F, ByName, C>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response, Error>>
    where
        F: Future<Output = Result<Response, Error>>,
        C: Classifier<Result<Response, Error>, Ok = Response, Err = Error>,
    {
        guarded.poll_admitted(cx).map(|result| match result {
            Ok(result) => result,
            Err(never) => match never {},
        })
    }

    #[inline]
    fn unguarded(response: Response) -> Response {
        response
    }
}
