//! [`FormatName`]: the names of the formats.

use clap::ValueEnum;

/// The names of the formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// A recording of breakerbox-replay
    Recorder,
    /// CSV, with --map
    Csv,
    /// A JSON object on each line, with --map
    Ndjson,
    /// An access log of nginx or Apache, with --log-format
    Nginx,
    /// An access log of Envoy, as text or JSON, with --log-format
    Envoy,
    /// Spans of OpenTelemetry in OTLP JSON, one batch on each line
    Otlp,
    /// The numbers of calls and failures of each interval, as CSV or NDJSON, with --map
    Rates,
}

impl FormatName {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Recorder => "recorder",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Otlp => "otlp",
            Self::Rates => "rates",
        }
    }
}
