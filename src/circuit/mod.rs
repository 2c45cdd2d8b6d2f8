//! One circuit: the atomics, the lock and the clock around the pure state machine.
//!
//! Each operation on a circuit has a file with an `impl Circuit`:
//!
//! * [`admission`]: decides whether a call runs, is refused, becomes a trial, or waits
//! * [`ramp_up`]: admits a growing share of the calls of a circuit that has just closed
//! * [`running_trials`]: finds calls inside a trial of the same circuit
//! * [`record`]: records the outcome of a call
//! * [`windows`]: keeps the windows of the rules up to date with the success buffer
//! * [`transition`]: changes the state
//! * [`commands`]: executes commands and replaces the settings
//! * `observe`: reports changes to a fleet
//! * `orders`: executes the orders of a fleet
//! * [`notify`]: dispatches events
//! * [`call_records`]: reports calls to the recorders of the registry
//! * [`snapshot`]: returns snapshots and totals
//!
//! [`shell`] owns the fields, their invariants, and plain access to them. The other files are data
//! types that do not depend on [`Circuit`].

mod admission;
mod call_records;
mod call_sites;
mod change_queue;
mod commands;
mod counters;
mod locked;
mod notify;
#[cfg(feature = "fleet")]
mod observe;
#[cfg(feature = "fleet")]
mod orders;
#[cfg(feature = "fleet")]
mod own_deadline;
#[cfg(feature = "fleet")]
mod pending_changes;
mod ramp_up;
mod record;
mod refusal_links;
mod registry_entry;
mod running_trials;
mod shared_ramp_up;
mod shell;
mod snapshot;
mod success_buffer;
mod token;
mod transition;
#[cfg(feature = "metrics")]
mod transition_counts;
mod wait_queue;
mod windows;

pub(crate) use call_sites::{CallSite, NameConflict};
pub(crate) use commands::Action;
#[cfg(feature = "fleet")]
pub use orders::{Mark, NotApplied, Order, View};
pub(crate) use record::Completion;
pub(crate) use registry_entry::MadePermanent;
pub(crate) use shell::{Circuit, CircuitContext};
pub(crate) use token::CallToken;
#[cfg(feature = "metrics")]
pub(crate) use transition_counts::TransitionCounts;
