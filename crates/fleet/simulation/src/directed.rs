//! What a scenario does with a [`Simulation`], and what it expects.

use crate::invariants::commands;
use crate::simulation::Simulation;
use crate::store::StoreMutant;
use crate::world::Counts;
use breakerbox::{BreakerRegistry, CircuitBreaker, Outcome, Permit, State};
use breakerbox_fleet::protocol::{Phase, Record, Verb, Version};
use breakerbox_fleet::{CommandError, FleetStatus};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

impl Simulation {
    /// Returns the name of the first circuit.
    fn name(&self) -> String {
        self.plan.circuits[0].name.clone()
    }

    /// Returns the breaker of the first circuit at a node that runs.
    ///
    /// # Panics
    ///
    /// Panics if the node does not run.
    pub fn breaker(&self, node: usize) -> CircuitBreaker {
        self.registry(node).breaker(self.name())
    }

    /// Returns the registry of a node that runs.
    ///
    /// # Panics
    ///
    /// Panics if the node does not run.
    pub fn registry(&self, node: usize) -> &BreakerRegistry {
        self.nodes[node].registry().expect("the node runs")
    }

    /// Returns what the engine of a node says of itself.
    ///
    /// # Panics
    ///
    /// Panics if the node does not run.
    pub fn status(&self, node: usize) -> FleetStatus {
        self.nodes[node].member().expect("the node runs").status()
    }

    /// Returns the state of the first circuit at a node.
    pub fn state(&self, node: usize) -> State {
        self.breaker(node).state()
    }

    /// Returns `true` if the first circuit has the state at all nodes.
    pub fn all_are(&self, state: State) -> bool {
        (0..self.nodes.len()).all(|node| self.state(node) == state)
    }

    /// Asks for an admission. The checker learns of trials.
    pub fn admit(&self, node: usize) -> Option<Permit> {
        let breaker = self.breaker(node);
        let permit = breaker.try_acquire().ok()?;
        if breaker.state() == State::HalfOpen {
            let linked = self.nodes[node].member().and_then(|member| member.linked());
            let name = self.name();
            self.world.change(|state, now| {
                state.trace.line(now, format_args!("n{node} {name} trial"));
                state.audit.trial_started(now, node, &name, linked);
            });
        }
        Some(permit)
    }

    /// Makes a call that ends at once. Returns `false` if it was refused.
    pub fn call(&self, node: usize, outcome: Outcome) -> bool {
        let permit = self.admit(node);
        let is_admitted = permit.is_some();
        if let Some(permit) = permit {
            permit.record(outcome);
        }
        is_admitted
    }

    /// Fails calls until the circuit is open.
    pub fn trip(&self, node: usize) {
        for _ in 0..self.plan.circuits[0].failures {
            self.call(node, Outcome::Failure);
        }
    }

    /// Makes a call every 10 ms until one was a trial with the given outcome, at most `longest`.
    pub async fn try_until_admitted(
        &self,
        node: usize,
        outcome: Outcome,
        longest: Duration,
    ) -> bool {
        let end = self.now() + longest;
        while self.now() < end {
            if self.call(node, outcome) {
                return true;
            }
            self.run_ms(10).await;
        }
        false
    }

    /// Gives a command of an operator at a node. Returns a future that waits for the answer.
    ///
    /// # Errors
    ///
    /// The future returns an error if the store does not accept the command.
    ///
    /// # Panics
    ///
    /// Panics if the node does not run.
    pub fn giving(
        &self,
        node: usize,
        pattern: &str,
        verb: Verb,
        seconds: u32,
    ) -> impl Future<Output = Result<(), CommandError>> + Send + 'static {
        let member = self.nodes[node].member().expect("the node runs");
        let given = tokio::spawn(member.command(pattern, verb, seconds));
        async move { given.await.expect("commands do not panic") }
    }

    /// Gives a command of an operator, which the store accepts.
    pub async fn give(&self, node: usize, pattern: &str, verb: Verb, seconds: u32) {
        let given = self.giving(node, pattern, verb, seconds).await;
        self.expect(given.is_ok(), "the store accepts the command");
    }

    /// Closes circuits of the fleet at a node. Returns a future that checks the answer, or `None` if the
    /// node does not run.
    pub(crate) fn closing(
        &self,
        node: usize,
        pattern: &str,
    ) -> Option<impl Future<Output = Result<usize, CommandError>> + Send + use<>> {
        let closing = self.nodes[node].member()?.close(pattern);
        let world = Arc::clone(&self.world);
        let (begun, open) = world.change(|state, now| (now, state.audit.open_records(pattern)));
        Some(async move {
            let closed = closing.await;
            if closed.is_ok() {
                world.change(|state, now| {
                    commands::has_closed(&mut state.audit, now, begun, &open);
                });
            }
            closed
        })
    }

    /// Closes circuits of the fleet at a node. Returns how many the store has closed.
    ///
    /// # Panics
    ///
    /// Panics if the node does not run.
    pub async fn close(&self, node: usize, pattern: &str) -> usize {
        let closed = self.closing(node, pattern).expect("the node runs").await;
        self.expect(closed.is_ok(), "the store closes the circuits");
        closed.unwrap_or_default()
    }

    /// Returns the record of the first circuit.
    pub fn record(&self) -> Record {
        self.checker_record(&self.name()).0
    }

    /// Returns the phase of the first circuit, and what is left of it.
    pub fn phase(&self) -> (Phase, Duration) {
        let (record, left) = self.checker_record(&self.name());
        (record.phase, left)
    }

    /// Returns the number of records in the store.
    pub fn records(&self) -> usize {
        self.world
            .change(|state, _| state.store.table.records().count())
    }

    /// Writes a record as another program could.
    pub fn put(&self, change: impl FnOnce(&mut Record, Duration)) {
        let name = self.name();
        let (mut record, _) = self.checker_record(&name);
        self.world.change(|state, now| {
            let store_now = state.store.now(now);
            if record.version == Version(0) {
                record.version = Version(store_now.0);
            }
            change(&mut record, Duration::from_micros(store_now.0));
            let text = record.to_string();
            state.store.table.put(&name, &text, record.version);
        });
    }

    /// Replaces the store by one with a fault, as the environment of a scenario.
    pub fn set_store(&self, mutant: Option<StoreMutant>) {
        self.world.change(|state, _| {
            if state.store.mutant.is_none() {
                state.store.mutant = mutant;
            }
        });
    }

    /// Returns what the store was asked to do.
    pub fn counts(&self) -> Counts {
        self.world.change(|state, _| state.counts)
    }

    /// Reports a broken expectation.
    pub fn expect(&self, is_true: bool, what: &str) {
        if !is_true {
            self.report("expected", what.to_owned());
        }
    }
}
