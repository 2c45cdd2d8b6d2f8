//! Circuits of [breakerbox] that are shared between the instances of a service.
//!
//! A [`Fleet`] shares the circuits of one [`BreakerRegistry`](breakerbox::BreakerRegistry) with other
//! instances, through a [store](FleetStore). [`Memory`](store::Memory) is the store of one process.
//!
//! * [`Fleet::command`]: commands of an operator to all instances
//! * [`protocol`]: records, operations and messages; pure
//! * [`store`]: where a fleet keeps its records, and the store in memory
//!
//! # Metrics
//!
//! With the feature `metrics`, the fleet reports to the recorder of the
//! [`metrics`](https://docs.rs/metrics) facade:
//!
//! | name | type | labels |
//! |---|---|---|
//! | `breakerbox_fleet_connected` | gauge: 1, or 0 while the fleet is degraded | |
//! | `breakerbox_fleet_nodes` | gauge: instances that the store has seen lately | |
//! | `breakerbox_fleet_round_trip_seconds` | histogram | |
//! | `breakerbox_fleet_transitions_total` | counter | `direction`: `in`, `out`; `why`: the [code](protocol::Why) |
//! | `breakerbox_fleet_propagation_seconds` | histogram, by the clock of the store | |
//! | `breakerbox_fleet_leases_total` | counter | `result`: `granted`, `denied`, `lost` |
//! | `breakerbox_fleet_refused_messages_total` | counter | `why`: `gap`, `record` |
//! | `breakerbox_fleet_coalesced_total` | counter | |
//! | `breakerbox_fleet_stale_total` | counter | |
//! | `breakerbox_fleet_ignored_total` | counter | |
//!
//! All series but the histograms are updated at least every few seconds, so that exporters with an idle
//! timeout keep them. Counters start with 0, except transitions for rare reasons.

mod builder;
mod close;
mod command;
mod engine;
mod error;
mod event;
mod fleet;
mod planner;
pub mod protocol;
mod share;
mod status;
pub mod store;

pub use builder::FleetBuilder;
pub use close::FleetClose;
pub use command::{FleetCircuits, FleetCommand};
pub use error::{CommandError, ConfigError, StartError};
pub use event::{Degradation, FleetEvent};
pub use fleet::Fleet;
#[doc(hidden)]
pub use planner::Mutants;
pub use share::Share;
pub use status::{CommandStatus, FleetCounters, FleetStatus, LinkStatus};
pub use store::FleetStore;

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
