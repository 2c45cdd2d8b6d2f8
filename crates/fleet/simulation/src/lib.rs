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
//! * [`parts`]: the parts that histories against a real store use as well

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

/// The parts that histories against a real store use as well.
pub mod parts {
    pub use crate::invariants::Audit;
    pub use crate::invariants::agreement::{Observed, disagreement};
    pub use crate::pause::{Pausable, PauseSwitch};
    pub use crate::store::{Applied, Primary};
}

pub use dependency::{Dependency, Manner, Outage};
pub use fault::Fault;
pub use invariants::{Figures, Reach, Violation};
pub use mutant::Mutant;
pub use plan::{CircuitPlan, Plan, Weather};
pub use sharing::Sharing;
pub use simulation::{Outcome, Simulation, run, simulate};
pub use store::StoreMutant;
pub use world::Counts;
