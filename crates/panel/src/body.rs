//! [`Body`]: the body of an answer.

use crate::stream::Frames;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer: bytes, or a stream of server-sent events.
///
/// A stream is made frame by frame, when its reader asks for the next one. Nothing is queued for a
/// slow reader, and a client that never reads costs no work.
#[must_use = "a body does nothing unless it is polled"]
pub struct Body(Kind);

enum Kind {
    Full(Option<Bytes>),
    Stream(Frames),
}

impl Body {
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Full(
            Some(bytes.into()).filter(|bytes| !bytes.is_empty()),
        ))
    }

    pub(crate) fn empty() -> Self {
        Self(Kind::Full(None))
    }

    pub(crate) fn stream(frames: Frames) -> Self {
        Self(Kind::Stream(frames))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match &mut self.get_mut().0 {
            Kind::Full(bytes) => Poll::Ready(bytes.take()),
            Kind::Stream(frames) => frames.poll_next(cx),
        };
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Kind::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Full(_) => "Body(bytes)",
            Kind::Stream(_) => "Body(stream)",
        })
    }
}
