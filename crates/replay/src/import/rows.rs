//! [`Rows`]: sources whose lines consist of fields, and the calls in them.

use super::csv::Csv;
use super::mapping::Mapping;
use super::ndjson::Ndjson;
use super::row::Row;
use super::sink::{Format, Sink};

/// A source whose lines consist of fields.
pub(super) enum Rows {
    Csv(Box<Csv>),
    Ndjson(Ndjson),
}

impl Rows {
    /// Reads a line, and passes its values to `take`. Returns `false` at the end.
    pub(super) fn read(&mut self, sink: &mut Sink, take: impl FnOnce(&mut Sink, &Row<'_>)) -> bool {
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
