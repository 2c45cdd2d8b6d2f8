//! The calls of the other cases, written as their messages suggest.

use breakerbox::parts::kind;
use breakerbox::prelude::*;
use futures_util::{Stream, stream};
use std::pin::Pin;
use std::task::{Context, Poll};

async fn temperature() -> f32 {
    21.5
}

async fn fetch(id: u64) -> Result<String, std::io::Error> {
    Ok(id.to_string())
}

#[allow(clippy::too_many_arguments)]
fn sum(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8) -> Result<u8, String> {
    Ok(a + b + c + d + e + f + g + h + i)
}

fn parse(text: &'static str) -> Result<u8, std::num::ParseIntError> {
    text.parse()
}

fn degrees() -> impl Stream<Item = f32> {
    stream::iter([21.5])
}

fn rows() -> impl Stream<Item = std::io::Result<u64>> {
    stream::iter([Ok(1)])
}

/// Both a future and a stream.
struct Download;

impl Future for Download {
    type Output = std::io::Result<u64>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(1))
    }
}

impl Stream for Download {
    type Item = std::io::Result<u64>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

fn guarded_streams(registry: &BreakerRegistry) -> impl Stream {
    let in_range = |degrees: &f32| match degrees {
        0.0..=30.0 => Outcome::Success,
        _ => Outcome::Failure,
    };
    let degrees = degrees().with_breaker(registry, "thermometer").classify_item(in_range);
    let rows = rows().with_breaker(registry, "db");
    let download = BreakerExt::<kind::Stream>::with_breaker(Download, registry, "files");
    stream::select(rows, stream::select(download, degrees_as_numbers(degrees)))
}

fn degrees_as_numbers(
    degrees: impl Stream<Item = Result<f32, BreakerError>>,
) -> impl Stream<Item = Result<u64, BreakerError<std::io::Error>>> {
    drop(degrees);
    stream::empty()
}

async fn guarded(registry: &BreakerRegistry) {
    let in_range = |degrees: &f32| match degrees {
        0.0..=30.0 => Outcome::Success,
        _ => Outcome::Failure,
    };
    let guarded = temperature().with_breaker(registry, "thermometer");
    let _ = guarded.classify_output(in_range).await;

    let from_cache = |_open: CircuitOpen| async { Ok("from the cache".to_owned()) };
    let _ = fetch(42).with_breaker(registry, "users-api").fallback(from_cache).await;

    let fetch = fetch.with_breaker(registry, "users-api");
    let fetch = fetch.fallback(async |_id| Ok("from the cache".to_owned()));
    let _ = fetch.call(42).await;
}

fn main() {
    let registry = BreakerRegistry::new();
    drop(guarded(&registry));
    drop(guarded_streams(&registry));
    let sum = (|(a, b, c): (u8, u8, u8)| sum(a, b, c, 0, 0, 0, 0, 0, 0)).with_breaker(&registry, "sum");
    let _ = sum.call((1, 2, 3));
    let parse = parse.with_breaker(&registry, "parser").fallback(|_text| Ok(0));
    let _ = parse.call("7");
}
