//! `#[circuit]` and guards with attributes of other crates.
#![allow(missing_docs)]
// Guarded functions stand for functions that can fail.
#![allow(clippy::unnecessary_wraps)]

mod guarded_methods;
mod other_attributes;
