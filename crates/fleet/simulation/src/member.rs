//! [`Member`]: the engine of one node.

use crate::pause::PauseSwitch;
use crate::plan::Plan;
use crate::store::SimStore;
use breakerbox::BreakerRegistry;
use breakerbox_fleet::protocol::Verb;
use breakerbox_fleet::{CommandError, Fleet, FleetStatus, LinkStatus};
use std::future::{Future, IntoFuture};
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

    /// Returns a command of an operator, which is given when it is awaited.
    pub(crate) fn command(
        &self,
        pattern: &str,
        verb: Verb,
        seconds: u32,
    ) -> impl Future<Output = Result<(), CommandError>> + Send + 'static {
        let (circuits, time) = (
            self.fleet.command(pattern),
            Duration::from_secs(seconds.into()),
        );
        let command = match verb {
            Verb::ForceOpen => circuits.force_open_for(time),
            Verb::Disable => circuits.disable_for(time),
            _ => circuits.release(),
        };
        command.because("a fault of the plan").into_future()
    }

    /// Returns a command that closes circuits, which is given when it is awaited.
    pub(crate) fn close(
        &self,
        pattern: &str,
    ) -> impl Future<Output = Result<usize, CommandError>> + Send + use<> {
        let circuits = self.fleet.command(pattern);
        circuits
            .close()
            .because("a fault of the plan")
            .into_future()
    }

    pub(crate) fn status(&self) -> FleetStatus {
        self.fleet.status()
    }

    /// Ends the engine with a farewell.
    pub(crate) async fn shut_down(self) {
        self.fleet.shutdown(Duration::from_secs(1)).await;
    }
}
