//! Guards of futures, async functions and sync functions, and their options.

// The guarded functions stand for functions that can wait and fail.
#![allow(clippy::unnecessary_wraps, clippy::unused_async)]

mod support;

mod arguments;
mod auto_traits;
mod fallbacks;
mod flattened;
mod forms;
mod laziness;
mod panics;
mod timeouts;
