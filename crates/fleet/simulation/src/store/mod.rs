//! The simulated store: a [`Table`](breakerbox_fleet::store::Table) behind a network with faults.

mod client;
mod mutant;
mod primary;

pub(crate) use client::SimStore;
pub use mutant::StoreMutant;
pub(crate) use primary::Condition;
pub use primary::{Applied, Primary};
