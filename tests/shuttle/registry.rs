//! Races between registration, removal, eviction, lookups and commands.

use super::*;
use breakerbox::{Event, RegistryError};
use std::sync::Mutex;

/// A registry whose breakers open only by command.
struct Fixture {
    registry: BreakerRegistry,
    /// The names of untracked breakers, which the registry did not keep.
    not_kept: Arc<Mutex<Vec<String>>>,
}

impl Fixture {
    fn new(time: &TestTime, capacity: usize) -> Self {
        let not_kept = Arc::<Mutex<Vec<String>>>::default();
        let log = not_kept.clone();
        let registry = BreakerRegistry::builder()
            .default_preset(rarely_trips(time))
            .capacity(capacity)
            .clock(time.clock.clone())
            .on_event(move |event| {
                if let Event::NotKept { breaker, .. } = event {
                    log.lock().expect("not poisoned").push(breaker.to_string());
                }
            })
            .build()
            .expect("valid settings");
        Self { registry, not_kept }
    }

    /// Returns how many lookups of `name` returned an untracked breaker.
    fn not_kept(&self, name: &str) -> usize {
        let names = self.not_kept.lock().expect("not poisoned");
        names.iter().filter(|one| *one == name).count()
    }

    /// Spawns two tasks that call new names, and so cause evictions.
    fn spawn_new_names(&self) -> [shuttle::future::JoinHandle<()>; 2] {
        [["a", "b"], ["c", "d"]].map(|names| {
            let registry = self.registry.clone();
            spawn(async move {
                for name in names {
                    let work = async { Ok::<_, Failure>(()) };
                    let result = work.with_breaker(&registry, name).await;
                    result.expect("the circuit stays closed");
                    yield_up_to(1).await;
                }
            })
        })
    }

    /// Asserts that a new name still evicts an idle breaker.
    fn assert_makes_room(&self) {
        // It may take a few misses until a breaker that was held is a candidate again.
        for name in ["x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8"] {
            self.registry.breaker(name);
        }
        assert!(self.registry.get("x8").is_some());
    }
}

fn rarely_trips(time: &TestTime) -> BreakerBuilder {
    time.settings().failure_threshold(1_000)
}

/// Settings that distinguish a registered breaker from one created by use.
fn registered(time: &TestTime) -> BreakerBuilder {
    time.settings().failure_threshold(2_000)
}

fn is_registered(breaker: &CircuitBreaker) -> bool {
    breaker.config().trip_rules() == [TripRule::consecutive_failures(2_000)]
}

/// Returns whether both handles refer to one breaker. Records a failure.
fn is_same(one: &CircuitBreaker, other: &CircuitBreaker) -> bool {
    let before = other.snapshot().totals.failure;
    one.try_acquire().expect("the circuit is closed").failure();
    other.snapshot().totals.failure > before
}

/// One task registers a name and calls it, another removes it, and a third calls it.
#[test]
fn register_racing_with_remove_leaves_one_breaker() {
    explore("register and remove", move |time, cases| async move {
        let fixture = Fixture::new(&time, 10);
        let registry = &fixture.registry;
        if choose(&[true, false]) {
            registry.breaker("users");
        }
        let call = async |registry: &BreakerRegistry| {
            let work = async { Ok::<_, Failure>(()) };
            let result = work.with_breaker(registry, "users").await;
            result.expect("the circuit stays closed");
        };
        let (owner, caller, remover) = (registry.clone(), registry.clone(), registry.clone());
        let settings = registered(&time);
        let owner_task = spawn(async move {
            // Caches a handle, which must not be used after the removal.
            call(&owner).await;
            yield_up_to(1).await;
            let registered = owner.register("users", settings);
            let registered = registered.expect("the first to register it");
            let before = registered.snapshot().totals.success;
            call(&owner).await;
            let called = registered.snapshot().totals.success > before;
            (registered, called)
        });
        let caller_task = spawn(async move {
            for _ in 0..2 {
                call(&caller).await;
                yield_up_to(1).await;
            }
        });
        yield_up_to(3).await;
        let removed = remover.remove("users");
        let (registered, called) = owner_task.await.expect("the task should not panic");
        caller_task.await.expect("the task should not panic");

        let present = registry.get("users");
        assert_eq!(registry.len(), usize::from(present.is_some()));
        assert_eq!(registry.iter().count(), registry.len());
        let all = removed.iter().chain(&present);
        let counted = all.map(|breaker| breaker.snapshot().totals.success);
        assert_eq!(counted.map(Option::unwrap_or_default).sum::<u64>(), 4);
        assert!(is_registered(&registered));
        let is_removed = removed.is_some_and(|removed| is_same(&registered, &removed));
        let stays = present.is_some_and(|present| is_same(&registered, &present));
        assert_ne!(
            is_removed, stays,
            "the registered breaker is either removed or in the registry"
        );
        assert!(
            called || is_removed,
            "a call after registration reaches the registered breaker"
        );
        let again = registry.register("users", self::registered(&time));
        let refused = matches!(again, Err(RegistryError::AlreadyRegistered { .. }));
        assert_eq!(refused, stays);
        cases.count("removed", is_removed.into());
        cases.count("stays", stays.into());
    });
}

