//! [`Caveat`]: a limit of a source, which every report about its traffic must state.

use std::fmt;

/// A limit of a source, which a report about its traffic states before all figures.
///
/// The `Display` text is a complete sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Caveat {
    /// The log was written by the server that answered, or contains only the times of whole requests.
    ServerLog,
    /// The calls were drawn at random from rates.
    Modelled,
    /// The calls were dealt to this number of processes at random.
    DealtInstances(u32),
    /// All calls were assumed to come from one process.
    OneInstance,
    /// Only a part of the calls is in the source.
    Sampled,
    /// The source has traces, and was not stated to be sampled.
    Traces,
    /// The source ended before its end, or its last part is broken.
    Truncated,
    /// The recorder lost this number of calls.
    Lost(u64),
}

impl fmt::Display for Caveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerLog => f.write_str(
                "The source is a log of requests, not of upstream calls: it has no failed connections and no \
                 timeouts of the caller.",
            ),
            Self::Modelled => f.write_str(
                "The calls are modelled: drawn at random from rates, which say nothing about failures in a row.",
            ),
            Self::DealtInstances(processes) => write!(
                f,
                "The source does not say which process made a call: the calls were dealt to {processes} processes \
                 at random."
            ),
            Self::OneInstance => {
                f.write_str("All calls are assumed to come from one process, as stated.")
            }
            Self::Sampled => f.write_str(
                "The traffic is sampled: minimum_calls counts only the sampled calls, and tail sampling \
                 overstates failures.",
            ),
            Self::Traces => f.write_str(
                "Traces are often sampled, and these are assumed to be complete. If they are not, calls in a row \
                 and numbers of calls mean nothing: state that the traffic is sampled.",
            ),
            Self::Truncated => f.write_str("The source broke off: calls after that point are missing."),
            Self::Lost(calls) => write!(
                f,
                "The recorder lost {calls} call{}, which are missing here.",
                if *calls == 1 { "" } else { "s" }
            ),
        }
    }
}
