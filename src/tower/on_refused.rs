//! [`OnRefused`]: answers refused calls with a closure.

use super::{AnswerRefused, BreakerLayer, Refusals, refusal};
use crate::error::CircuitOpen;
use std::fmt;

/// Answers refused calls with the closure `B`, as set by [`BreakerLayer::on_refused`].
///
/// In a layer and a service, `R` is `()`. In the future of a refused call, it is the request.
#[derive(Clone, Copy)]
pub struct OnRefused<B, R = ()> {
    answer: B,
    request: R,
}

impl<K, J, A, U> BreakerLayer<K, J, A, U> {
    /// Answers refused calls with the result of `answer`, which gets the refusal and the request.
    ///
    /// The error type of the guarded service is then that of the inner service. This is required
    /// for axum routes, whose error type is `Infallible`, and for tonic clients, whose callers
    /// expect a `Status`. With the `http` feature, the module `breakerbox::http` contains functions
    /// that create such responses.
    ///
    /// The request is that of the refused call, by value: it was moved nowhere else. `answer` runs
    /// when the response future is polled, and its result is not recorded. An asynchronous answer,
    /// such as a call of another service, needs a layer outside the breaker that matches
    /// [`BreakerError::Open`](crate::BreakerError::Open).
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{prelude::*, tower::BreakerLayer};
    /// use std::{collections::HashMap, future::ready, io};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> io::Result<()> {
    /// let cached = HashMap::from([("/eggs", 3)]);
    /// let registry = BreakerRegistry::new();
    /// let layer = BreakerLayer::named(&registry, "prices").on_refused(
    ///     move |open: CircuitOpen, path: &'static str| match cached.get(path) {
    ///         Some(price) => Ok(*price),
    ///         None => Err(io::Error::other(open)),
    ///     },
    /// );
    /// let prices = layer.layer(service_fn(|_| ready(Ok::<u32, io::Error>(4))));
    ///
    /// assert_eq!(prices.clone().oneshot("/eggs").await?, 4);
    /// registry.breaker("prices").trip();
    /// assert_eq!(prices.clone().oneshot("/eggs").await?, 3);
    /// assert!(prices.oneshot("/milk").await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_refused<Request, Response, Error, B>(
        self,
        answer: B,
    ) -> BreakerLayer<K, J, OnRefused<B>, U>
    where
        B: Fn(CircuitOpen, Request) -> Result<Response, Error>,
    {
        self.with_refusals(OnRefused {
            answer,
            request: (),
        })
    }
}

impl<B, R> refusal::sealed::Sealed for OnRefused<B, R> {}

impl<Request, B: Clone> Refusals<Request> for OnRefused<B> {
    type Answer = OnRefused<B, Request>;

    fn answer(&self, request: Request) -> OnRefused<B, Request> {
        OnRefused {
            answer: self.answer.clone(),
            request,
        }
    }
}

impl<Request, Response, Error, B> AnswerRefused<Response, Error> for OnRefused<B, Request>
where
    B: Fn(CircuitOpen, Request) -> Result<Response, Error>,
{
    type Error = Error;

    fn refused(self, open: CircuitOpen) -> Result<Response, Error> {
        (self.answer)(open, self.request)
    }

    #[inline]
    fn inner(error: Error) -> Error {
        error
    }
}

impl<B, R> fmt::Debug for OnRefused<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnRefused")
    }
}
