//! Tests the settings of breakerbox against recorded or generated traffic.
//!
//! Traffic is an iterator of [`Call`]s. A [`Replay`] sends it through *real* breakers in virtual time,
//! for several [`Candidate`]s at once, and returns [`Figures`]. A [`Scenario`] generates traffic for
//! unit tests. A [`Recorder`] writes the traffic of a live service, and [`import`] reads it, and logs
//! of other programs.

mod call;
mod candidate;
mod closed_loop;
mod counted;
mod fact;
mod fate;
mod figures;
mod hash;
pub mod import;
mod instances;
mod judge;
mod lane;
mod names;
mod nanos;
mod outage;
mod random;
mod recorder;
mod replay;
mod replayed;
mod report;
mod scenario;
mod serial;
mod series;
mod spared;
mod spread;
mod survey;
#[cfg(test)]
mod tests;
mod timeline;
mod tune;

pub use call::{Call, Outcome};
pub use candidate::Candidate;
pub use closed_loop::{ClosedLoop, ClosedLoopFigures};
/// How the command writes numbers, too.
#[doc(hidden)]
pub use counted::{count, counted};
pub use figures::Figures;
pub use instances::Instances;
pub use outage::Outage;
pub use recorder::{Recorder, RecorderBuilder, RecorderStatus};
pub use replay::Replay;
pub use replayed::{CandidateResults, Replayed};
pub use scenario::Scenario;
pub use spread::Spread;
pub use survey::{NameSurvey, Survey};
pub use tune::{LeftOut, TriedCandidate, Tuned, Tuner};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
