//! Nested calls of one breaker: a guarded call inside a trial of the same circuit joins the trial.
#![allow(missing_docs)]

mod boundaries;
mod guard_pairs;
mod support;
mod tasks;
