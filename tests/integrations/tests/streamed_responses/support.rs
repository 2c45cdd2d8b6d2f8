//! A server that stalls, and a count of openings.

use axum::Router;
use axum::response::Sse;
use axum::response::sse::Event as SseEvent;
use axum::routing::get;
use breakerbox::prelude::*;
use futures_util::{StreamExt as _, stream};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The circuit opens at this number of failed streams.
pub(crate) const THRESHOLD: u32 = 5;

pub(crate) fn breaker() -> CircuitBreaker {
    let breaker = CircuitBreaker::builder().failure_threshold(THRESHOLD);
    breaker.name("llm").build().expect("valid settings")
}

/// Returns a server whose `/stalls` sends two events and then nothing, and whose `/ends` sends two events.
/// The counter counts requests.
pub(crate) fn events() -> (Router, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let two = || {
        let event = |data: &str| Ok::<_, Infallible>(SseEvent::default().data(data));
        stream::iter([event("Once"), event("upon")])
    };
    let stalls = get(async move || {
        count.fetch_add(1, Ordering::SeqCst);
        Sse::new(two().chain(stream::pending()))
    });
    let ends = get(async move || Sse::new(two()));
    let router = Router::new().route("/stalls", stalls).route("/ends", ends);
    (router, requests)
}

/// Counts how often the circuit opened since the last count.
pub(crate) fn openings(events: &mut EventStream) -> usize {
    let events = std::iter::from_fn(|| events.try_next());
    let opened = |event: &Event| {
        matches!(
            event,
            Event::StateChanged {
                to: State::Open,
                ..
            }
        )
    };
    events.filter(opened).count()
}
