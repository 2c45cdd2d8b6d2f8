//! [`ImportCounts`]: what became of the lines of a source.

use super::lines::Excerpt;
use std::fmt;

/// The number of bad lines that are kept for display.
const SHOWN: usize = 20;

/// What became of the lines of a source so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportCounts {
    /// The lines that were read, including a header and empty lines.
    pub lines: u64,
    /// The calls that were imported, including those that wait to be put in order.
    pub calls: u64,
    /// The calls that a condition left out.
    pub filtered: u64,
    /// The attempts that reached no server, such as those of nginx without a live upstream.
    pub never_ran: u64,
    /// The records that are no outgoing calls, such as the spans of a server.
    pub not_calls: u64,
    /// The lines that cannot be read as calls, or the spans of a line of OTLP.
    pub bad: u64,
    /// The first 20 of the bad lines.
    pub bad_lines: Vec<BadLine>,
    /// The calls that came too late to be put in order, and were moved: their start is later than in
    /// the source, and their end is the same.
    pub moved: u64,
    /// The calls that came too late even for that, and were left out.
    pub late: u64,
    /// The calls that the recorder lost.
    pub lost: u64,
    /// Why the source ended before its end, if it did.
    pub broken: Option<String>,
}

/// A line that cannot be read as a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadLine {
    /// The number of the line, from 1.
    pub number: u64,
    /// Why the line cannot be read.
    pub reason: String,
    /// The beginning of the line, with control characters escaped.
    pub text: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.number, self.reason, self.text)
    }
}

impl ImportCounts {
    /// Counts a bad line. The reason is written only if the line is kept.
    pub(super) fn add_bad(&mut self, number: u64, reason: &dyn fmt::Display, line: &[u8]) {
        self.bad += 1;
        if self.bad_lines.len() < SHOWN {
            self.bad_lines.push(BadLine {
                number,
                reason: reason.to_string(),
                text: Excerpt(line).to_string(),
            });
        }
    }
}
