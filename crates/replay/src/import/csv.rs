//! [`Csv`]: records of CSV.

use super::error::{ImportError, MappingError};
use super::lines::{Lines, MAX_LINE, Next};
use super::mapping::Mapping;
use super::row::Row;
use super::sink::{BadReason, Sink};
use super::value::Value;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::io;

/// Records of CSV, of which the columns of a mapping are read.
///
/// Quoted fields may contain separators, quotes and line breaks, as RFC 4180 describes.
pub(super) struct Csv {
    records: Records,
    /// The column of each field of the mapping, from 0.
    columns: Vec<usize>,
}

/// Reads records from lines.
struct Records {
    lines: Lines,
    reader: Reader,
    /// The text of the fields of the present record, without quotes.
    text: Vec<u8>,
    written: usize,
    /// The end of each field in `text`.
    ends: Vec<usize>,
    fields: usize,
}

/// The result of reading a record.
enum NextRecord {
    Record,
    Blank,
    TooLong,
    Unclosed,
    End,
}

impl Csv {
    /// Opens a source. The fields of `mapping` are columns of the header, or numbers from 1.
    pub(super) fn open(
        lines: Lines,
        mapping: &Mapping,
        delimiter: u8,
        has_header: bool,
    ) -> Result<Self, ImportError> {
        let mut records = Records {
            lines,
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; 1 << 10],
            written: 0,
            ends: vec![0; 64],
            fields: 0,
        };
        let mut header = Vec::new();
        if has_header {
            while let NextRecord::Blank = records.read()? {}
            header.extend((0..records.fields).map(|column| records.text(column).into_owned()));
        }
        let columns = mapping.fields().iter().map(|field| {
            let mut named = (0..).zip(&header).filter(|(_, name)| name.trim() == field);
            let numbered = || field.parse::<usize>().ok()?.checked_sub(1);
            match (named.next(), named.next()) {
                (Some((column, _)), None) => Ok(column),
                (Some(_), Some(_)) => Err(ImportError::Mapping(MappingError(format!(
                    "the file has several columns `{field}`: name the column by its number, from 1"
                )))),
                (None, _) => match numbered() {
                    Some(column) => Ok(column),
                    None if header.is_empty() && has_header => Err(ImportError::Empty),
                    None if has_header => Err(ImportError::NoColumn {
                        field: field.clone(),
                        columns: header.join(", "),
                    }),
                    None => Err(ImportError::Mapping(MappingError(format!(
                        "the file has no header, so `{field}` must be the number of a column, from 1"
                    )))),
                },
            }
        });
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            records,
        })
    }

    pub(super) fn read(&mut self, sink: &mut Sink, take: impl FnOnce(&mut Sink, &Row<'_>)) -> bool {
        let next = match self.records.read() {
            Ok(next) => next,
            Err(error) => {
                sink.broken(&error);
                return false;
            }
        };
        let number = self.records.lines.number();
        let text = self.records.lines.line();
        sink.counts.lines = number;
        match next {
            NextRecord::End => return false,
            NextRecord::Blank => {}
            NextRecord::TooLong => sink.too_long(&self.records.lines),
            NextRecord::Unclosed => {
                let reason = BadReason::from("a quote is not closed within 1 MiB");
                sink.bad(number, &reason, text);
            }
            NextRecord::Record => {
                let value = |column: &usize| {
                    if *column < self.records.fields {
                        Value::Text(self.records.text(*column))
                    } else {
                        Value::Missing
                    }
                };
                let values: Vec<_> = self.columns.iter().map(value).collect();
                take(
                    sink,
                    &Row {
                        number,
                        text,
                        values: &values,
                    },
                );
            }
        }
        true
    }
}

impl Records {
    /// Returns a field of the present record. Invalid UTF-8 is replaced.
    fn text(&self, column: usize) -> std::borrow::Cow<'_, str> {
        let end = |column: usize| self.ends.get(column).copied().unwrap_or(0);
        let start = column.checked_sub(1).map_or(0, end);
        String::from_utf8_lossy(self.text.get(start..end(column)).unwrap_or_default())
    }

    fn read(&mut self) -> io::Result<NextRecord> {
        (self.written, self.fields) = (0, 0);
        let mut is_first = true;
        loop {
            let next = self.lines.read()?;
            let is_blank = self.lines.line().is_empty();
            match next {
                Next::End if is_first => return Ok(NextRecord::End),
                Next::Line if is_first && is_blank => return Ok(NextRecord::Blank),
                Next::Line if self.written + self.fields <= MAX_LINE => {}
                Next::TooLong if is_first => return Ok(NextRecord::TooLong),
                Next::Line | Next::TooLong | Next::End => {
                    self.reader.reset();
                    return Ok(NextRecord::Unclosed);
                }
            }
            is_first = false;
            if self.feed_line() {
                return Ok(NextRecord::Record);
            }
        }
    }

    /// Feeds the present line to the reader. Returns `true` if the line ends the record.
    fn feed_line(&mut self) -> bool {
        let Self {
            lines,
            reader,
            text,
            written,
            ends,
            fields,
        } = self;
        for mut input in [lines.line(), b"\n"] {
            while !input.is_empty() {
                let room = text.get_mut(*written..).unwrap_or_default();
                let ends_room = ends.get_mut(*fields..).unwrap_or_default();
                let (result, read, wrote, ended) = reader.read_record(input, room, ends_room);
                input = input.get(read..).unwrap_or_default();
                *written += wrote;
                *fields += ended;
                match result {
                    ReadRecordResult::InputEmpty => {}
                    ReadRecordResult::OutputFull => text.resize(2 * text.len(), 0),
                    ReadRecordResult::OutputEndsFull => ends.resize(2 * ends.len(), 0),
                    ReadRecordResult::Record => return true,
                    ReadRecordResult::End => return false,
                }
            }
        }
        false
    }
}
