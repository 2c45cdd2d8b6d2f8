//! A fleet under faults, in virtual time.
//!
//! Real registries, breakers and engines run on one paused tokio runtime. The store is the
//! [reference table](breakerbox_fleet::store::Table) behind a simulated network. All random numbers come
//! from one seed, so that a run can be repeated.
//!
//! * [`Plan`]: everything that a run depends on
//! * [`run`], [`simulate`]: run a plan or a scenario
//! * [`Outcome`]: the broken invariants and the figures
//! * [`StoreMutant`]: faults that the invariants must find

mod clock;
mod dependency;
mod directed;
mod fault;
mod invariants;
mod member;
mod mutant;
mod node;
mod pause;
mod plan;
pub mod scenarios;
mod sharing;
mod simulation;
mod store;
pub mod tables;
mod trace;
mod traffic;
mod world;

pub use dependency::{Dependency, Manner, Outage};
pub use fault::Fault;
pub use invariants::{Figures, Reach, Violation};
pub use mutant::Mutant;
pub use plan::{CircuitPlan, Plan, Weather};
pub use sharing::Sharing;
pub use simulation::{Outcome, Simulation, run, simulate};
pub use store::StoreMutant;
pub use world::Counts;
