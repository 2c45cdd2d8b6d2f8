//! A breaker inside itself: a guarded call inside a trial of the same circuit joins the trial.
#![allow(missing_docs)]

mod boundaries;
mod pairs;
mod support;
mod tasks;
