//! Circuit breakers as [tower](https://docs.rs/tower) middleware. Available with the `tower`
//! feature.
//!
//! [`BreakerLayer`] selects the breaker of a service, classifies results and answers refusals.
//! [`flatten_err`](BreakerLayer::flatten_err) and [`on_refused`](BreakerLayer::on_refused) keep the
//! error type of the service.
//! [`Breaker`] is the guarded service. The layer works with any service, such as a client, a
//! channel or a server route.
//!
//! ```
//! use breakerbox::prelude::*;
//! use breakerbox::tower::BreakerLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = BreakerRegistry::new();
//! let double = service_fn(|number: u32| async move { Ok::<_, std::io::Error>(2 * number) });
//! let double = ServiceBuilder::new()
//!     .layer(BreakerLayer::named(&registry, "doubles"))
//!     .service(double);
//!
//! assert_eq!(double.clone().oneshot(21).await?, 42);
//!
//! registry.breaker("doubles").trip();
//! let error = double.oneshot(21).await.unwrap_err();
//! assert!(error.is_open());
//! # Ok(())
//! # }
//! ```
//!
//! # Readiness
//!
//! A call is admitted in `call`, not in `poll_ready`. A service may be polled ready without being
//! called. If `poll_ready` admitted a trial, such a service would hold the slot of the trial until
//! it is dropped.
//!
//! `poll_ready` behaves as follows:
//!
//! * While the circuit refuses calls, the service is ready immediately. The inner service is not
//!   polled, because it may be the one that never becomes ready. The following `call` is refused
//!   even if the circuit has closed by then, because the inner service was not polled ready and
//!   must not be called.
//! * Otherwise, the service is ready when the inner service is. An error from the inner
//!   `poll_ready` is returned, and is recorded like a call with this result. A half-open circuit
//!   records it only if a trial slot is available.
//! * A [keyed](BreakerLayer::keyed) layer does not know the breaker before it receives a request.
//!   It always polls the inner service, and an error from that poll is recorded by no breaker.
//!
//! The breaker never makes `poll_ready` fail. A task that waits for the inner service in
//! `poll_ready` is not woken when the circuit opens.
//!
//! A refused call does not use up the readiness of the inner service. Any resource that the inner
//! service has reserved, such as a permit of a `ConcurrencyLimit` or a slot of a `Buffer`, stays
//! reserved until this clone is called again or dropped.
//!
//! With [`pending_while_open`](BreakerLayer::pending_while_open), the service is not ready while
//! the circuit refuses calls, and holds no such resource. Use it for the endpoints of a load
//! balancer, which prefers an endpoint that is ready and only refuses calls.
//!
//! # Classification
//!
//! The breaker records the output of the response future. By default, its rules classify an `Err`,
//! and an `Ok` is a success. [`classify`](BreakerLayer::classify),
//! [`classify_response`](BreakerLayer::classify_response) and [`fail_if`](BreakerLayer::fail_if)
//! change this.
//!
//! An HTTP call ends with the head of the response, so errors while reading the body are not
//! recorded. With the `http` feature, `BreakerLayer::until_body_end` makes the call last until the
//! end of the body.
//!
//! A dropped response future is recorded according to
//! [`cancelled_as`](crate::BreakerBuilder::cancelled_as) and
//! [`cancelled_after`](crate::BreakerBuilder::cancelled_after). Timeouts therefore belong inside
//! the breaker: add the timeout layer *after* the breaker layer in a `ServiceBuilder`.

mod choice;
mod flatten_err;
mod future;
#[cfg(feature = "http")]
mod guarded_body;
mod layer;
mod on_refused;
mod pending_while_open;
mod readiness;
mod refusal;
mod responses;
mod service;
mod single;
mod until;
#[cfg(feature = "http")]
mod until_body_end;

pub use crate::function::{Flattened, NoFallback};
pub use choice::{Choose, Keyed};
pub use future::ResponseFuture;
#[cfg(feature = "http")]
pub use guarded_body::GuardedBody;
pub use layer::BreakerLayer;
pub use on_refused::OnRefused;
pub use pending_while_open::PendingWhileOpen;
pub use readiness::Readiness;
pub use refusal::{AnswerRefused, Refusals};
pub use responses::ClassifyResponse;
pub use service::Breaker;
pub use single::Single;
pub use until::{Finish, Until, UntilResponse};
#[cfg(feature = "http")]
pub use until_body_end::UntilBodyEnd;
