//! What the expansion of `#[circuit]` calls: hidden, and free to change with it.
//!
//! * `name`: the names of functions that were given none
//! * `passage`: a call of a sync or async function, admitted
//! * `result`: what such a function returns, and what the compiler says where it does not
//! * `rule`: errors that are expected or ignored

mod name;
mod passage;
mod result;
mod rule;

pub use name::default_name;
pub(crate) use name::{short_type, within_crate};
pub use passage::{Admitted, admit, answer, call, limit, limit_of, make, unlimited, wrap};
pub use rule::{
    AsError, AsValue, Predicate, adjust, every, fail_if, judged, own_predicate, predicate,
};
