//! [`Caller`]: the calls of one node through one breaker.

use crate::dependency::Dependency;
use crate::member::Member;
use crate::pause::PauseSwitch;
use crate::world::World;
use breakerbox::{CircuitBreaker, Outcome, Permit, State};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::task::JoinSet;

/// The longest wait of a caller for an admission, and the most callers that wait at once.
const WAIT: Duration = Duration::from_secs(10);
const MAX_WAITING: usize = 3;

/// How the calls of a node ended.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) ok: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) refused: AtomicU64,
}

// Ordering: `Relaxed` everywhere, because the simulation has one thread.
fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The calls of one node through one breaker.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) world: Arc<World>,
    pub(crate) node: usize,
    pub(crate) name: Arc<str>,
    pub(crate) breaker: CircuitBreaker,
    pub(crate) dependency: Arc<Dependency>,
    pub(crate) member: Option<Weak<Member>>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) switch: PauseSwitch,
}

impl Caller {
    /// Calls at random times, `rate` times per second.
    pub(crate) async fn run(self, mut rng: fastrand::Rng, rate: f64, waiting: f64) {
        let mut calls = JoinSet::new();
        // Each waiting caller has a clone.
        let ticket = Arc::new(());
        loop {
            let pause = -(1.0 - rng.f64()).ln() / rate;
            tokio::time::sleep(Duration::from_secs_f64(pause)).await;
            while calls.try_join_next().is_some() {}
            let waits = rng.f64() < waiting && Arc::strong_count(&ticket) <= MAX_WAITING;
            let mut call_rng = fastrand::Rng::with_seed(rng.u64(..));
            if waits {
                let (caller, ticket) = (self.clone(), Arc::clone(&ticket));
                let call = async move { caller.call_when_admitted(ticket, &mut call_rng).await };
                calls.spawn(self.switch.run(call));
            } else if let Some(permit) = self.admit() {
                let caller = self.clone();
                let call = async move { caller.finish(permit, &mut call_rng).await };
                calls.spawn(self.switch.run(call));
            }
        }
    }

    fn admit(&self) -> Option<Permit> {
        let Ok(permit) = self.breaker.try_acquire() else {
            add(&self.tally.refused);
            return None;
        };
        self.admitted();
        Some(permit)
    }

    /// Tells the checker if the admitted call is a trial.
    fn admitted(&self) {
        if self.breaker.state() != State::HalfOpen {
            return;
        }
        let member = self.member.as_ref().and_then(Weak::upgrade);
        let linked = member.and_then(|member| member.linked());
        self.world.change(|state, now| {
            let (node, name) = (self.node, &self.name);
            state.trace.line(now, format_args!("n{node} {name} trial"));
            state.audit.trial_started(now, node, name, linked);
        });
    }

    async fn call_when_admitted(self, ticket: Arc<()>, rng: &mut fastrand::Rng) {
        let permit = tokio::time::timeout(WAIT, self.breaker.until_ready()).await;
        drop(ticket);
        match permit {
            Ok(permit) => {
                self.admitted();
                self.finish(permit, rng).await;
            }
            Err(_) => add(&self.tally.refused),
        }
    }

    async fn finish(self, permit: Permit, rng: &mut fastrand::Rng) {
        let (time, outcome) = self.dependency.answer(self.node, self.world.now(), rng);
        tokio::time::sleep(time).await;
        match outcome {
            Outcome::Success => add(&self.tally.ok),
            _ => add(&self.tally.failed),
        }
        permit.record(outcome);
    }
}
