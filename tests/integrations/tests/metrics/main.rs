//! The integration with the `metrics` facade, against real recorders.
#![allow(missing_docs)]

mod exporters;
mod names;
mod series;
mod support;
