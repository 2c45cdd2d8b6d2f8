//! The errors of guarded calls and of settings, and their detection inside other errors.
//!
//! [`CircuitOpen`] is a refusal, [`AllOpen`] a refusal by several circuits, and [`CallTimeout`] a timeout.
//! [`BreakerError`] is a refusal, a timeout, or the error of the guarded code. [`ConfigError`] is an
//! invalid setting. `chain` walks the sources of an
//! error. `extract` finds a refusal or a timeout in a `BreakerError<X>` whose `X` is unknown.

mod all_open;
mod breaker_error;
mod call_timeout;
mod chain;
mod circuit_open;
mod config_error;
mod extract;
mod look_through;
mod refusal_link;

pub use all_open::AllOpen;
pub use breaker_error::BreakerError;
pub use call_timeout::CallTimeout;
pub use chain::is_refusal;
pub(crate) use chain::{chain, link_as};
pub use circuit_open::CircuitOpen;
pub use config_error::ConfigError;
pub(crate) use extract::{circuit_error, inner_type_name};
pub(crate) use refusal_link::{RefusalCause, RefusalLink, RefusingCircuit};
