//! Fleets of several registries in one process, on paused time.
#![allow(missing_docs)]

mod circuits;
mod close;
mod commands;
mod events;
mod hostile;
mod leases;
#[cfg(feature = "metrics")]
mod metrics;
mod settings;
mod stores;
mod support;
