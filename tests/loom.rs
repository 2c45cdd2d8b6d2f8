#![cfg(loom)]
//! x
