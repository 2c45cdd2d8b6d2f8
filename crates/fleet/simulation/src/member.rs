//! [`Member`]: the engine of one node.

use crate::pause::PauseSwitch;
use crate::plan::Plan;
use crate::store::SimStore;
use breakerbox::BreakerRegistry;
use breakerbox_fleet::{Fleet, FleetStatus, LinkStatus};
use std::sync::Arc;
use std::time::Duration;

/// The engine of one node, in one of its runs.
#[derive(Debug)]
pub(crate) struct Member {
    fleet: Fleet,
}

impl Member {
    /// Starts the engine, whose tasks stop while the switch is paused.
    pub(crate) fn start(
        plan: &Plan,
        registry: &BreakerRegistry,
        store: SimStore,
        switch: &PauseSwitch,
    ) -> Option<Self> {
        let share = plan.share?.share();
        let (world, node, run) = (Arc::clone(&store.world), store.node, store.run);
        let builder = Fleet::builder(registry, store)
            .node(if plan.one_label {
                "n".to_owned()
            } else {
                format!("n{node}")
            })
            .max_open(plan.max_open)
            .share(share)
            .seed(plan.seed ^ ((node as u64) << 32) ^ (u64::from(run) << 48))
            .mutants(plan.engine_mutants)
            .on_event(move |event| world.note(format_args!("n{node} * {event}")));
        let (fleet, task) = builder.into_task().expect("valid settings");
        tokio::spawn(switch.run(task));
        Some(Self { fleet })
    }

    /// Returns how long the node has been connected, by its own account.
    pub(crate) fn linked(&self) -> Option<Duration> {
        match self.status().link {
            LinkStatus::Connected { since, .. } => Some(since),
            _ => None,
        }
    }

    pub(crate) fn status(&self) -> FleetStatus {
        self.fleet.status()
    }

    /// Ends the engine with a farewell.
    pub(crate) async fn shut_down(self) {
        self.fleet.shutdown(Duration::from_secs(1)).await;
    }
}
