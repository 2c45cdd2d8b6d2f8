//! `#[circuit]` on functions that return a stream.

use breakerbox::circuit;
use futures_util::stream::BoxStream;
use futures_util::{Stream, stream};
use std::io;

#[circuit]
fn boxed() -> BoxStream<'static, io::Result<u64>> {
    Box::pin(stream::iter([Ok(1)]))
}

#[circuit]
fn rows() -> impl Stream<Item = io::Result<u64>> {
    stream::iter([Ok(1)])
}

type Rows = BoxStream<'static, io::Result<u64>>;

#[circuit]
fn alias() -> Rows {
    Box::pin(stream::iter([Ok(1)]))
}

fn main() {}
