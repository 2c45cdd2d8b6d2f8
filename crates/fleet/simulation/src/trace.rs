//! [`Trace`]: what happened in a simulation, one line per event.

use breakerbox_fleet::protocol::{LeaseRequest, Op, Opening, RecordView, Restoration, Trip};
use std::fmt::{self, Write};
use std::time::Duration;

/// The events of a run. Two runs of one seed have equal traces.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// `None` while no trace is kept. A failing seed runs again with a trace.
    text: Option<String>,
    lines: u64,
}

impl Trace {
    pub(crate) fn kept() -> Self {
        Self {
            text: Some(String::new()),
            ..Self::default()
        }
    }

    pub(crate) fn line(&mut self, now: Duration, what: fmt::Arguments<'_>) {
        self.lines += 1;
        if let Some(text) = &mut self.text {
            let (seconds, millis) = (now.as_secs(), now.subsec_millis());
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{seconds:4}.{millis:03} {what}");
        }
    }

    /// Returns the number of events.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Returns the events, or an empty text if no trace was kept.
    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }
}

/// An operation without its token and its instants, which no reader needs.
pub(crate) struct ShortOp<'a>(pub(crate) &'a Op);

impl fmt::Display for ShortOp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.name();
        match self.0 {
            Op::Trip { trip, .. } => {
                let Trip {
                    duration,
                    attempt,
                    why,
                    quorum,
                    ..
                } = trip;
                write!(
                    f,
                    "trip {name} {duration:?} attempt {attempt} {why} quorum {quorum}"
                )
            }
            Op::Lease { request, .. } => {
                let LeaseRequest {
                    token,
                    demand,
                    opened_by_fleet,
                    ..
                } = request;
                write!(
                    f,
                    "lease {name} {token} demand {demand} {opened_by_fleet:?}"
                )
            }
            Op::Yield { token, .. } => write!(f, "yield {name} {token}"),
            Op::Done {
                opening: None,
                token,
                ..
            } => write!(f, "done {name} {token} closed"),
            Op::Done {
                opening: Some(opening),
                token,
                ..
            } => {
                let Opening {
                    duration, attempt, ..
                } = opening;
                write!(f, "done {name} {token} open {duration:?} attempt {attempt}")
            }
            Op::Unvote { .. } => write!(f, "unvote {name}"),
            Op::Restore { restoration, .. } => {
                let Restoration { left, version, .. } = restoration;
                write!(f, "restore {name} {left:?} of {version}")
            }
            Op::Close { .. } => write!(f, "close {name}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// A record without the number of the process that wrote it.
pub(crate) struct ShortView<'a>(pub(crate) &'a RecordView);

impl fmt::Display for ShortView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecordView {
            version,
            phase,
            left,
            attempt,
            ..
        } = self.0;
        let node = self.0.by.split('-').next().unwrap_or_default();
        write!(
            f,
            "[{version} {} {left:?} attempt {attempt} by {node} {}]",
            phase.letter(),
            self.0.why
        )
    }
}
