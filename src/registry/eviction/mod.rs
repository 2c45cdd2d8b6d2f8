//! Who may go when a registry is full, or when a name was idle for long.
//!
//! Breakers that were created by use stand in three queues by how much they are worth: *clean*
//! (closed, no failure), *failing*, and *protected* (open with time to wait, forced open, held by
//! somebody). The oldest goes first, with a second chance for those that were used meanwhile.
//!
//! Nobody tells the queues that a breaker changed: an entry is moved when somebody comes by. Each
//! move is paid by the change that made it necessary, so that a miss pays for a few steps however
//! many names there are; [`STEPS`] bounds even the worst one.
//!
//! The [`Population`] stands under one lock. Whatever may run user code happens outside: clocks are
//! read by [`Suspect::judge`] between two takings of the lock, and breakers that leave are carried
//! out in [`Leavers`].

#[cfg(feature = "serde")]
mod bulk;
mod tenant;

use super::Shared;
use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::clock::Moment;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
pub(super) use tenant::Suspect;
use tenant::{Class, Tenant};

/// The most entries of one queue that a miss looks at in one go.
const STEPS: usize = 128;
/// Protected breakers that a miss judges anew.
const SUSPECTS: usize = 8;
/// Entries of one queue that a miss looks at to find idle ones, or ones that left.
const TIDY: usize = 2;

/// The names created by use, in the order in which they may go.
#[derive(Debug, Default)]
pub(super) struct Population {
    clean: VecDeque<Tenant>,
    failing: VecDeque<Tenant>,
    protected: VecDeque<Tenant>,
    /// Breakers in the map, whoever made them.
    pub(super) kept: usize,
}

/// What is to be dropped, and told, outside the lock.
#[derive(Default)]
pub(super) struct Leavers {
    pub(super) evicted: Vec<CircuitBreaker>,
    dead: Vec<Arc<Circuit>>,
}

/// What a look at an entry led to.
enum Look {
    Evicted,
    /// It left long ago, or it is to stay for ever: the entry is gone.
    Dropped,
    Moved,
    /// It was used, and stands at the back again.
    Used,
    /// It is not idle for long enough, and stands at the front again.
    TooEarly,
}

/// Which entries an evictor takes.
#[derive(Clone, Copy)]
enum Wanted {
    Idle,
    Any,
    IdleFor(Duration),
}

impl Population {
    /// A breaker created by use is in the map now.
    pub(super) fn welcome(&mut self, breaker: &CircuitBreaker, now: Moment) {
        // Nearly all are here: an eighth of them is spare room enough, and twice as much no small price.
        if self.clean.len() == self.clean.capacity() {
            self.clean.reserve_exact(self.clean.len() / 8 + 8);
        }
        self.clean.push_back(Tenant {
            circuit: Arc::downgrade(&breaker.circuit),
            seen: now,
            cleared: 0,
        });
    }

    /// Some protected breakers, to be judged outside the lock.
    pub(super) fn suspects(&mut self) -> Vec<Suspect> {
        self.first_suspects(SUSPECTS)
    }

    fn first_suspects(&mut self, most: usize) -> Vec<Suspect> {
        let some = self.protected.len().min(most);
        self.protected
            .drain(..some)
            .map(|tenant| Suspect(tenant, Class::Protected))
            .collect()
    }

    pub(super) fn take_back(&mut self, judged: Vec<Suspect>) {
        for Suspect(tenant, class) in judged {
            self.queue(class).push_back(tenant);
        }
    }

    /// Lets one breaker go. False when nothing was found that may.
    pub(super) fn make_room(
        &mut self,
        shared: &Shared,
        now: Moment,
        leavers: &mut Leavers,
    ) -> bool {
        let passes = [Wanted::Idle, Wanted::Any];
        passes.into_iter().any(|wanted| {
            [Class::Clean, Class::Failing].into_iter().any(|class| {
                let evicted = |look| matches!(look, Some(Look::Evicted));
                (0..STEPS.min(self.queue(class).len()))
                    .any(|_| evicted(self.look(class, wanted, shared, now, leavers)))
            })
        })
    }

    /// Lets a few of those go that were idle for so long.
    pub(super) fn sweep(
        &mut self,
        idle: Duration,
        shared: &Shared,
        now: Moment,
        leavers: &mut Leavers,
    ) {
        for class in [Class::Clean, Class::Failing] {
            for _ in 0..TIDY {
                let look = self.look(class, Wanted::IdleFor(idle), shared, now, leavers);
                if matches!(look, None | Some(Look::TooEarly)) {
                    break;
                }
            }
        }
    }

