//! Everything that can be guarded, and what guards it: one method for futures, async and sync
//! functions.

// What is guarded here stands for what can wait and fail.
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
