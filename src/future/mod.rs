//! Guarded futures, with one file for each combinator.
//!
//! [`WithBreaker`] guards a future, and [`Timeout`] limits its time. [`Fallback`] answers when the circuit
//! refuses. [`FlattenErr`] and [`FlattenInto`] convert errors. A call of a guarded async function is a
//! [`WithBreaker`] around a [`DeferredCall`]. [`RunPermit`] runs a future under a permit.

mod deferred_call;
mod fallback;
mod flatten_err;
mod flatten_into;
mod lint_nested_result;
mod run_permit;
mod timeout;
mod with_breaker;

pub use deferred_call::DeferredCall;
pub use fallback::{Fallback, FallbackFn, FallbackFuture, OnArgs, OnOpen};
pub use flatten_err::FlattenErr;
pub use flatten_into::FlattenInto;
pub(crate) use lint_nested_result::{warn_if_items_nested, warn_if_nested};
pub use run_permit::RunPermit;
pub use timeout::{Limit, NoTimeout, Timeout};
pub use with_breaker::WithBreaker;
