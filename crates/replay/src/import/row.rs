//! [`Row`]: the values of one line.

use super::value::Value;

/// One line of a source.
pub(super) struct Row<'a> {
    pub(super) number: u64,
    pub(super) text: &'a [u8],
    /// The values of the [fields](Mapping::fields) of the mapping.
    pub(super) values: &'a [Value<'a>],
}
