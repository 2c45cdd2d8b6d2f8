//! The crates of others, one feature and one file or folder each. They import the core; nothing in
//! the core imports them.

#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "serde")]
pub(crate) mod serde;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "tracing")]
pub mod tracing;
