//! What the expansion of `#[circuit]` calls: hidden, and free to change with it.
//!
//! * `call`: a call of a sync or async function
//! * `result`: what such a function returns, and what the compiler says where it does not
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
