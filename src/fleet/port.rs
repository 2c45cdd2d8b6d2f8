use crate::circuit::{Mark, NotApplied, Order, View};
use crate::event::{Cause, Change, Observer};
use crate::registry::{BreakerRegistry, Inner};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The access of a fleet to the breakers of one registry.
///
/// A port does not keep its registry alive. After the registry is dropped, the port reports nothing,
/// knows no names, and applies no orders. Dropping the port detaches it.
///
/// No method creates a breaker, or counts as a use of one. A port holds no handle, so idle breakers
/// are evicted as they are without the port.
///
/// # Examples
///
/// ```
/// use breakerbox::BreakerRegistry;
/// use breakerbox::fleet::Port;
///
/// let registry = BreakerRegistry::new();
/// let port = Port::attach(&registry, |change| println!("{change:?}"));
/// registry.breaker("users-api");
/// assert_eq!(port.names().len(), 1);
/// drop(registry);
/// assert!(port.view("users-api").is_none());
/// ```
#[must_use = "dropping the port detaches it"]
pub struct Port {
    registry: Weak<Inner>,
    /// Held for its drop: the registry has only a weak reference.
    _observer: Arc<Observer>,
}

// The shared state is consistent whenever a lock is released, and panics of `told` are caught. The
// compiler cannot derive this, because the state contains closures.
impl UnwindSafe for Port {}
impl RefUnwindSafe for Port {}

impl Port {
    /// Attaches a port to `registry`. `told` receives each change from now on, until the port or
    /// the registry is dropped.
    ///
    /// Call [`names`](Self::names) afterwards for the breakers that exist already. Together, these
    /// calls miss no change.
    ///
    /// `told` runs without any lock of the registry or of a circuit. It runs on the thread that
    /// makes the change, or on a thread that is reporting an earlier change of the same breaker.
    /// This thread may be in the middle of a call, so `told` must not block; it notes the name and
    /// wakes a task. Transitions, deadlines and settings of one breaker arrive in their order. Creation and
    /// removal have no order with them, nor with each other if threads race.
    ///
    /// Changes that the port itself [applies](Self::apply) are reported, too. Changes of a breaker
    /// that was removed, or that the registry does not keep, are not reported.
    ///
    /// `told` may call the port and the registry. It should change no circuit: changes that `told`
    /// makes are reported at most four levels deep. A panic of `told` is caught, and sent as
    /// [`Event::ListenerPanicked`](crate::Event::ListenerPanicked). After the port was dropped,
    /// a call of `told` on another thread may still end.
    pub fn attach(
        registry: &BreakerRegistry,
        told: impl Fn(&Change) + Send + Sync + 'static,
    ) -> Self {
        let observer = Arc::new(Observer::new(told));
        let inner = registry.inner();
        inner.observe(&observer);
        Self {
            registry: Arc::downgrade(inner),
            _observer: observer,
        }
    }

    /// Returns `true` if no other port is attached to the registry.
    ///
    /// Two fleets of one registry would undo each other's orders, so a fleet does not start while
    /// another one runs. If two ports are attached at the same time, both may find the other.
    pub fn is_only(&self) -> bool {
        let registry = self.registry.upgrade();
        registry.is_none_or(|registry| registry.observers() <= 1)
    }

    /// Returns what the breaker called `name` is like now, or `None` if the registry has no such
    /// breaker or was dropped.
    pub fn view(&self, name: &str) -> Option<View> {
        let circuit = self.registry.upgrade()?.circuit(name)?;
        Some(circuit.view())
    }

    /// Gives an order to the breaker called `name`, if it still has this [mark](View::mark). Returns
    /// its new mark.
    ///
    /// The comparison and the change are one atomic step. `cause` becomes the cause of the new
    /// state; see [`Cause::fleet`]. [`Order::Extend`] keeps the cause. The method works on each
    /// order alike, whatever the cause.
    ///
    /// A metrics-only circuit rejects every order. For [`Order::OpenFor`], it counts the order and
    /// sends [`Event::WouldTrip`](crate::Event::WouldTrip).
    ///
    /// # Errors
    ///
    /// * [`NotApplied::Unknown`] if the registry has no such breaker or was dropped
    /// * [`NotApplied::Changed`] if the breaker has another mark
    /// * [`NotApplied::Rejected`] if the state takes no such [order](Order)
    ///
    /// Nothing has changed then.
    pub fn apply(
        &self,
        name: &str,
        mark: Mark,
        order: Order,
        cause: Cause,
    ) -> Result<Mark, NotApplied> {
        let registry = self.registry.upgrade();
        let circuit = registry.and_then(|registry| registry.circuit(name));
        let circuit = circuit.ok_or(NotApplied::Unknown)?;
        circuit.apply(mark, order, cause)
    }

    /// Returns the names of all breakers of the registry, in no particular order.
    ///
    /// A breaker that is added or removed meanwhile may be missing or included.
    pub fn names(&self) -> Vec<Arc<str>> {
        let registry = self.registry.upgrade();
        registry.map_or_else(Vec::new, |registry| registry.names())
    }

    /// Returns the time of the [clock](crate::RegistryBuilder::clock) of the registry, since the
    /// origin of the clock. Returns `None` if the registry was dropped.
    ///
    /// A fleet takes its timers from this clock, so that they agree with the deadlines of circuits.
    pub fn now(&self) -> Option<Duration> {
        let registry = self.registry.upgrade()?;
        Some(Duration::from_nanos(registry.clock.now().as_nanos()))
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("attached", &(self.registry.strong_count() > 0))
            .finish_non_exhaustive()
    }
}
