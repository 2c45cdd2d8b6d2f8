//! [`Node`]: one instance of a service: a registry, its breakers, its calls and its engine.

use crate::clock::VirtualClock;
use crate::member::Member;
use crate::pause::PauseSwitch;
use crate::plan::Plan;
use crate::store::SimStore;
use crate::traffic::{Caller, Tally};
use crate::world::World;
use breakerbox::{BreakerRegistry, CircuitBreaker, Event, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// One instance of a service, which may crash and start again.
pub(crate) struct Node {
    index: usize,
    runs: u32,
    pub(crate) switch: PauseSwitch,
    process: Option<Process>,
}

/// What a crash ends.
struct Process {
    /// Cleared by the crash, so that nothing is heard of the process while it is dropped.
    is_alive: Arc<AtomicBool>,
    registry: BreakerRegistry,
    breakers: Vec<CircuitBreaker>,
    member: Option<Arc<Member>>,
    /// Aborted when dropped.
    _traffic: JoinSet<()>,
}

impl Node {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            runs: 0,
            switch: PauseSwitch::default(),
            process: None,
        }
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some() && !self.switch.is_paused()
    }

    pub(crate) fn breaker(&self, circuit: usize) -> Option<&CircuitBreaker> {
        self.process.as_ref()?.breakers.get(circuit)
    }

    pub(crate) fn registry(&self) -> Option<&BreakerRegistry> {
        self.process.as_ref().map(|process| &process.registry)
    }

    pub(crate) fn member(&self) -> Option<&Arc<Member>> {
        self.process.as_ref()?.member.as_ref()
    }

    /// Starts the process, unless it runs already.
    pub(crate) fn start(
        &mut self,
        plan: &Plan,
        start: Instant,
        world: &Arc<World>,
        tally: &Arc<Tally>,
    ) {
        if self.process.is_some() {
            return;
        }
        self.runs += 1;
        world.change(|state, _| state.audit.started(self.index));
        let is_alive = Arc::new(AtomicBool::new(true));
        let registry = self.registry_of(plan, start, world, &is_alive);
        let store = SimStore {
            world: Arc::clone(world),
            node: self.index,
            run: self.runs,
        };
        let names = plan.circuits.iter().map(|circuit| &circuit.name);
        let names = names.filter(|_| plan.has_breakers);
        let breakers: Vec<_> = names.map(|name| registry.breaker(name)).collect();
        let member = Member::start(plan, &registry, store, &self.switch).map(Arc::new);
        let mut traffic = JoinSet::new();
        for (index, circuit) in plan.circuits.iter().enumerate() {
            let (rate, waiting) = (circuit.rates[self.index], circuit.waiting);
            if rate == 0.0 {
                continue;
            }
            let caller = Caller {
                world: Arc::clone(world),
                node: self.index,
                name: circuit.name.as_str().into(),
                breaker: registry.breaker(&circuit.name),
                dependency: Arc::new(circuit.dependency.clone()),
                member: member.as_ref().map(Arc::downgrade),
                tally: Arc::clone(tally),
                switch: self.switch.clone(),
            };
            let number = (self.index * 100 + index) as u64 + u64::from(self.runs) * 10_000;
            let rng = fastrand::Rng::with_seed(plan.seed.wrapping_mul(31) ^ number);
            traffic.spawn(self.switch.run(caller.run(rng, rate, waiting)));
        }
        self.process = Some(Process {
            is_alive,
            registry,
            breakers,
            member,
            _traffic: traffic,
        });
    }

    fn registry_of(
        &self,
        plan: &Plan,
        start: Instant,
        world: &Arc<World>,
        is_alive: &Arc<AtomicBool>,
    ) -> BreakerRegistry {
        let (node, world, is_alive) = (self.index, Arc::clone(world), Arc::clone(is_alive));
        let mut builder = BreakerRegistry::builder()
            .clock(VirtualClock::starting_at(start))
            .capacity(20_000)
            .on_change(move |event| {
                // Ordering: `Relaxed`, because the simulation has one thread.
                if is_alive.load(Ordering::Relaxed) {
                    changed(&world, node, event);
                }
            });
        for circuit in &plan.circuits {
            builder = builder.preset_for(&circuit.name, circuit.preset());
        }
        builder.build().expect("valid settings")
    }

    /// Ends the process without a farewell.
    pub(crate) fn crash(&mut self, world: &World) {
        let (index, run) = (self.index, self.runs);
        if let Some(process) = self.process.take() {
            process.is_alive.store(false, Ordering::Relaxed);
            world.change(|state, _| state.end_run(index, run));
            drop(process);
        }
    }

    /// Ends the process with a farewell.
    pub(crate) async fn shut_down(&mut self, world: &World) {
        if let Some(process) = &mut self.process {
            if let Some(member) = process.member.take().and_then(Arc::into_inner) {
                member.shut_down().await;
            }
        }
        self.crash(world);
    }
}

fn changed(world: &World, node: usize, event: &Event) {
    if let Event::StateChanged {
        breaker,
        from,
        to,
        cause,
        ..
    } = event
    {
        world.change(|state, now| {
            state.trace.line(
                now,
                format_args!("n{node} {breaker} {from} -> {to}: {}", short(cause)),
            );
            state.audit.changed(now, node, breaker, (*from, *to), cause);
        });
    }
}

/// A cause without the number of a process.
fn short(cause: &breakerbox::Cause) -> String {
    let text = cause.to_string();
    match cause {
        breakerbox::Cause::Fleet { node, why, .. } => {
            let node = node.split('-').next().unwrap_or_default();
            format!("the fleet, {node}, {why}")
        }
        _ => text,
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let states = |process: &Process| -> Vec<State> {
            process.breakers.iter().map(CircuitBreaker::state).collect()
        };
        f.debug_struct("Node")
            .field("index", &self.index)
            .field("states", &self.process.as_ref().map(states))
            .finish_non_exhaustive()
    }
}
