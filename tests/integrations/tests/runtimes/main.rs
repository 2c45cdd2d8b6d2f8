//! One test suite, run by several executors and without a runtime.
#![allow(missing_docs)]

mod executors;
mod suite;
mod timers;
