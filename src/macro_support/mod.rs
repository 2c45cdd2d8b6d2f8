//! What the expansion of `#[circuit]` calls: hidden, and free to change with it.
//!
//! * `call`: a call of a sync or async function
//! * `result`: what such a function returns, and what the compiler says where it does not
//! * `rule`: errors that are expected or ignored

mod call;
mod result;
mod rule;

pub use crate::names::default_name;
pub use call::{Admitted, admit, answer, call, limit, limit_of, make, unlimited, wrap};
pub use rule::{
    AsError, AsValue, Predicate, adjust, every, fail_if, judged, own_predicate, predicate,
};
