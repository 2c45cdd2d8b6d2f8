//! The integration with the `metrics` facade, against real recorders.
#![cfg(all(feature = "metrics", not(loom)))]
#![allow(missing_docs)]

mod exporters;
mod figures;
mod names;
mod support;