/// Each task has one operation, because only short schedules hit a race of a few steps.
#[test]
fn eviction_racing_with_register_spares_registered() {
    explore("eviction and register", move |time, cases| async move {
        let fixture = Fixture::new(&time, 1);
        let registry = fixture.registry.clone();
        let users = registry.breaker("users");
        users
            .try_acquire()
            .expect("the circuit is closed")
            .success();
        drop(users);
        if choose(&[true, false]) {
            // A used breaker is evicted only if there is no idle candidate.
            registry.breaker("users");
        }
        let other = registry.clone();
        let eviction_task = spawn(async move { drop(other.breaker("new")) });
        let registered = registry.register("users", registered(&time)).map(drop);
        eviction_task.await.expect("the task should not panic");
        match registered {
            Ok(()) => {
                let users = registry.get("users").expect("registered");
                assert!(is_registered(&users));
                let adopted = users.snapshot().totals.success > Some(0);
                cases.count("adopted", adopted.into());
                cases.count("created again", (!adopted).into());
                let again = registry.register("users", rarely_trips(&time));
                let again = again.expect_err("registered before");
                assert!(matches!(again, RegistryError::AlreadyRegistered { .. }));
            }
            Err(RegistryError::Full { .. }) => cases.count("no room", 1),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(registry.len(), 1);
    });
}

/// A guarded future holds its breaker, even if the handle was cached.
#[test]
fn eviction_racing_with_lookup_spares_looked_up() {
    explore("eviction and lookup", move |time, cases| async move {
        let fixture = Fixture::new(&time, choose(&[1, 2]));
        let registry = fixture.registry.clone();
        let evicting_tasks = fixture.spawn_new_names();
        for _ in 0..3 {
            let before = fixture.not_kept("users");
            let call = async { Err::<(), _>(Failure) }.with_breaker(&registry, "users");
            let is_kept = fixture.not_kept("users") == before;
            yield_up_to(1).await;
            // Only this task looks up the name.
            let kept = registry.get("users");
            assert_eq!(kept.is_some(), is_kept);
            let failures = |kept: &CircuitBreaker| kept.snapshot().totals.failure;
            let counted = kept.as_ref().map(failures);
            call.await.expect_err("the call fails");
            assert_eq!(kept.as_ref().map(failures), counted.map(|count| count + 1));
            cases.count("kept", is_kept.into());
            cases.count("not kept", (!is_kept).into());
            cases.count("found again", u64::from(counted > Some(0)));
            drop(kept);
            yield_up_to(1).await;
        }
        for task in evicting_tasks {
            task.await.expect("the task should not panic");
        }
        fixture.assert_makes_room();
    });
}

#[test]
fn eviction_racing_with_trip_spares_open_circuit() {
    explore("eviction and trip", move |time, cases| async move {
        let fixture = Fixture::new(&time, choose(&[1, 2]));
        let registry = fixture.registry.clone();
        // The least recently used breaker, and so the first candidate.
        registry.breaker("users");
        let evicting_tasks = fixture.spawn_new_names();
        yield_up_to(2).await;
        let before = fixture.not_kept("users");
        registry.breaker("users").trip();
        let is_kept = fixture.not_kept("users") == before;
        for task in evicting_tasks {
            task.await.expect("the task should not panic");
        }
        let state = registry.get("users").map(|users| users.state());
        assert_eq!(state, is_kept.then_some(State::Open));
        cases.count("kept", is_kept.into());
        cases.count("not kept", (!is_kept).into());
        time.advance(RECOVERY);
        fixture.assert_makes_room();
    });
}
