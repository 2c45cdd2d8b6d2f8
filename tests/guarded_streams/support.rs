//! A breaker, streams, and a helper that polls a stream once.

use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, Totals};
use futures_util::{Stream, stream};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The error of a guarded stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fault")
    }
}

impl std::error::Error for Fault {}

pub(crate) type Item = Result<u8, Fault>;

pub(crate) fn builder() -> BreakerBuilder {
    CircuitBreaker::builder().name("feed")
}

pub(crate) fn breaker() -> CircuitBreaker {
    builder().build().expect("valid settings")
}

/// A breaker that opens at the first failure.
pub(crate) fn sensitive() -> CircuitBreaker {
    builder()
        .failure_threshold(1)
        .build()
        .expect("valid settings")
}

/// A stream that ends after its items, without waiting.
pub(crate) fn items<const N: usize>(items: [Item; N]) -> impl Stream<Item = Item> + Unpin {
    stream::iter(items)
}

/// A stream that waits forever after its items.
pub(crate) fn then_stalls<const N: usize>(items: [Item; N]) -> impl Stream<Item = Item> + Unpin {
    stream::StreamExt::chain(stream::iter(items), stream::pending())
}

/// Polls once.
pub(crate) fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

/// Returns the next item of a stream that does not wait.
#[track_caller]
pub(crate) fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    match poll(stream) {
        Poll::Ready(item) => item,
        Poll::Pending => panic!("the stream is pending"),
    }
}

/// Returns all items of a stream that does not wait, and that has at most a hundred items.
#[track_caller]
pub(crate) fn collect<S: Stream + Unpin>(mut stream: S) -> Vec<S::Item> {
    let items: Vec<_> = std::iter::from_fn(|| next(&mut stream)).take(100).collect();
    assert!(items.len() < 100, "the stream does not end");
    items
}

/// The calls that ended, by outcome.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) success: u64,
    pub(crate) failure: u64,
    pub(crate) ignored: u64,
    pub(crate) cancelled: u64,
}

pub(crate) fn recorded(breaker: &CircuitBreaker) -> Recorded {
    let totals: Totals = breaker.snapshot().totals;
    assert_eq!(totals.late, 0);
    Recorded {
        success: totals.success.expect("successes are counted"),
        failure: totals.failure,
        ignored: totals.ignored,
        cancelled: totals.cancelled,
    }
}

pub(crate) fn one_success() -> Recorded {
    Recorded {
        success: 1,
        ..Recorded::default()
    }
}

pub(crate) fn one_failure() -> Recorded {
    Recorded {
        failure: 1,
        ..Recorded::default()
    }
}

pub(crate) fn one_ignored() -> Recorded {
    Recorded {
        ignored: 1,
        ..Recorded::default()
    }
}

pub(crate) fn one_cancelled() -> Recorded {
    Recorded {
        cancelled: 1,
        ..Recorded::default()
    }
}
