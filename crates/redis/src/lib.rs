//! Shares the circuits of breakerbox between the instances of a service, through Redis 6 or later, or
//! Valkey.
//!
//! [`share`] is all that most programs need. [`RedisStore`] is the store for a
//! [`Fleet`] with other settings. The settings, the policies and the events are those of the crate
//! [`fleet`].
//!
//! # Examples
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use breakerbox::prelude::*;
//!
//! let registry = BreakerRegistry::global();
//! let fleet = breakerbox_redis::share(registry, "redis://127.0.0.1/")?;
//! let fetch = async { Ok::<_, std::io::Error>(42) };
//! let user = fetch.with_breaker(registry, "users-api").await?;
//! # assert_eq!(user, 42);
//! # Ok(())
//! # }
//! ```

mod builder;
mod error;
mod keys;
mod line;
mod push;
#[doc(hidden)]
pub mod script;
mod sentinel;
mod servers;
mod share;
mod store;

pub use breakerbox_fleet as fleet;
pub use breakerbox_fleet::{Fleet, FleetEvent, Share};
pub use builder::RedisStoreBuilder;
pub use error::{BuildError, ShareError};
#[doc(hidden)]
pub use keys::Keys;
pub use share::share;
pub use store::RedisStore;

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
