//! Compares implementations of a store, step by step.
//!
//! `crates/redis/tests` uses this module, too.

pub(crate) mod cas;
pub(crate) mod compare;
pub(crate) mod scenarios;
pub(crate) mod steps;
pub(crate) mod subject;
