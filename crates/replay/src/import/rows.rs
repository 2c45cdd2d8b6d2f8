//! [`Rows`]: sources whose lines consist of fields, and the calls in them.

use super::csv::Csv;
use super::mapping::Mapping;
use super::ndjson::Ndjson;
use super::sink::{BadReason, Format, Sink};
use super::value::Value;

/// One line of a source.
pub(super) struct Row<'a> {
    pub(super) number: u64,
    pub(super) text: &'a [u8],
    /// The values of the [fields](Mapping::fields) of the mapping.
    pub(super) values: &'a [Value<'a>],
}

/// A source whose lines consist of fields.
pub(super) enum Rows {
    Csv(Box<Csv>),
    Ndjson(Ndjson),
}

impl Rows {
    /// Reads a line, and passes its values to `take`. Returns `false` at the end.
    pub(super) fn read(&mut self, sink: &mut Sink, take: impl FnMut(&mut Sink, &Row<'_>)) -> bool {
        match self {
            Self::Csv(csv) => csv.read(sink, take),
            Self::Ndjson(ndjson) => ndjson.read(sink, take),
        }
    }
}

/// The calls of a source of fields.
pub(super) struct MappedCalls {
    pub(super) rows: Rows,
    pub(super) mapping: Mapping,
}

impl Format for MappedCalls {
    fn read(&mut self, sink: &mut Sink) -> bool {
        let mapping = &self.mapping;
        self.rows.read(sink, |sink, row| {
            match select(mapping, sink, row).map(|()| mapping.call(row.values, &mut sink.names)) {
                None => {}
                Some(Ok((written, call))) => sink.push(row.number, written, call),
                Some(Err(reason)) => sink.bad(row.number, &reason, row.text),
            }
        })
    }
}

/// Returns `None` for a line that the conditions of the mapping leave out, and counts it.
pub(super) fn select(mapping: &Mapping, sink: &mut Sink, row: &Row<'_>) -> Option<()> {
    if mapping.includes(row.values) {
        return Some(());
    }
    sink.counts.filtered += 1;
    None
}

/// Reports a line that exceeds the maximum length.
pub(super) fn too_long(sink: &mut Sink, number: u64, start: &[u8]) {
    let reason = BadReason::from("the line is longer than 1 MiB");
    sink.bad(number, &reason, start);
}
