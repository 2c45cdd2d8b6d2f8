//! Functions that return a stream.

use breakerbox::prelude::*;
use futures_util::stream::BoxStream;
use futures_util::{Stream, stream};
use std::io;

fn rows(_table: &str) -> impl Stream<Item = io::Result<u64>> + use<> {
    stream::iter([Ok(1)])
}

fn boxed() -> BoxStream<'static, io::Result<u64>> {
    Box::pin(rows("users"))
}

fn main() {
    let registry = BreakerRegistry::new();
    let _ = rows.with_breaker(&registry, "db");
    let _ = boxed.guarded_by(registry.breaker("db"));
}
