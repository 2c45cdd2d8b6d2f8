//! The tower layer, around a service that checks the tower contract and around real clients and servers.
#![allow(missing_docs)]

mod auto_traits;
mod axum_route;
mod balance;
mod calls;
mod classification;
mod concurrency;
mod flatten_err;
mod hyper_client;
mod keyed;
mod nested_layers;
mod on_refused;
mod pending_while_open;
mod readiness;
mod reqwest_client;
mod server;
mod stacks;
mod support;
mod tonic_channel;
