//! Random settings, calls, times and commands against a naive model that keeps every event and
//! recomputes everything from them.
#![cfg(not(loom))]
#![allow(missing_docs)]

mod ending;
mod invariants;
mod naive;
mod pair;
mod property;
mod record;
mod settings;
mod steps;
mod strategies;
