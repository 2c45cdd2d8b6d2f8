//! Classifiers of `breakerbox::http` as `classify`.

use breakerbox::http::judge_result;
use breakerbox::prelude::*;
use http::Response;
use std::io;
use std::time::Duration;

#[circuit(name = "judged-response", classify = judge_result)]
async fn get(status: u16) -> io::Result<Response<()>> {
    let response = Response::builder()
        .status(status)
        .header("retry-after", "120");
    response.body(()).map_err(io::Error::other)
}

#[tokio::test]
async fn circuit_opens_for_retry_after() {
    assert_eq!(get(404).await.unwrap().status(), 404);
    let api = BreakerRegistry::global().breaker("judged-response");
    assert_eq!(api.failure_count(), 0);
    assert_eq!(get(501).await.unwrap().status(), 501);
    assert_eq!(api.failure_count(), 1);
    assert_eq!(get(503).await.unwrap().status(), 503);
    assert!(api.open_remaining() > Some(Duration::from_secs(110)));
    assert!(is_refusal(&get(200).await.unwrap_err()));
}
