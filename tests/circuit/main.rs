//! `#[circuit]` on every form of function, with every argument.
#![cfg(all(not(loom), feature = "macros"))]
#![allow(missing_docs)]
// The expansion must not cause warnings in the code of users.
#![deny(warnings, clippy::pedantic)]
// These lints concern the guarded functions themselves, which do little here.
#![allow(
    clippy::unnecessary_wraps,
    clippy::unused_async,
    clippy::manual_async_fn
)]

mod closures;
mod edge_cases;
mod events;
mod fallbacks;
mod forms;
mod lookup;
mod names;
mod settings;
mod support;
