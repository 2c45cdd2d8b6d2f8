//! The port of a fleet.
#![cfg(all(feature = "fleet", not(any(loom, shuttle, tsan))))]
#![allow(missing_docs)]

mod causes;
mod changes;
mod deadlines;
mod marks;
mod orders;
mod registries;
mod shares;
mod support;
mod views;
