//! Errors of guarded calls: how breakers find them inside other errors, and how they convert to the
//! errors of an application.
#![cfg(not(loom))]
#![allow(missing_docs)]
// The guarded functions stand for functions that can fail.
#![allow(clippy::unnecessary_wraps)]
// Helpers take errors by value, so that a test shows the type.
#![allow(clippy::needless_pass_by_value)]

mod all_open;
mod breaker_error;
mod permits;
mod question_mark;
mod refusal_texts;
mod refusals;
mod rules;
mod support;
mod timeouts;
