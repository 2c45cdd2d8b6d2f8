//! [`Lines`]: the lines of a source, of bounded length.

use super::gzip;
use memchr::memchr;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::mem;

/// The maximum length of a line of most formats: 1 MiB.
pub(super) const MAX_LINE: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The lines of a source. A gzip source is decompressed, and a byte order mark is skipped.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    /// The number of the present line, from 1.
    number: u64,
    latest: Next,
    /// The maximum length of a line.
    limit: usize,
    /// Whether the present line is to be read again.
    repeats: bool,
}

/// The result of reading a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// [`Lines::line`] returns the line.
    Line,
    /// The line exceeds the maximum length, and [`Lines::line`] returns its beginning.
    TooLong,
    /// There are no more lines.
    End,
}

impl Lines {
    pub(super) fn open(source: impl Read + Send + 'static) -> io::Result<Self> {
        Ok(Self {
            input: gzip::open(source)?,
            line: Vec::new(),
            number: 0,
            latest: Next::End,
            limit: MAX_LINE,
            repeats: false,
        })
    }

    /// Sets the maximum length of a line.
    pub(super) fn up_to(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Returns the first line that is not blank, which [`read`](Self::read) returns, too.
    pub(super) fn peek(&mut self) -> io::Result<&[u8]> {
        while self.read()? == Next::Line && self.line.trim_ascii().is_empty() {}
        self.repeat();
        Ok(&self.line)
    }

    /// Makes the next call of [`read`](Self::read) return the present line again.
    pub(super) fn repeat(&mut self) {
        self.repeats = true;
    }

    /// Returns the maximum length of a line.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the number of the present line, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the present line without its end.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Reads the next line. An error ends the source; the part of a line before it is discarded.
    pub(super) fn read(&mut self) -> io::Result<Next> {
        if !mem::take(&mut self.repeats) {
            self.latest = self.read_next()?;
        }
        Ok(self.latest)
    }

    fn read_next(&mut self) -> io::Result<Next> {
        self.line.clear();
        let mut read_any = false;
        let mut too_long = false;
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break;
            }
            read_any = true;
            let end = memchr(b'\n', available);
            let piece = available.get(..end.unwrap_or(available.len()));
            let piece = piece.unwrap_or_default();
            let room = self.limit - self.line.len();
            too_long |= piece.len() > room;
            let kept = piece.get(..room.min(piece.len())).unwrap_or_default();
            self.line.extend_from_slice(kept);
            let consumed = piece.len() + usize::from(end.is_some());
            self.input.consume(consumed);
            if end.is_some() {
                break;
            }
        }
        if !read_any {
            return Ok(Next::End);
        }
        self.number += 1;
        if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
            self.line.drain(..3);
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(if too_long { Next::TooLong } else { Next::Line })
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// The beginning of a line, for display: control and invisible characters are escaped, and invalid UTF-8
/// is replaced.
pub(super) struct Excerpt<'a>(pub(super) &'a [u8]);

impl Excerpt<'_> {
    const LENGTH: usize = 80;
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(line) = self;
        let shown = line.get(..Self::LENGTH).unwrap_or(line);
        breakerbox::Escaped(&String::from_utf8_lossy(shown)).fmt(f)?;
        if shown.len() < line.len() {
            f.write_str("…")?;
        }
        Ok(())
    }
}
