//! Directed scenarios: each shows one decision of the protocol.
//!
//! A scenario runs with any seed, and with or without a [`Mutant`]. Without one, it breaks no
//! invariant and no expectation.

mod commands;
mod leases;
mod lost_stores;
mod votes;
mod stale;
mod idle;
mod openings;

pub use commands::*;
pub use idle::*;
pub use leases::*;
pub use lost_stores::*;
pub use openings::*;
pub use stale::*;
pub use votes::*;

use crate::mutant::Mutant;
use crate::plan::Plan;
use crate::sharing::Sharing;
use crate::simulation::{Outcome, Simulation, simulate};
use std::time::Duration;

/// The seed and the fault of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// The seed.
    pub seed: u64,
    /// The fault, if there is one.
    pub mutant: Option<Mutant>,
    /// Whether a trace is kept.
    pub is_traced: bool,
}

impl Setup {
    /// A plan of nodes without calls.
    fn quiet(self, nodes: usize, share: Sharing) -> Plan {
        let mut plan = Plan::quiet(self.seed, nodes, 0);
        plan.share = Some(share);
        plan.circuits[0].rates = vec![0.0; nodes];
        plan.is_traced = self.is_traced;
        match self.mutant {
            Some(mutant) => mutant.apply(plan),
            None => plan,
        }
    }

    fn run(plan: &Plan, scenario: impl AsyncFnOnce(&mut Simulation)) -> Outcome {
        simulate(plan, async |fleet: &mut Simulation| {
            // All nodes are connected.
            fleet.run_ms(500).await;
            scenario(fleet).await;
        })
    }
}

const SECOND: Duration = Duration::from_secs(1);
