//! Registration, removal and eviction, racing with each other, with lookups and with commands.

use super::*;
use breakerbox::{Event, RegistryError};
use std::sync::Mutex;

/// A registry whose breakers open by command only.
struct Scene {
    registry: BreakerRegistry,
    /// The names of the breakers that the registry did not keep.
    not_kept: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    fn new(time: &Time, capacity: usize) -> Self {
        let not_kept = Arc::<Mutex<Vec<String>>>::default();
        let told = not_kept.clone();
        let registry = BreakerRegistry::builder()
            .default_preset(patient(time))
            .capacity(capacity)
            .clock(time.clock.clone())
            .on_event(move |event| {
                if let Event::NotKept { breaker, .. } = event {
                    told.lock().expect("no poison").push(breaker.to_string());
                }
            })
            .build()
            .expect("settings that work");
        Self { registry, not_kept }
    }

    /// How many lookups of `name` returned a breaker that is not kept.
    fn not_kept(&self, name: &str) -> usize {
        let names = self.not_kept.lock().expect("no poison");
        names.iter().filter(|one| *one == name).count()
    }

    /// Two tasks that call new names, so that other names are evicted.
    fn crowd(&self) -> [shuttle::future::JoinHandle<()>; 2] {
        [["a", "b"], ["c", "d"]].map(|names| {
            let registry = self.registry.clone();
            spawn(async move {
                for name in names {
                    let work = async { Ok::<_, Failed>(()) };
                    let ended = work.with_breaker(&registry, name).await;
                    ended.expect("a circuit that stays closed");
                    yields(1).await;
                }
            })
        })
    }

    /// Asserts that idle names are still evicted for new ones.
    fn assert_makes_room(&self) {
        // A breaker that was held is reconsidered within a few misses.
        for name in ["x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8"] {
            self.registry.breaker(name);
        }
        assert!(self.registry.get("x8").is_some());
    }
}

fn patient(time: &Time) -> BreakerBuilder {
    time.settings().failure_threshold(1_000)
}

/// Settings that tell a registered breaker from one created by use.
fn registered(time: &Time) -> BreakerBuilder {
    time.settings().failure_threshold(2_000)
}

fn is_registered(breaker: &CircuitBreaker) -> bool {
    breaker.config().trip_rules() == [TripRule::consecutive_failures(2_000)]
}

fn is_same(one: &CircuitBreaker, other: &CircuitBreaker) -> bool {
    let before = other.snapshot().totals.failure;
    one.try_acquire().expect("a closed circuit").failure();
    other.snapshot().totals.failure > before
}

/// One task registers a name and calls it, one removes it, and one calls it meanwhile.
#[test]
fn register_racing_with_remove_leaves_one_breaker() {
    explore("register and remove", move |time, happened| async move {
        let scene = Scene::new(&time, 10);
        let registry = &scene.registry;
        if any(&[true, false]) {
            registry.breaker("users");
        }
        let call = async |registry: &BreakerRegistry| {
            let work = async { Ok::<_, Failed>(()) };
            let ended = work.with_breaker(registry, "users").await;
            ended.expect("a circuit that stays closed");
        };
        let (owner, caller, remover) = (registry.clone(), registry.clone(), registry.clone());
        let settings = registered(&time);
        let owns = spawn(async move {
            // Caches a handle, which must not be used once it is removed.
            call(&owner).await;
            yields(1).await;
            let registered = owner.register("users", settings);
            let registered = registered.expect("the first to register it");
            let before = registered.snapshot().totals.success;
            call(&owner).await;
            let called = registered.snapshot().totals.success > before;
            (registered, called)
        });
        let calls = spawn(async move {
            for _ in 0..2 {
                call(&caller).await;
                yields(1).await;
            }
        });
        yields(3).await;
        let removed = remover.remove("users");
        let (registered, called) = owns.await.expect("a task that ends");
        calls.await.expect("a task that ends");

        let present = registry.get("users");
        assert_eq!(registry.len(), usize::from(present.is_some()));
        assert_eq!(registry.iter().count(), registry.len());
        let all = removed.iter().chain(&present);
        let counted = all.map(|breaker| breaker.snapshot().totals.success);
        assert_eq!(counted.map(Option::unwrap_or_default).sum::<u64>(), 4);
        assert!(is_registered(&registered));
        let is_removed = removed.is_some_and(|removed| is_same(&registered, &removed));
        let stays = present.is_some_and(|present| is_same(&registered, &present));
        assert_ne!(is_removed, stays, "in the registry until it is removed");
        assert!(called || is_removed, "called by name once it is registered");
        let again = registry.register("users", self::registered(&time));
        let refused = matches!(again, Err(RegistryError::AlreadyRegistered { .. }));
        assert_eq!(refused, stays);
        happened.note("removed", is_removed.into());
        happened.note("stays", stays.into());
    });
}

