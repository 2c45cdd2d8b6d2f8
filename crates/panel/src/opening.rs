//! [`Opening`]: bounds the time in which a connection begins to speak.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// The length of the preface of HTTP/2. A request over HTTP/1.1 is longer.
const PREFACE: usize = 24;

/// A connection that fails unless its first 24 bytes arrive in time.
///
/// hyper-util reads these bytes to tell HTTP/1 from HTTP/2. The timeouts of both begin afterwards, so
/// a silent client would keep its connection without end.
pub(crate) struct Opening {
    stream: TcpStream,
    /// The number of bytes that have not arrived.
    missing: usize,
    /// `None` once the bytes have arrived.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Opening {
    pub(crate) fn new(stream: TcpStream, timeout: Duration) -> Self {
        Self {
            stream,
            missing: PREFACE,
            timer: Some(Box::pin(sleep(timeout))),
        }
    }
}

impl AsyncRead for Opening {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let Some(timer) = &mut this.timer else {
            return read;
        };
        if read.is_pending() {
            let timed_out = || Err(io::ErrorKind::TimedOut.into());
            return timer.as_mut().poll(cx).map(|()| timed_out());
        }
        let arrived = buffer.filled().len() - before;
        this.missing = this.missing.saturating_sub(arrived);
        if this.missing == 0 {
            this.timer = None;
        }
        read
    }
}

impl AsyncWrite for Opening {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
