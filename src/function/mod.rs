//! What guarding a function returns.
//!
//! * `guarded_fn`: [`GuardedFn`] and its settings
//! * `fn_impls`: guarding and calling, written once per number of arguments
//! * `fallback_policy`: what a guarded function does when the circuit refuses

mod fallback_policy;
mod fn_impls;
mod guarded_fn;

pub use fallback_policy::{
    Answer, AsyncFallback, FallbackPolicy, Flattened, FlattenedInto, NoFallback, SyncFallback,
    WithFallback,
};
pub use guarded_fn::GuardedFn;
