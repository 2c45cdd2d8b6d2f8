//! A type that is both a future and a stream.

use breakerbox::prelude::*;
use futures_util::{Stream, stream};
use std::future::Ready;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

struct Download(Ready<io::Result<u64>>, stream::Empty<io::Result<u64>>);

impl Future for Download {
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Stream for Download {
    type Item = io::Result<u64>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.1).poll_next(cx)
    }
}

fn main() {
    let registry = BreakerRegistry::new();
    let download = Download(std::future::ready(Ok(1)), stream::empty());
    let _ = download.with_breaker(&registry, "files");
}
