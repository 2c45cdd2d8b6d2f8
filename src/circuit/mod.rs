//! One circuit: the shell of atomics, a lock and a clock around the pure state machine.

mod admit;
mod announce;
mod call;
mod call_sites;

#[cfg(feature = "metrics")]
mod changes;
mod commands;
mod control;
mod counters;
mod inside;
mod refusal_links;
mod registry_entry;
mod settle;
mod shell;
mod stripes;
mod succeed;
mod success_buffer;
mod ticket;
mod transition;
mod waiting;

pub(crate) use call::Ended;
pub(crate) use call_sites::{CallSite, NameConflict};
#[cfg(feature = "metrics")]
pub(crate) use changes::Changes;
pub(crate) use commands::Action;
pub(crate) use registry_entry::MadePermanent;
pub(crate) use shell::{Circuit, Home};
pub(crate) use stripes::{move_over, stripe, stripes};
pub(crate) use ticket::Ticket;
