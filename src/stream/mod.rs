//! Guarded streams: [`GuardedStream`], one call whose outcome is recorded once.
//!
//! [`StreamCall`] admits, runs and records the call. It does not depend on `Stream`, so that a guarded body can
//! use it. [`IdleTimeout`] limits the time without an item. [`ClassifyItem`] classifies items that are not
//! `Result`s.

mod classify_item;
mod guarded_stream;
mod idle_timeout;
mod stream_call;

pub use classify_item::ClassifyItem;
pub use guarded_stream::GuardedStream;
pub use idle_timeout::{IdleLimit, IdleTimeout};
pub(crate) use stream_call::StreamCall;
