//! One circuit: the shell of atomics, a lock and a clock around the pure state machine.

mod admission;
mod call_sites;
mod notify;

mod commands;
mod counters;
mod locked;
mod record;
mod refusal_links;
mod registry_entry;
mod running_trials;
mod shell;
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
