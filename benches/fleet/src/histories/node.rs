//! [`Node`]: one instance of a service, which may crash and start again.

use super::Tally;
use super::ledger::Ledger;
use super::tap::TapStore;
use breakerbox::{BreakerRegistry, CircuitBreaker, Event, Outcome, State};
use breakerbox_fleet::{Fleet, LinkStatus};
use breakerbox_fleet_simulation::parts::PauseSwitch;
use breakerbox_fleet_simulation::{Dependency, Plan};
use breakerbox_redis::RedisStore;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::task::JoinSet;

/// What all nodes of a history share.
pub(crate) struct Site {
    pub(crate) plan: Plan,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) port: u16,
    pub(crate) namespace: String,
    pub(crate) lies: bool,
}

/// One instance of a service.
pub(crate) struct Node {
    pub(crate) index: usize,
    runs: u32,
    pub(crate) switch: PauseSwitch,
    process: Option<Process>,
}

/// What a crash ends.
struct Process {
    is_alive: Arc<AtomicBool>,
    _registry: BreakerRegistry,
    breakers: Vec<CircuitBreaker>,
    fleet: Arc<Fleet>,
    /// Aborted when dropped.
    engine: JoinSet<()>,
    /// Aborted when dropped.
    traffic: JoinSet<()>,
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

    pub(crate) fn breaker(&self, circuit: usize) -> Option<&CircuitBreaker> {
        self.process.as_ref()?.breakers.get(circuit)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some() && !self.switch.is_paused()
    }

    /// Starts the process, unless it runs already.
    pub(crate) fn start(&mut self, site: &Site) {
        if self.process.is_some() {
            return;
        }
        self.runs += 1;
        let index = self.index;
        site.ledger.note(move |audit, _| audit.started(index));
        let is_alive = Arc::new(AtomicBool::new(true));
        let registry = self.registry(site, &is_alive);
        let plan = &site.plan;
        let url = format!("redis://n{index}:secret@127.0.0.1:{}/", site.port);
        let store = TapStore {
            store: RedisStore::builder(url).build().expect("a valid URL"),
            node: index,
            ledger: Arc::clone(&site.ledger),
            lies: site.lies,
        };
        let seed = plan.seed ^ ((index as u64) << 32) ^ (u64::from(self.runs) << 48);
        let share = plan.share.expect("a policy").share();
        let builder = Fleet::builder(&registry, store)
            .namespace(&site.namespace)
            .node(format!("n{index}"))
            .share(share)
            .seed(seed)
            .mutants(plan.engine_mutants);
        let (fleet, task) = builder.into_task().expect("valid settings");
        let fleet = Arc::new(fleet);
        let (mut engine, mut traffic) = (JoinSet::new(), JoinSet::new());
        engine.spawn(self.switch.run(task));
        let mut breakers = Vec::new();
        for (number, circuit) in plan.circuits.iter().enumerate() {
            let breaker = registry.breaker(&circuit.name);
            breakers.push(breaker.clone());
            let rate = circuit.rates[index];
            if rate == 0.0 {
                continue;
            }
            let caller = Caller {
                node: index,
                name: circuit.name.as_str().into(),
                breaker,
                dependency: Arc::new(circuit.dependency.clone()),
                fleet: Arc::downgrade(&fleet),
                ledger: Arc::clone(&site.ledger),
                tally: Arc::clone(&site.tally),
                switch: self.switch.clone(),
            };
            let rng = fastrand::Rng::with_seed(seed.wrapping_mul(31) ^ number as u64);
            traffic.spawn(self.switch.run(caller.run(rng, rate)));
        }
        self.process = Some(Process {
            is_alive,
            _registry: registry,
            breakers,
            fleet,
            engine,
            traffic,
        });
    }

