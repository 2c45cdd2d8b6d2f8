//! `until_body_end`: scripted bodies, and bodies of real servers that end, break off or are dropped.
#![allow(missing_docs)]

mod auto_traits;
mod axum_route;
mod grpc;
mod heads;
mod http1;
mod http2;
mod misuse;
mod outcomes;
mod support;
mod trials;