    /// Drops a few entries of breakers that were removed by name, once there may be more of them
    /// than of others; so the queues stay within twice the population.
    pub(super) fn tidy(&mut self) {
        if self.queued() <= 2 * self.kept + 64 {
            return;
        }
        for class in [Class::Clean, Class::Failing, Class::Protected] {
            for _ in 0..TIDY {
                let queue = self.queue(class);
                let Some(tenant) = queue.pop_front() else {
                    break;
                };
                // No upgrade: the breaker could be dropped here by the last who holds it.
                if tenant.circuit.strong_count() > 0 {
                    queue.push_back(tenant);
                }
            }
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.clean.len() + self.failing.len() + self.protected.len()
    }

    fn queue(&mut self, class: Class) -> &mut VecDeque<Tenant> {
        match class {
            Class::Clean => &mut self.clean,
            Class::Failing => &mut self.failing,
            Class::Protected => &mut self.protected,
        }
    }

    /// Looks at the first of a queue.
    fn look(
        &mut self,
        queue: Class,
        wanted: Wanted,
        shared: &Shared,
        now: Moment,
        leavers: &mut Leavers,
    ) -> Option<Look> {
        let mut tenant = self.queue(queue).pop_front()?;
        let Some(circuit) = tenant.circuit.upgrade() else {
            return Some(Look::Dropped);
        };
        if circuit.entry.is_removed() || !circuit.entry.is_evictable() {
            // Perhaps by now the last reference.
            leavers.dead.push(circuit);
            return Some(Look::Dropped);
        }
        // From here on the map holds the breaker as well, since nothing leaves it without the lock
        // of this population: dropping `circuit` ends nothing.
        let mut class = tenant.class(&circuit);
        if class == queue {
            if !matches!(wanted, Wanted::Any) && circuit.entry.clear_used() {
                tenant.seen = now;
                self.queue(queue).push_back(tenant);
                return Some(Look::Used);
            }
            if matches!(wanted, Wanted::IdleFor(time) if now.since(tenant.seen) < time) {
                self.queue(queue).push_front(tenant);
                return Some(Look::TooEarly);
            }
            let idle = !matches!(wanted, Wanted::Any);
            let left = shared.breakers.remove_if(&*circuit.name, |name, _| {
                shared.handles.remove(name);
                // The map and this have a reference each.
                !circuit.is_held(2)
                    && tenant.class(&circuit) == queue
                    && circuit.entry.try_evict(idle)
            });
            if let Some((_, breaker)) = left {
                self.kept -= 1;
                leavers.evicted.push(breaker);
                return Some(Look::Evicted);
            }
            class = Class::Protected;
        }
        self.queue(class).push_back(tenant);
        Some(Look::Moved)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::BreakerRegistry;

    fn queued(registry: &BreakerRegistry) -> usize {
        registry.shared.population.lock().queued()
    }

    fn fail(registry: &BreakerRegistry, name: &str) {
        let _ = registry.breaker(name).call(|| Err::<(), _>("down"));
    }

    fn of(capacity: usize) -> BreakerRegistry {
        let builder = BreakerRegistry::builder().capacity(capacity);
        builder.build().expect("it can work")
    }

    #[test]
    fn each_breaker_waits_in_one_queue() {
        let registry = of(9);
        for name in ["a", "b", "c"] {
            fail(&registry, name);
        }
        registry.breaker("d").trip();
        registry.breaker("e").trip();
        // All queues have been looked at by then.
        for name in 0..50 {
            registry.breaker(name.to_string());
        }
        for name in ["a", "b", "c", "d", "e"] {
            assert!(registry.get(name).is_some(), "{name} is worth more");
        }
        assert_eq!(queued(&registry), 9);
    }

    #[test]
    fn names_that_are_removed_leave_the_queues_and_others_wait_on() {
        let registry = of(300);
        for name in 0..200 {
            registry.breaker(format!("old {name}"));
        }
        for _ in 0..2_000 {
            registry.breaker("x");
            registry.remove("x");
            // It takes some misses until those are met that have left.
            assert!(queued(&registry) <= 3 * registry.len() + 64);
        }
        for name in 0..1_000 {
            registry.breaker(format!("new {name}"));
        }
        assert!(registry.get("new 999").is_some());
        for name in 0..200 {
            assert!(registry.get(format!("old {name}")).is_none());
        }
    }
}
