//! A crate that forbids every lint it can, and uses `#[circuit]` in every form.
//!
//! A lint is forbidden here unless code written by hand, in this style, would violate it. The lints of
//! clippy run with `cargo clippy`. `tests/compiler` asserts that `cargo fix` leaves this crate unchanged.
#![warn(clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction)]
#![allow(clippy::blanket_clippy_restriction_lints, clippy::needless_return)]

pub mod asynchronous;
pub mod closures;
pub mod error;
pub mod futures;
pub mod methods;
pub mod parameters;
pub mod settings;
pub mod sync;