/// One operation each: the windows of a few steps are hit in small schedules only.
#[test]
fn eviction_racing_with_register_spares_registered() {
    explore("eviction and register", move |time, happened| async move {
        let scene = Scene::new(&time, 1);
        let registry = scene.registry.clone();
        let users = registry.breaker("users");
        users.try_acquire().expect("a closed circuit").success();
        drop(users);
        if any(&[true, false]) {
            // Used since its creation, and so evicted only when nothing else may be.
            registry.breaker("users");
        }
        let other = registry.clone();
        let evicts = spawn(async move { drop(other.breaker("new")) });
        let registered = registry.register("users", registered(&time)).map(drop);
        evicts.await.expect("a task that ends");
        match registered {
            Ok(()) => {
                let users = registry.get("users").expect("registered");
                assert!(is_registered(&users));
                let adopted = users.snapshot().totals.success > Some(0);
                happened.note("adopted", adopted.into());
                happened.note("made anew", (!adopted).into());
                let again = registry.register("users", patient(&time));
                let again = again.expect_err("registered before");
                assert!(matches!(again, RegistryError::AlreadyRegistered { .. }));
            }
            Err(RegistryError::Full { .. }) => happened.note("no room", 1),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(registry.len(), 1);
    });
}

/// A guarded future holds its breaker, also one that was found in the cache of its thread.
#[test]
fn eviction_racing_with_lookup_spares_looked_up() {
    explore("eviction and lookup", move |time, happened| async move {
        let scene = Scene::new(&time, any(&[1, 2]));
        let registry = scene.registry.clone();
        let crowd = scene.crowd();
        for _ in 0..3 {
            let before = scene.not_kept("users");
            let call = async { Err::<(), _>(Failed) }.with_breaker(&registry, "users");
            let is_kept = scene.not_kept("users") == before;
            yields(1).await;
            // No other task looks this name up.
            let kept = registry.get("users");
            assert_eq!(kept.is_some(), is_kept);
            let failures = |kept: &CircuitBreaker| kept.snapshot().totals.failure;
            let counted = kept.as_ref().map(failures);
            call.await.expect_err("it fails");
            assert_eq!(kept.as_ref().map(failures), counted.map(|count| count + 1));
            happened.note("kept", is_kept.into());
            happened.note("not kept", (!is_kept).into());
            happened.note("found again", u64::from(counted > Some(0)));
            drop(kept);
            yields(1).await;
        }
        for task in crowd {
            task.await.expect("a task that ends");
        }
        scene.assert_makes_room();
    });
}

#[test]
fn eviction_racing_with_trip_spares_open_circuit() {
    explore("eviction and trip", move |time, happened| async move {
        let scene = Scene::new(&time, any(&[1, 2]));
        let registry = scene.registry.clone();
        // The oldest, and so the first candidate.
        registry.breaker("users");
        let crowd = scene.crowd();
        yields(2).await;
        let before = scene.not_kept("users");
        registry.breaker("users").trip();
        let is_kept = scene.not_kept("users") == before;
        for task in crowd {
            task.await.expect("a task that ends");
        }
        let state = registry.get("users").map(|users| users.state());
        assert_eq!(state, is_kept.then_some(State::Open));
        happened.note("kept", is_kept.into());
        happened.note("not kept", (!is_kept).into());
        time.pass(RECOVERY);
        scene.assert_makes_room();
    });
}
