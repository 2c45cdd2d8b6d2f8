pub(crate) use breakerbox::clock::ManualClock;
pub(crate) use breakerbox::fleet::{CauseKind, Change, Mark, NotApplied, Order, Port, View};
pub(crate) use breakerbox::prelude::*;
pub(crate) use breakerbox::{Cause, Outcome};
pub(crate) use std::sync::{Arc, Mutex};
pub(crate) use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// The recovery timeout of the breakers.
pub(crate) const RECOVERY: Duration = Duration::from_secs(30);
pub(crate) const NAME: &str = "users";

/// A registry with a port, and one breaker.
pub(crate) struct Fixture {
    pub(crate) clock: ManualClock,
    pub(crate) registry: BreakerRegistry,
    pub(crate) breaker: CircuitBreaker,
    pub(crate) port: Port,
    pub(crate) told: Arc<Mutex<Vec<Change>>>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(CircuitBreaker::builder())
    }

    pub(crate) fn with(settings: BreakerBuilder) -> Self {
        let clock = ManualClock::new();
        let registry = BreakerRegistry::builder()
            .default_preset(settings)
            .clock(clock.clone())
            .build()
            .unwrap();
        let told = Arc::<Mutex<Vec<Change>>>::default();
        let log = told.clone();
        let port = Port::attach(&registry, move |change| {
            log.lock().unwrap().push(change.clone());
        });
        let breaker = registry.breaker(NAME);
        let fixture = Self {
            clock,
            registry,
            breaker,
            port,
            told,
        };
        fixture.told();
        fixture
    }

    /// Returns the changes that were reported since the last call, in a short form.
    pub(crate) fn told(&self) -> Vec<String> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        told.iter().map(short).collect()
    }

    pub(crate) fn view(&self) -> View {
        self.port.view(NAME).unwrap()
    }

    /// Gives an order to the circuit as it is now.
    pub(crate) fn order(&self, order: Order) -> Result<Mark, NotApplied> {
        self.port
            .apply(NAME, self.view().mark, order, fleet_cause())
    }
}

pub(crate) fn fleet_cause() -> Cause {
    Cause::fleet("web-7", CauseKind::FailureRate)
}

/// Returns a change in a short form.
pub(crate) fn short(change: &Change) -> String {
    let name = change.breaker();
    match change {
        Change::Added { .. } => format!("{name} added"),
        Change::Removed { .. } => format!("{name} removed"),
        Change::Transition { from, to, .. } => format!("{name} {from} to {to}"),
        Change::Deadline { .. } => format!("{name} deadline"),
        Change::Share { .. } => format!("{name} share"),
        other => unreachable!("{other:?}"),
    }
}

pub(crate) fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

pub(crate) fn succeed(breaker: &CircuitBreaker) {
    breaker.call(|| Ok::<_, ()>(())).unwrap();
}
