//! [`Row`]: the values of one line.

use super::sink::{BadReason, Sink};
use super::value::Value;

/// One line of a source.
pub(super) struct Row<'a> {
    pub(super) number: u64,
    pub(super) text: &'a [u8],
    /// The values of the [fields](Mapping::fields) of the mapping.
    pub(super) values: &'a [Value<'a>],
}

/// Reports a line that exceeds the maximum length.
pub(super) fn too_long(sink: &mut Sink, number: u64, start: &[u8]) {
    let reason = BadReason::from("the line is longer than 1 MiB");
    sink.bad(number, &reason, start);
}
