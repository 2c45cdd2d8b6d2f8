//! A hyper client and an axum server over a pipe in memory, so that the paused clock of tokio controls the
//! whole exchange.

use crate::support::{THRESHOLD, breaker, events, openings};
use axum::Router;
use breakerbox::prelude::*;
use futures_util::{Stream, StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use http::Request;
use http_body_util::{BodyDataStream, Empty};
use hyper::body::Bytes;
use hyper::{client, server};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(10);

/// Sends one request over a new pipe, and returns the data of the response.
async fn open(
    router: Router,
    path: &'static str,
) -> hyper::Result<impl Stream<Item = hyper::Result<Bytes>> + Unpin> {
    let (near, far) = tokio::io::duplex(1024);
    let service = TowerToHyperService::new(router);
    tokio::spawn(server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service));
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(near)).await?;
    tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", "llm")
        .body(Empty::<Bytes>::new());
    let response = sender
        .send_request(request.expect("a valid request"))
        .await?;
    Ok(BodyDataStream::new(response.into_body()))
}

fn guarded(
    router: &Router,
    path: &'static str,
    llm: &CircuitBreaker,
) -> impl Stream<Item = Result<Bytes, BreakerError<hyper::Error>>> + Unpin {
    let answer = Box::pin(open(router.clone(), path).try_flatten_stream());
    answer.guarded_by(llm.clone()).idle_timeout(LIMIT)
}

#[tokio::test(start_paused = true)]
async fn stalled_events_open_circuit_at_threshold() {
    let (router, requests) = events();
    let llm = breaker();
    let mut changes = llm.subscribe_changes();
    for failures in 1..=THRESHOLD {
        assert_eq!(llm.state(), State::Closed);
        let mut answer = guarded(&router, "/stalls", &llm);
        let begun = Instant::now();
        for data in ["data: Once\n\n", "data: upon\n\n"] {
            assert_eq!(
                answer.next().await.expect("an event").expect("an event"),
                data
            );
            assert_eq!(begun.elapsed(), Duration::ZERO);
        }
        let stalled = answer
            .next()
            .await
            .expect("the timeout")
            .expect_err("stalled");
        assert!(stalled.is_timed_out());
        assert_eq!(begun.elapsed(), LIMIT);
        assert!(answer.next().await.is_none());
        assert_eq!(llm.snapshot().totals.failure, u64::from(failures));
    }
    assert_eq!(llm.state(), State::Open);
    assert_eq!(openings(&mut changes), 1);
    let refused: Vec<_> = guarded(&router, "/stalls", &llm).collect().await;
    assert!(matches!(&refused[..], [Err(BreakerError::Open(_))]));
    assert_eq!(requests.load(Ordering::SeqCst), THRESHOLD as usize);
}

#[tokio::test(start_paused = true)]
async fn complete_answer_of_trial_closes() {
    let (router, _) = events();
    let llm = breaker();
    llm.half_open();
    let answer: Vec<_> = guarded(&router, "/ends", &llm)
        .try_collect()
        .await
        .expect("no error");
    assert_eq!(answer.concat(), b"data: Once\n\ndata: upon\n\n");
    assert_eq!(llm.state(), State::Closed);
    assert_eq!(llm.snapshot().totals.success, Some(1));
}
