//! Functions and types that the expansion of `#[circuit]` calls. They are hidden, and change together
//! with the expansion.
//!
//! * `call`: calls of sync functions, and admission of calls with a fallback
//! * `guard_future`, `run_admitted`: calls of async functions, without and with a fallback
//! * `fallback`: the answers of fallbacks
//! * `classify`: classifiers of return values
//! * `result`: return types of these functions, and compiler messages about other types
//! * `rule`: errors that are expected or ignored

mod call;
mod classify;
mod fallback;
mod guard_future;
mod result;
mod rule;
mod run_admitted;

pub use call::{Admitted, admit, call, call_maker};
pub use classify::{
    AsOutput, AsResult, NewClassifier, classify, default_classifier, fail_if, output_type_of,
    return_type, return_type_of,
};
pub use fallback::fallback_output;
pub use guard_future::{guard_future, no_timeout, timeout};
pub use result::{convert, refused};
pub use rule::{AsError, AsValue, Predicate, any_error, apply_settings, own_predicate, predicate};
pub use run_admitted::started_timeout;
