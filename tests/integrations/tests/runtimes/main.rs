//! The same suite under every kind of runtime, and under none.
#![allow(missing_docs)]

mod executors;
mod suite;
mod timers;
