//! Everything that can be guarded, and what guards it: one method for futures, async and sync
//! functions.

mod support;

mod arguments;
mod auto_traits;
mod fallbacks;
mod flattened;
mod forms;
mod laziness;
mod panics;
mod timeouts;
