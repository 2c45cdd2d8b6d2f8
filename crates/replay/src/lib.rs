#![doc = include_str!("../README.md")]

mod call;
mod candidate;
mod closed_loop;
mod fact;
mod fate;
mod figures;
mod grid;
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
pub use figures::Figures;
pub use instances::Instances;
pub use outage::Outage;
pub use recorder::{Recorder, RecorderBuilder, RecorderStatus};
pub use replay::Replay;
pub use replayed::{CandidateResults, Replayed};
pub use scenario::Scenario;
pub use spread::Spread;
pub use survey::{NameSurvey, Survey};
pub use tune::{LeftOut, Trial, Tuned, Tuner};
