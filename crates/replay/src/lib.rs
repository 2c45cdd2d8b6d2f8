//! Tests the settings of breakerbox against recorded or generated traffic.

mod call;

pub use call::{Call, Outcome};
