//! Spans in OTLP JSON, as the file exporter of the OpenTelemetry collector writes them.

use super::lines::Lines;
use super::otlp_format::{Attributes, OtlpFormat};
use super::otlp_spans::{self, RawSpan};
use super::sink::{BadReason, Format, Names, Sink, label};
use super::time::Unit;
use super::value::Value;
use crate::Call;
use serde::de::Error as _;
use serde_json::Error;
use std::io;

/// Reads spans.
///
/// A line is a batch of spans, which are delivered in parts: all of them at once could exceed the memory for
/// calls that wait to be put in order.
pub(super) struct Otlp {
    lines: Lines,
    spans: ClientSpans,
    /// The number of spans of the present line that were read.
    read: usize,
}

/// The calls of spans.
struct ClientSpans {
    format: OtlpFormat,
    /// Whether each span must say which process made it.
    has_instance: bool,
}

impl Otlp {
    /// The maximum length of a line: 32 MiB. The collector sends 8,192 spans at once by default.
    const MAX_LINE: usize = 32 << 20;

    pub(super) fn new(lines: Lines, format: OtlpFormat) -> Self {
        Self {
            lines: lines.up_to(Self::MAX_LINE),
            spans: ClientSpans {
                format,
                has_instance: false,
            },
            read: 0,
        }
    }

    /// Returns `true` if the format or the first line says which process made the calls. All spans must then
    /// say so.
    pub(super) fn find_instance(&mut self) -> io::Result<bool> {
        let format = &self.spans.format;
        let resource = otlp_spans::first_resource(self.lines.peek()?, format.keys());
        let attributes = Attributes {
            format,
            span: &[],
            resource: &resource.unwrap_or_default(),
        };
        self.spans.has_instance = format.is_instance_stated() || attributes.instance().is_some();
        Ok(self.spans.has_instance)
    }
}

impl Format for Otlp {
    fn read(&mut self, sink: &mut Sink) -> bool {
        let (spans, read) = (&self.spans, &mut self.read);
        let is_open = sink.read_line(&mut self.lines, |sink, number, text| {
            *read = spans.deliver(sink, number, text, *read);
        });
        if self.read > 0 {
            self.lines.repeat();
        }
        is_open
    }
}

impl ClientSpans {
    /// The number of spans that are delivered at a time. A line with more is parsed again.
    const AT_ONCE: usize = 50_000;

    /// Delivers the spans of a line after the first `skipped` ones. Returns how many were delivered if more
    /// are left, and zero otherwise.
    fn deliver(&self, sink: &mut Sink, number: u64, text: &[u8], skipped: usize) -> usize {
        let until = skipped + Self::AT_ONCE;
        let mut count = 0;
        let result = otlp_spans::read(text, self.format.keys(), |resource, span| {
            count += 1;
            if count <= skipped {
                return Ok(());
            }
            if count > until {
                return Err(Error::custom("more spans are left"));
            }
            match self.call(resource, span, &mut sink.names) {
                Ok(Some(call)) => sink.push(number, call.end(), call),
                Ok(None) => sink.counts.not_calls += 1,
                Err(reason) => sink.bad(number, &reason, text),
            }
            Ok(())
        });
        match result {
            Err(_) if count > until => return until,
            Err(error) => {
                let reason = BadReason::from(format!("no spans of OTLP: {error}"));
                sink.bad(number, &reason, text);
            }
            Ok(()) => {}
        }
        0
    }

    /// Returns the call of a span, or `None` if the span is no call.
    fn call(
        &self,
        resource: &[Value<'_>],
        span: RawSpan<'_>,
        names: &mut Names,
    ) -> Result<Option<Call>, BadReason> {
        let malformed = |error| BadReason::from(format!("no span of OTLP: {error}"));
        let span = span.parse().map_err(malformed)?;
        if !is_number(&span.kind, 3, "SPAN_KIND_CLIENT") {
            return Ok(None);
        }
        let title = span.name.as_text().unwrap_or_default();
        let bad = |what: &str| BadReason::from(format!("{what} in the span {title:?}"));
        // Zero is the default value of protocol buffers.
        let time = |value| Unit::Nanos.duration(value).filter(|time| !time.is_zero());
        let start = time(&span.start_time_unix_nano).ok_or_else(|| bad("no startTimeUnixNano"))?;
        let end = time(&span.end_time_unix_nano).ok_or_else(|| bad("no endTimeUnixNano"))?;
        let duration = end.checked_sub(start);
        let duration = duration.ok_or_else(|| bad("an end before the start"))?;
        let own = span.attributes(self.format.keys());
        let own = own.map_err(|error| bad(&error.to_string()))?;
        let attributes = Attributes {
            format: &self.format,
            span: &own,
            resource,
        };
        let instance = if self.has_instance {
            Some(attributes.instance().ok_or_else(|| bad("no instance"))?)
        } else {
            None
        };
        let status = span.status.as_ref();
        let is_error = status.is_some_and(|it| is_number(&it.code, 2, "STATUS_CODE_ERROR"));
        let (outcome, error) = attributes.outcome(is_error);
        let name = attributes.name(&title);
        Ok(Some(Call {
            start,
            name: names.intern(&name.ok_or_else(|| bad("no name"))?),
            instance: instance.map(|instance| names.intern(&instance)),
            duration: Some(duration),
            outcome,
            error: error.map(|error| names.intern(label(&error))),
            request: None,
        }))
    }
}

/// Returns `true` for this number of an enumeration, or for its name, which some exporters write.
fn is_number(value: &Value<'_>, number: u64, name: &str) -> bool {
    match value {
        Value::Integer(value) => *value == number,
        Value::Text(text) => text == name || text.parse() == Ok(number),
        _ => false,
    }
}
