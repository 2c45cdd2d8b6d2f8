//! Tests the settings of breakerbox against recorded or generated traffic.

mod call;
pub mod import;
mod recorder;

pub use call::{Call, Outcome};
pub use recorder::{Recorder, RecorderBuilder, RecorderStatus};
