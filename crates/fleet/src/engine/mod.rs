//! The shell of the engine: one task per fleet, on the runtime on which the fleet was started.
//!
//! The [`Task`] waits for changes of circuits, messages, answers and timers, and passes them to the
//! [planner](crate::planner). All user code runs here, outside of locks, and its panics are caught.

mod clock_check;
mod dirty;
mod link;
#[cfg(feature = "metrics")]
mod metrics;
mod operator;
mod panic;
mod shared;
mod task;

pub(crate) use clock_check::follows_tokio;
pub(crate) use dirty::Dirty;
pub(crate) use operator::{Given, Operator};
pub(crate) use shared::{Progress, Shared, Stop};
pub(crate) use task::{Listener, Task};
