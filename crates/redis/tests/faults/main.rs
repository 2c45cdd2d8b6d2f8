//! Fleets on real servers that fail in all the ways in which servers fail.
//!
//! Time is real here, because servers have their own. Apart from the length of an outage, each test waits
//! for conditions.

#[path = "../common/server.rs"]
mod server;

mod access;
mod answers;
mod commands;
mod control;
mod data;
#[cfg(feature = "sentinel")]
mod failover;
mod messages;
mod node;
mod outages;
mod share;
#[cfg(feature = "rustls")]
mod tls;
