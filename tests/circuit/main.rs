//! `#[circuit]`, in every form that a function has.
#![cfg(all(not(loom), feature = "macros"))]
#![allow(missing_docs)]
// No warning may come from what the attribute makes of a function.
#![deny(warnings, clippy::pedantic)]
// These are about what the functions here do themselves, which is little.
#![allow(
    clippy::unnecessary_wraps,
    clippy::unused_async,
    clippy::manual_async_fn
)]

mod events;
mod fallbacks;
mod forms;
mod hostile;
mod lookup;
mod names;
mod settings;
mod support;
mod together;
