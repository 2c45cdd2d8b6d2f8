//! [`Bounded`]: bounds how long a client keeps its connection waiting.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// The length of the preface of HTTP/2. A request over HTTP/1.1 is longer.
const PREFACE: usize = 24;

/// A connection that fails unless its first 24 bytes arrive in time, and its client reads.
///
/// hyper-util reads the first bytes to tell HTTP/1 from HTTP/2. The timeouts of both begin
/// afterwards, and neither has one for writing. A silent client, or one that never reads, would keep
/// its connection without end.
pub(crate) struct Bounded {
    stream: TcpStream,
    timeout: Duration,
    /// The number of bytes that have not arrived.
    missing: usize,
    /// `None` once the bytes have arrived.
    opening: Option<Timer>,
    /// Runs while a write waits for the client.
    writing: Option<Timer>,
}

type Timer = Pin<Box<Sleep>>;

impl Bounded {
    pub(crate) fn new(stream: TcpStream, timeout: Duration) -> Self {
        Self {
            stream,
            timeout,
            missing: PREFACE,
            opening: Some(Box::pin(sleep(timeout))),
            writing: None,
        }
    }

    /// Returns the result of a write, or an error if the client has not read for too long.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        write: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if write.is_ready() {
            self.writing = None;
            return write;
        }
        let timeout = self.timeout;
        let timer = self.writing.get_or_insert_with(|| Box::pin(sleep(timeout)));
        timed_out(timer, cx)
    }
}

fn timed_out<T>(timer: &mut Timer, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
    let error = || Err(io::ErrorKind::TimedOut.into());
    timer.as_mut().poll(cx).map(|()| error())
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let Some(timer) = &mut this.opening else {
            return read;
        };
        if read.is_pending() {
            return timed_out(timer, cx);
        }
        let arrived = buffer.filled().len() - before;
        this.missing = this.missing.saturating_sub(arrived);
        if this.missing == 0 {
            this.opening = None;
        }
        read
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.written(cx, write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.written(cx, write)
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
