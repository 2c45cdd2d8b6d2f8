//! The format of the [`Recorder`](crate::Recorder), which writes it with these types, too.

use super::lines::Lines;
use super::mapping::outcome_of;
use super::sink::{BadReason, Format, Sink, label};
use crate::{Call, Outcome};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The version of the format.
pub(crate) const VERSION: u32 = 1;

/// One line of a recording: the header, a call, or a notice. Unknown members are skipped.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Line<'a> {
    /// The header: the version of the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recorder: Option<u32>,
    /// The header: the process.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<Cow<'a, str>>,
    /// The header: the share of the breakers that were recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) breakers: Option<f64>,
    /// When the call started: microseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) t: Option<u64>,
    /// The name of the breaker.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) b: Option<Cow<'a, str>>,
    /// How long the call ran: microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) d: Option<u64>,
    /// The outcome.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) o: Option<Cow<'a, str>>,
    /// The label of the error.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) e: Option<Cow<'a, str>>,
    /// For how long the dependency asked for no calls: microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) h: Option<u64>,
    /// A notice: the number of calls that were lost since the notice before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<u64>,
}

/// Reads a recording.
pub(super) struct Recorded {
    lines: Lines,
    instance: Option<Arc<str>>,
}

impl Recorded {
    pub(super) fn new(lines: Lines) -> Self {
        Self {
            lines,
            instance: None,
        }
    }

    fn take(instance: &mut Option<Arc<str>>, sink: &mut Sink, number: u64, text: &[u8]) {
        let line: Line<'_> = match serde_json::from_slice(text) {
            Ok(line) => line,
            Err(error) => {
                let reason = BadReason::from(format!("no line of a recording: {error}"));
                sink.bad(number, &reason, text);
                return;
            }
        };
        if let Some(version) = line.recorder {
            *instance = line.instance.as_deref().map(Arc::from);
            if version > VERSION {
                let reason =
                    BadReason::from(format!("the recording has the newer format {version}"));
                sink.bad(number, &reason, text);
            }
        } else if let Some(lost) = line.lost {
            sink.counts.lost = sink.counts.lost.saturating_add(lost);
        } else {
            match call_of(&line, instance.as_ref(), sink) {
                Ok(call) => sink.push(number, call.end(), call),
                Err(reason) => sink.bad(number, &reason, text),
            }
        }
    }
}

fn call_of(
    line: &Line<'_>,
    instance: Option<&Arc<str>>,
    sink: &mut Sink,
) -> Result<Call, BadReason> {
    let start = line.t.ok_or(BadReason::from("no start `t`"))?;
    let name = line.b.as_deref().ok_or(BadReason::from("no breaker `b`"))?;
    let outcome = line.o.as_deref().and_then(outcome_of);
    Ok(Call {
        start: Duration::from_micros(start),
        name: sink.names.intern(name),
        instance: instance.cloned(),
        duration: line.d.map(Duration::from_micros),
        outcome: outcome.ok_or(BadReason::from("no outcome `o`"))?,
        error: line
            .e
            .as_deref()
            .map(|error| sink.names.intern(label(error))),
        request: None,
    })
}

impl Format for Recorded {
    fn read(&mut self, sink: &mut Sink) -> bool {
        let instance = &mut self.instance;
        sink.read_line(&mut self.lines, |sink, number, text| {
            Self::take(instance, sink, number, text);
        })
    }
}

impl Line<'_> {
    /// Returns a line for one call.
    pub(crate) fn call<'a>(
        start: u64,
        name: &'a str,
        duration: u64,
        outcome: Outcome,
        error: Option<&'a str>,
    ) -> Line<'a> {
        Line {
            t: Some(start),
            b: Some(name.into()),
            d: Some(duration),
            o: Some(outcome.as_str().into()),
            e: error.map(Cow::from),
            ..Line::default()
        }
    }
}
