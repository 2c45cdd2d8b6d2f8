//! The Lua scripts of the store: texts, arguments, replies and errors.
//!
//! The scripts translate [`Table`](breakerbox_fleet::store::Table) and
//! [`transition`](breakerbox_fleet::protocol::transition), and `tests/differential` compares them.
//! Apart from `run`, nothing here needs a server.

mod arguments;
mod failure;
mod reply;
pub(crate) mod run;
mod source;

pub use arguments::Sender;
pub use failure::failure;
pub(crate) use failure::{
    of_client as failure_of_client, of_handshake as failure_of_handshake, of_refused_write,
};
pub use reply::{parse_commanded, parse_commands, parse_pulled, parse_submitted};
pub use source::{COMMAND, PULL, SUBMIT, Script};
