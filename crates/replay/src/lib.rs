#![doc = include_str!("../README.md")]

mod call;
pub mod import;
mod recorder;

pub use call::{Call, Outcome};
pub use recorder::{Recorder, RecorderBuilder, RecorderStatus};
