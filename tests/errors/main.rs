//! Errors of guarded calls: how they are recognised inside other errors, and how they become the
//! errors of an application.
#![cfg(not(loom))]
#![allow(missing_docs)]
// What is guarded here stands for what can fail.
#![allow(clippy::unnecessary_wraps)]
// Helpers take errors by value, so that a test shows the type.
#![allow(clippy::needless_pass_by_value)]

mod breaker_error;
mod permits;
mod recipe;
mod refusals;
mod rules;
mod support;
mod timeouts;
