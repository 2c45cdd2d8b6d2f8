//! Reads the body of a command, within bounds.

use crate::guard::Refusal;
use bytes::Buf;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body::Body;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

/// The longest body, in bytes.
const LONGEST: usize = 8 * 1024;
/// The longest time until the whole body has arrived.
const LONGEST_TIME: Duration = Duration::from_secs(10);

/// Reads a body of at most 8 KiB within 10 s. Without timers, the server has to bound the time.
pub(crate) async fn read<B: Body>(
    headers: &HeaderMap,
    body: B,
    has_timers: bool,
) -> Result<Vec<u8>, Refusal> {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok());
    let longest = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    let hint = body.size_hint().lower();
    if length.unwrap_or(0).max(hint) > longest {
        return Err(too_long());
    }
    let reading = read_all(body);
    if !has_timers {
        return reading.await;
    }
    let timed_out = || {
        let message = "the command did not arrive within 10 s; send it again";
        (StatusCode::REQUEST_TIMEOUT, message.to_owned())
    };
    let reading = tokio::time::timeout(LONGEST_TIME, reading).await;
    reading.unwrap_or_else(|_| Err(timed_out()))
}

async fn read_all<B: Body>(body: B) -> Result<Vec<u8>, Refusal> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let broken = |_| {
            let message = "the body of the command broke off; send it again";
            (StatusCode::BAD_REQUEST, message.to_owned())
        };
        let Ok(mut data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if bytes.len() + data.remaining() > LONGEST {
            return Err(too_long());
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            bytes.extend_from_slice(chunk);
            let read = chunk.len();
            data.advance(read);
        }
    }
    Ok(bytes)
}

fn too_long() -> Refusal {
    let message = "a command has at most 8 KiB";
    (StatusCode::PAYLOAD_TOO_LARGE, message.to_owned())
}
