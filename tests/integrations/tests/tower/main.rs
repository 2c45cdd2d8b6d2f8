//! The layer for tower: its discipline with a service that watches it, and around real ones.
#![allow(missing_docs)]

mod auto_traits;
mod axum_route;
mod calls;
mod crowd;
mod hyper_client;
mod judges;
mod keyed;
mod readiness;
mod refusals;
mod reqwest_client;
mod server;
mod shared_errors;
mod support;
mod tonic_channel;
