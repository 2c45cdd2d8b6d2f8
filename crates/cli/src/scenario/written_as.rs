//! [`WrittenAs`]: the formats in which the calls of a scenario are written.

use clap::ValueEnum;

/// The formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WrittenAs {
    /// A recording of breakerbox-replay
    Recorder,
    /// CSV with the columns time, upstream, status, `duration_ms`
    Csv,
}
