//! Guarded streams of real servers: the circuit opens at the configured number of streams, once.
#![allow(missing_docs)]

mod in_memory;
mod over_tcp;
mod support;
