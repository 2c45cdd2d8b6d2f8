//! `#[circuit]` and guards with attributes of other crates.
#![allow(missing_docs)]
// Guarded functions stand for functions that can fail or wait.
#![allow(clippy::unnecessary_wraps, clippy::unused_async)]

mod foreign_errors;
mod guarded_methods;
mod http_classifiers;
mod other_attributes;
