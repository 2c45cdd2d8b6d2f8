//! One circuit: the shell of atomics, a lock and a clock around the pure state machine.

mod admit;
mod announce;
mod call;

#[cfg(feature = "metrics")]
mod changes;
mod commands;
mod control;
mod counters;
mod inside;
mod refusal_link;
mod settle;
mod shell;
mod stripes;
mod succeed;
mod success_buffer;
mod ticket;
mod transition;
mod waiting;

pub(crate) use call::Ended;
#[cfg(feature = "metrics")]
pub(crate) use changes::Changes;
pub(crate) use commands::Action;
pub(crate) use refusal_link::RefusalLink;
pub(crate) use shell::{Circuit, Home};
pub(crate) use stripes::{move_over, stripe, stripes};
pub(crate) use ticket::Ticket;
