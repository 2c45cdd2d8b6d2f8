//! Tests the settings of breakerbox against recorded or generated traffic.

mod call;
pub mod import;

pub use call::{Call, Outcome};
