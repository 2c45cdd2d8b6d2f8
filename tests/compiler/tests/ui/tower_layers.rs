//! Services that do not fit a layer.

use breakerbox::prelude::*;
use breakerbox::tower::BreakerLayer;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

#[derive(Debug)]
struct ApiError;

/// A service that is not `Clone`.
struct Doubles;

impl Service<u32> for Doubles {
    type Response = u32;
    type Error = ApiError;
    type Future = Ready<Result<u32, ApiError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ApiError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, number: u32) -> Self::Future {
        ready(Ok(2 * number))
    }
}

fn serve(_: impl Service<u32>) {}

fn main() {
    let layer = BreakerLayer::named(BreakerRegistry::global(), "doubles");
    serve(layer.clone().flatten_err().layer(Doubles));
    serve(layer.clone().pending_while_open().layer(Doubles));
    serve(layer.clone().on_refused(|_, _: u32| Ok::<_, ApiError>("refused")).layer(Doubles));
    serve(layer.on_refused(|_, _: String| Err(ApiError)).layer(Doubles));
}
