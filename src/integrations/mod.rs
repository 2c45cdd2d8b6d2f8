//! Integrations, one feature each. They import the crate; nothing in it imports them.

#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "tracing")]
pub mod tracing;
