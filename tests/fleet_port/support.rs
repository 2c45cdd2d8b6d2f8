pub use breakerbox::clock::ManualClock;
pub use breakerbox::fleet::{Change, Mark, NotApplied, Order, Port, View, Why};
pub use breakerbox::prelude::*;
pub use breakerbox::{Cause, Outcome};
pub use std::sync::{Arc, Mutex};
pub use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);
/// The recovery timeout of the breakers.
pub const RECOVERY: Duration = Duration::from_secs(30);
pub const NAME: &str = "users";

/// A registry with a port, and one breaker.
pub struct Fixture {
    pub clock: ManualClock,
    pub registry: BreakerRegistry,
    pub breaker: CircuitBreaker,
    pub port: Port,
    pub told: Arc<Mutex<Vec<Change>>>,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with(CircuitBreaker::builder())
    }

    pub fn with(settings: BreakerBuilder) -> Self {
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
    pub fn told(&self) -> Vec<String> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        told.iter().map(short).collect()
    }

    pub fn view(&self) -> View {
        self.port.view(NAME).unwrap()
    }

    /// Gives an order to the circuit as it is now.
    pub fn order(&self, order: Order) -> Result<Mark, NotApplied> {
        self.port
            .apply(NAME, self.view().mark, order, fleet_cause())
    }
}

pub fn fleet_cause() -> Cause {
    Cause::fleet("web-7", Why::FailureRate)
}

/// Returns a change in a short form.
pub fn short(change: &Change) -> String {
    let name = change.breaker();
    match change {
        Change::Added { .. } => format!("{name} added"),
        Change::Removed { .. } => format!("{name} removed"),
        Change::Transition { from, to, .. } => format!("{name} {from} to {to}"),
        Change::Deadline { .. } => format!("{name} deadline"),
        other => unreachable!("{other:?}"),
    }
}

pub fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

pub fn succeed(breaker: &CircuitBreaker) {
    breaker.call(|| Ok::<_, ()>(())).unwrap();
}
