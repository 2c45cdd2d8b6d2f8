//! The cost of an item of a guarded stream, next to the bare stream.
#![allow(missing_docs)]

mod support;

use breakerbox::prelude::*;
use divan::Bencher;
use divan::counter::ItemsCount;
use futures_core::Stream;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use support::{Failure, work};

/// The length of each stream, so long that its admission and its end cost nothing for each item.
const ITEMS: u64 = 100_000;

fn main() {
    divan::main();
}

/// A stream of items that are ready at once.
struct Ready(u64);

impl Stream for Ready {
    type Item = Result<u64, Failure>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(work(left)))
    }
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder()
        .build()
        .expect("the defaults are valid")
}

/// Polls a stream to its end.
#[inline]
fn drain<S: Stream>(stream: S) {
    let mut stream = pin!(stream);
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(item)) = stream.as_mut().poll_next(&mut context) {
        black_box(item);
    }
}

#[divan::bench]
fn bare(bencher: Bencher<'_, '_>) {
    let bencher = bencher.counter(ItemsCount::new(ITEMS));
    bencher.bench_local(|| drain(Ready(ITEMS)));
}

#[divan::bench]
fn guarded(bencher: Bencher<'_, '_>) {
    let breaker = breaker();
    let bencher = bencher.counter(ItemsCount::new(ITEMS));
    bencher.bench_local(|| drain(Ready(ITEMS).guarded_by(&breaker)));
}

#[divan::bench]
fn classified(bencher: Bencher<'_, '_>) {
    let breaker = breaker();
    let classify = |item: &Result<u64, Failure>| match item {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
    let bencher = bencher.counter(ItemsCount::new(ITEMS));
    bencher.bench_local(|| drain(Ready(ITEMS).guarded_by(&breaker).classify_item(classify)));
}

/// Only a poll that finds nothing ready starts the timer.
#[divan::bench]
fn with_idle_timeout(bencher: Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let breaker = breaker();
    let limit = Duration::from_secs(10);
    let bencher = bencher.counter(ItemsCount::new(ITEMS));
    bencher.bench_local(|| drain(Ready(ITEMS).guarded_by(&breaker).idle_timeout(limit)));
}
