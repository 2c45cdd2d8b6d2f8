//! Guarded functions.
//!
//! * `guarded_fn`: [`GuardedFn`] and its modifiers
//! * `fn_impls`: guarding and calling, generated for each number of arguments
//! * `fallback_policy`: what a guarded function does when the circuit refuses

mod fallback_policy;
// Before `fn_impls`: rustdoc lists inherent implementations in the order of their modules, and readers
// look for the modifiers first. The empty line keeps rustfmt from sorting the modules.
mod guarded_fn;

mod fn_impls;

pub use fallback_policy::{
    Answer, AsyncFallback, FallbackPolicy, Flattened, FlattenedInto, NoFallback, SyncFallback,
    WithFallback,
};
pub use guarded_fn::GuardedFn;
