//! A reqwest client and servers on the loopback interface.

use crate::support::{THRESHOLD, breaker, events, openings};
use breakerbox::prelude::*;
use futures_util::{Stream, StreamExt as _, TryFutureExt as _, stream};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

type Chunk = Vec<u8>;

/// Sends a request, and returns the data of the response.
async fn open(url: String) -> reqwest::Result<impl Stream<Item = reqwest::Result<Chunk>>> {
    let response = reqwest::get(url).await?.error_for_status()?;
    Ok(stream::try_unfold(response, async |mut response| {
        let chunk = response.chunk().await?;
        Ok(chunk.map(|chunk| (chunk.to_vec(), response)))
    }))
}

/// Answers each connection with five of a hundred bytes, and disconnects.
async fn serve_truncated() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = socket.read(&mut request).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello";
            let _ = socket.write_all(answer).await;
        }
    });
    address
}

async fn serve_events() -> (SocketAddr, impl Fn() -> usize) {
    let (router, requests) = events();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async { axum::serve(listener, router).await });
    (address, move || requests.load(Ordering::SeqCst))
}

#[tokio::test]
async fn truncated_answers_open_circuit_at_threshold() {
    let url = format!("http://{}/", serve_truncated().await);
    let llm = breaker();
    let mut changes = llm.subscribe_changes();
    for failures in 1..=THRESHOLD {
        assert_eq!(llm.state(), State::Closed);
        let answer = open(url.clone()).try_flatten_stream().guarded_by(&llm);
        let answer: Vec<_> = answer.collect().await;
        assert!(matches!(&answer[..], [Ok(data), Err(BreakerError::Inner(_))] if data == b"hello"));
        assert_eq!(llm.failure_count(), failures);
    }
    assert_eq!(openings(&mut changes), 1);
    let refused: Vec<_> = open(url)
        .try_flatten_stream()
        .guarded_by(&llm)
        .collect()
        .await;
    assert!(matches!(&refused[..], [Err(BreakerError::Open(_))]));
}

/// Takes half a second of real time, because a paused clock does not wait for sockets.
#[tokio::test]
async fn stalled_events_open_circuit_at_threshold() {
    let (address, requests) = serve_events().await;
    let url = format!("http://{address}/stalls");
    let llm = breaker();
    let mut changes = llm.subscribe_changes();
    for failures in 1..=THRESHOLD {
        assert_eq!(llm.state(), State::Closed);
        let answer = open(url.clone()).try_flatten_stream().guarded_by(&llm);
        let answer: Vec<_> = answer
            .idle_timeout(Duration::from_millis(100))
            .collect()
            .await;
        let (last, events) = answer.split_last().expect("at least the timeout");
        assert!(last.as_ref().is_err_and(BreakerError::is_timed_out));
        assert!(events.iter().all(Result::is_ok));
        assert_eq!(llm.failure_count(), failures);
    }
    assert_eq!((llm.state(), openings(&mut changes)), (State::Open, 1));
    assert!(requests() <= THRESHOLD as usize);
}

#[tokio::test]
async fn abandoned_answers_leave_circuit_closed() {
    let (address, requests) = serve_events().await;
    let url = format!("http://{address}/stalls");
    let llm = breaker();
    for _ in 0..2 * THRESHOLD {
        let answer = open(url.clone()).try_flatten_stream().guarded_by(&llm);
        let mut answer = std::pin::pin!(answer);
        assert!(answer.next().await.is_some_and(|data| data.is_ok()));
    }
    assert_eq!(llm.state(), State::Closed);
    assert_eq!(llm.snapshot().totals.cancelled, u64::from(2 * THRESHOLD));
    assert_eq!(requests(), 2 * THRESHOLD as usize);
}
