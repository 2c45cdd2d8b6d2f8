//! Functions and types that the expansion of `#[circuit]` calls. They are hidden, and change together
//! with the expansion.
//!
//! * `call`: calls of sync and async functions
//! * `result`: return types of these functions, and compiler messages about other types
//! * `rule`: errors that are expected or ignored

mod call;
mod result;
mod rule;

pub use crate::names::default_name;
pub use call::{
    Admitted, admit, call, call_maker, fallback_output, guard_future, no_timeout, started_timeout,
    timeout,
};
pub use rule::{
    AsError, AsValue, Predicate, any_error, apply_settings, default_classifier, fail_if,
    own_predicate, predicate,
};