    fn registry(&self, site: &Site, is_alive: &Arc<AtomicBool>) -> BreakerRegistry {
        let (node, is_alive) = (self.index, Arc::clone(is_alive));
        let ledger = Arc::clone(&site.ledger);
        let mut builder = BreakerRegistry::builder().on_change(move |event| {
            // Ordering: `Relaxed`, because all nodes of a history share one thread.
            if is_alive.load(Ordering::Relaxed) {
                changed(&ledger, node, event);
            }
        });
        for circuit in &site.plan.circuits {
            builder = builder.preset_for(&circuit.name, circuit.preset());
        }
        builder.build().expect("valid settings")
    }

    /// Ends the process without a farewell.
    pub(crate) fn crash(&mut self) {
        if let Some(process) = self.process.take() {
            process.is_alive.store(false, Ordering::Relaxed);
        }
    }

    /// Ends the process with a farewell.
    pub(crate) async fn shut_down(&mut self) {
        let Some(process) = self.process.take() else {
            return;
        };
        let Process {
            is_alive,
            _registry: registry,
            fleet,
            engine,
            traffic,
            ..
        } = process;
        drop(traffic);
        if let Some(fleet) = Arc::into_inner(fleet).filter(|_| !self.switch.is_paused()) {
            fleet.shutdown(Duration::from_secs(1)).await;
        }
        is_alive.store(false, Ordering::Relaxed);
        drop((registry, engine));
    }
}

fn changed(ledger: &Ledger, node: usize, event: &Event) {
    if let Event::StateChanged {
        breaker,
        from,
        to,
        cause,
        ..
    } = event
    {
        let (name, from, to, cause) = (breaker.clone(), *from, *to, cause.clone());
        ledger.note(move |audit, now| audit.changed(now, node, &name, (from, to), &cause));
    }
}

/// The calls of one node through one breaker.
#[derive(Clone)]
struct Caller {
    node: usize,
    name: Arc<str>,
    breaker: CircuitBreaker,
    dependency: Arc<Dependency>,
    fleet: Weak<Fleet>,
    ledger: Arc<Ledger>,
    tally: Arc<Tally>,
    switch: PauseSwitch,
}

impl Caller {
    /// Calls at random times, `rate` times per second.
    async fn run(self, mut rng: fastrand::Rng, rate: f64) {
        let mut calls = JoinSet::new();
        loop {
            let pause = -(1.0 - rng.f64()).ln() / rate;
            tokio::time::sleep(Duration::from_secs_f64(pause)).await;
            while let Some(ended) = calls.try_join_next() {
                if let Err(error) = ended {
                    self.ledger.report("no error in a call", error.to_string());
                }
            }
            let (caller, mut rng) = (self.clone(), rng.fork());
            calls.spawn(self.switch.run(async move { caller.call(&mut rng).await }));
        }
    }

    async fn call(&self, rng: &mut fastrand::Rng) {
        // Nothing else of this history runs between these lines.
        let before = self.breaker.state();
        let permit = match self.breaker.try_acquire() {
            Ok(permit) => permit,
            Err(refused) => {
                if before == State::Closed {
                    let what = format!("n{}: a closed circuit refused: {refused}", self.node);
                    self.ledger.report("no error in a call", what);
                }
                Tally::add(&self.tally.refused);
                return;
            }
        };
        if self.breaker.state() == State::HalfOpen {
            self.tried();
        }
        let (time, outcome) = self.dependency.answer(self.node, self.ledger.now(), rng);
        tokio::time::sleep(time).await;
        match outcome {
            Outcome::Success => Tally::add(&self.tally.ok),
            _ => Tally::add(&self.tally.failed),
        }
        permit.record(outcome);
    }

    /// Tells the checker of a trial.
    fn tried(&self) {
        let fleet = self.fleet.upgrade();
        let linked = fleet.and_then(|fleet| match fleet.status().link {
            LinkStatus::Connected { since, .. } => Some(since),
            _ => None,
        });
        let (node, name) = (self.node, Arc::clone(&self.name));
        self.ledger
            .note(move |audit, now| audit.trial_started(now, node, &name, linked));
    }
}
