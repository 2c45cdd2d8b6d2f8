//! A circuit breaker as a [tower](https://docs.rs/tower) layer; feature `tower`.
//!
//! [`BreakerLayer`] says which breaker guards a service, what counts as a failure and what becomes
//! of a refusal; [`Breaker`] is the guarded service. Any service will do: a client, a channel, a
//! route of a server.
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
//! A call is admitted in `call`, which is where tower says that work begins, and not in
//! `poll_ready`: a service may be polled ready and never called, and would then keep a trial's slot
//! for as long as it lives. What `poll_ready` does is:
//!
//! * While the circuit refuses, it is ready at once, and the inner service is not polled: it may
//!   well be the one that cannot become ready. The `call` that follows refuses, whatever the state
//!   is by then, since a service that was not polled ready must not be called.
//! * Otherwise it is ready when the inner service is. An error of the inner `poll_ready` passes to the
//!   caller and counts as a call that ended in it; it takes part in a half-open period only while
//!   there is a slot.
//! * A layer that is [keyed](BreakerLayer::keyed) cannot know its breaker before it has a request:
//!   it polls the inner service first, open or not, and errors of that poll count for no breaker.
//!
//! The breaker itself never makes `poll_ready` fail. A task that waits in `poll_ready` for the inner
//! service is not woken when the circuit opens.
//!
//! A refused call leaves a ready inner service ready, and with it whatever that reserved (a place
//! of a `ConcurrencyLimit`, a slot of a `Buffer`), until this clone is called again or dropped.
//!
//! # What is judged
//!
//! The result of the response future: `Err` by the breaker's rules, `Ok` as a success, unless
//! [`classify`](BreakerLayer::classify), [`classify_response`](BreakerLayer::classify_response) or
//! [`fail_if`](BreakerLayer::fail_if) say otherwise. For HTTP the call ends with the head of the
//! response; reading its body is no part of it.
//!
//! A response future that is dropped counts as
//! [`cancelled_as`](crate::BreakerBuilder::cancelled_as) and
//! [`cancelled_after`](crate::BreakerBuilder::cancelled_after) say. So a timeout belongs inside the
//! breaker: its layer comes *after* the breaker's in a `ServiceBuilder`.

mod choice;
mod future;
mod layer;
mod refusal;
mod responses;
mod service;

pub use crate::function::NoFallback;
pub use choice::{Choose, Keyed};
pub use future::ResponseFuture;
pub use layer::BreakerLayer;
pub use refusal::{OnRefused, Refusals};
pub use responses::ClassifyResponse;
pub use service::Breaker;
