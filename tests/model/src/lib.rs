//! A naive model of a breaker: the model keeps every event and recomputes every answer from them.
//!
//! The property test of this package and the fuzz targets run a breaker and its model side by side, and compare
//! them after each step.
#![allow(missing_docs, missing_debug_implementations)]
#![allow(clippy::missing_errors_doc, clippy::missing_panics_doc)]

pub mod completion;
pub mod first_ready;
pub mod invariants;
pub mod log;
pub mod model;
pub mod pair;
pub mod ramp_up;
pub mod settings;
pub mod steps;
