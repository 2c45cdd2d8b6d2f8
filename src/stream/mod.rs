//! Guarded streams: [`GuardedStream`], one call whose outcome is recorded once.
//!
//! [`StreamCall`] admits, runs and records the call. It knows nothing of `Stream`, so that a body can use
//! it. [`IdleTimeout`] limits the time without an item.

mod idle_timeout;
mod stream_call;

pub(crate) use idle_timeout::{IdleLimit, IdleTimeout};
pub(crate) use stream_call::StreamCall;
