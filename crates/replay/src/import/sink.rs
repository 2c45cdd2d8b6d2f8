//! [`Sink`]: where the formats deliver calls and bad lines.

use super::counts::ImportCounts;
use super::lines::{Lines, Next};
use super::order::Order;
use crate::Call;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The state of an import that all formats share.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) order: Order,
    pub(super) counts: ImportCounts,
    pub(super) names: Names,
}

/// A format: reads a source, and delivers its calls.
pub(super) trait Format: Send {
    /// Reads a part of the source, usually one line. Returns `false` at the end.
    fn read(&mut self, sink: &mut Sink) -> bool;
}

impl Sink {
    /// Delivers a call of line `number`, which was written at `written`.
    pub(super) fn push(&mut self, number: u64, written: Duration, call: Call) {
        if let Some(distant) = self.order.push(number, written, call) {
            let reason = "its time is more than an hour after the lines around it";
            self.counts.add_bad(distant, &reason, b"");
        }
        self.count_calls();
    }

    /// Returns the next call. `ended` says that the source has no more calls.
    pub(super) fn pop(&mut self, ended: bool) -> Option<Call> {
        if ended {
            let call = self.order.pop_rest();
            self.count_calls();
            call
        } else {
            self.order.pop()
        }
    }

    fn count_calls(&mut self) {
        let tally = self.order.tally();
        self.counts.calls = tally.placed;
        self.counts.moved = tally.moved;
        self.counts.late = tally.late;
    }

    /// Reads the next line, and passes its number and text to `take` unless it is blank. Returns `false` at
    /// the end.
    pub(super) fn read_line(
        &mut self,
        lines: &mut Lines,
        take: impl FnOnce(&mut Self, u64, &[u8]),
    ) -> bool {
        let next = match lines.read() {
            Ok(next) => next,
            Err(error) => {
                self.broken(&error);
                return false;
            }
        };
        let (number, text) = (lines.number(), lines.line());
        self.counts.lines = number;
        match next {
            Next::End => return false,
            Next::TooLong => self.too_long(lines),
            Next::Line if text.trim_ascii().is_empty() => {}
            Next::Line => take(self, number, text),
        }
        true
    }

    /// Reports a line that exceeds the maximum length.
    pub(super) fn too_long(&mut self, lines: &Lines) {
        let limit = lines.limit() >> 20;
        let reason = BadReason::from(format!("the line is longer than {limit} MiB"));
        self.bad(lines.number(), &reason, lines.line());
    }

    pub(super) fn bad(&mut self, number: u64, reason: &BadReason, line: &[u8]) {
        self.counts.add_bad(number, reason, line);
    }

    /// Records that the source ended before its end.
    pub(super) fn broken(&mut self, error: &dyn fmt::Display) {
        self.counts.broken = Some(error.to_string());
    }
}

/// Why a line is bad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadReason(Cow<'static, str>);

impl From<&'static str> for BadReason {
    fn from(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl From<String> for BadReason {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for BadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the beginning of the text of an error. Some logs have whole stack traces there, and many calls
/// wait at once.
pub(super) fn label(text: &str) -> &str {
    const LENGTH: usize = 128;
    let mut end = text.len().min(LENGTH);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The names that occur in many lines, each stored once.
#[derive(Debug, Default)]
pub(super) struct Names {
    latest: [Option<Arc<str>>; 2],
    known: HashSet<Arc<str>>,
}

impl Names {
    /// Beyond this number, names are stored for each call. Bounds the memory for fields that are
    /// different in each line.
    const MAX: usize = 20_000;
    /// The length of the longest name that is stored once.
    const LONGEST: usize = 256;

    pub(super) fn intern(&mut self, name: &str) -> Arc<str> {
        let [first, second] = &self.latest;
        for latest in [first, second].into_iter().flatten() {
            if **latest == *name {
                return latest.clone();
            }
        }
        let known = self.known.get(name).cloned();
        let name = known.unwrap_or_else(|| self.insert(name));
        self.latest.swap(0, 1);
        self.latest[0] = Some(name.clone());
        name
    }

    fn insert(&mut self, name: &str) -> Arc<str> {
        let name = Arc::<str>::from(name);
        if self.known.len() < Self::MAX && name.len() <= Self::LONGEST {
            self.known.insert(name.clone());
        }
        name
    }
}
