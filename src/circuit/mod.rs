//! One circuit: the atomics, the lock and the clock around the pure state machine.
//!
//! What happens to a circuit has one file each, with an `impl Circuit`:
//!
//! * [`shell`]: the fields, their invariants, and plain access to them
//! * [`admission`]: whether a call runs, is refused, becomes a trial, or waits
//! * [`running_trials`]: calls inside a trial of the same circuit
//! * [`record`]: the outcome of a call
//! * [`windows`]: the windows of the rules, kept up to date with the success buffer
//! * [`transition`]: state transitions
//! * [`commands`]: commands and new settings
//! * [`notify`]: the dispatch of events
//! * [`snapshot`]: snapshots and totals
//!
//! The other files are data types that do not know the circuit.

mod admission;
mod call_sites;
mod change_queue;
mod commands;
mod counters;
mod locked;
mod notify;
mod record;
mod refusal_links;
mod registry_entry;
mod running_trials;
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
pub(crate) use record::Completion;
pub(crate) use registry_entry::MadePermanent;
pub(crate) use shell::{Circuit, CircuitContext};
pub(crate) use token::CallToken;
#[cfg(feature = "metrics")]
pub(crate) use transition_counts::TransitionCounts;
