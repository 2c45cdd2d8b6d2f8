use std::io;

/// A [`Mapping`](super::Mapping) that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MappingError(pub(super) String);

/// A log format of nginx or Envoy from which no calls can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FormatError(pub(super) String);

/// Why a source cannot be imported at all.
///
/// Errors of single lines are no `ImportError`: they are [counted](super::ImportCounts::bad).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The source cannot be read.
    #[error("the source cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The source merges the calls of several processes, or may do so, and nothing says which.
    #[error(
        "a breaker lives in one process, and the source does not say which process made a call: name the field \
         of the process, or state how many processes made the calls (1 if it was one)"
    )]
    InstancesNotStated,
    /// A CSV file has no header, because it has no lines.
    #[error("the file is empty, so it has no header")]
    Empty,
    /// The header of a CSV file has no such column.
    #[error("the file has no column {field:?}; its columns are {columns}")]
    NoColumn {
        /// The field that the mapping names.
        field: String,
        /// The columns of the header, separated by commas.
        columns: String,
    },
    /// The mapping does not fit the format.
    #[error(transparent)]
    Mapping(#[from] MappingError),
}
