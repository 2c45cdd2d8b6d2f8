//! Tests that drive planners directly: no task, no runtime, no waiting.

mod adoption;
mod leases;
mod random;
mod shares;
mod store_loss;
mod support;
mod trips;
