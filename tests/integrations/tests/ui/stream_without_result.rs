//! A stream whose items are not `Result`s.

use breakerbox::prelude::*;
use futures_util::{Stream, stream};

fn degrees(registry: &BreakerRegistry) -> impl Stream {
    stream::iter([21.5]).with_breaker(registry, "thermometer")
}

fn main() {
    let _ = degrees(&BreakerRegistry::new());
}
