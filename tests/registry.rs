//! The registry: who makes a breaker, who wins, what is served, and who may come back.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, Event, RegistryBuilder, RegistryError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

type Heard = Arc<Mutex<Vec<Event>>>;

fn listening(builder: RegistryBuilder) -> (BreakerRegistry, Heard) {
    let events = Heard::default();
    let heard = events.clone();
    let listener = move |event: &Event| heard.lock().unwrap().push(event.clone());
    (builder.on_event(listener).build().unwrap(), events)
}

fn after(failures: u32) -> BreakerBuilder {
    CircuitBreaker::builder().failure_threshold(failures)
}

fn threshold(breaker: &CircuitBreaker) -> String {
    format!("{:?}", breaker.config().trip_rules())
}

#[track_caller]
fn opens_after(breaker: &CircuitBreaker, failures: u32) {
    let expected = format!("{:?}", [TripRule::consecutive_failures(failures)]);
    assert_eq!(threshold(breaker), expected);
}

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

#[test]
fn a_name_is_one_breaker() {
    let registry = BreakerRegistry::new();
    assert!(registry.get("users").is_none(), "looking does not create");
    registry.breaker("users").trip();
    assert_eq!(registry.get("users").unwrap().state(), State::Open);
    assert_eq!(
        registry.clone().breaker("users").state(),
        State::Open,
        "a clone is the same"
    );
    assert_eq!(
        BreakerRegistry::new().breaker("users").state(),
        State::Closed
    );
    assert_eq!(registry.len(), 1);
}

#[test]
fn registering_twice_is_refused() {
    let registry = BreakerRegistry::new();
    registry.register("users", after(3)).unwrap();
    let again = registry.register("users", after(4)).unwrap_err();
    assert!(matches!(&again, RegistryError::AlreadyRegistered { name, .. } if name == "users"));
    opens_after(&registry.breaker("users"), 3);
    registry.remove("users").unwrap();
    registry.register("users", after(4)).unwrap();
    opens_after(&registry.breaker("users"), 4);
}

#[test]
fn a_name_created_by_use_is_adopted() {
    let (registry, events) = listening(BreakerRegistry::builder());
    let users = registry.breaker("users");
    fail(&users);
    fail(&users);
    registry.register("users", after(3)).unwrap();
    opens_after(&users, 3);
    assert_eq!(users.failure_count(), 2, "counts stay");
    fail(&users);
    assert_eq!(
        users.state(),
        State::Open,
        "and the new settings act at the next failure"
    );
    assert!(registry.register("users", after(9)).is_err(), "once");
    let events = events.lock().unwrap();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::BreakerAdopted { .. }))
    );
}

#[test]
fn configure_wins_over_register_over_presets_over_the_default() {
    let registry = BreakerRegistry::builder()
        .default_preset(after(11))
        .preset_for("http:", after(12))
        .build()
        .unwrap();
    opens_after(&registry.breaker("a"), 11);
    let users = registry.breaker("http:users");
    opens_after(&users, 12);
    opens_after(&registry.breaker_with("http:b", || after(13)), 13);
    opens_after(
        &registry.breaker_with("http:b", || unreachable!("it is there")),
        13,
    );
    registry.register("http:users", after(14)).unwrap();
    opens_after(&users, 14);
    registry.configure("http:users", after(15)).unwrap();
    opens_after(&users, 15);
    assert!(registry.register("http:users", after(16)).is_err());
    opens_after(&users, 15);
    registry.configure("http:users", after(17)).unwrap();
    opens_after(&users, 17);
}

#[test]
fn configure_creates_unknown_names_and_leaves_state_and_counts() {
    let registry = BreakerRegistry::new();
    opens_after(&registry.configure("new", after(2)).unwrap(), 2);
    assert!(
        registry.register("new", after(3)).is_err(),
        "configured before"
    );
    let users = registry.breaker("users");
    users.trip();
    registry.configure("users", after(2)).unwrap();
    assert_eq!(users.state(), State::Open);
    let refused = registry.configure("users", after(0)).unwrap_err();
    assert!(matches!(refused, RegistryError::Config(_)));
    opens_after(&users, 2);
}

#[test]
fn the_longest_prefix_wins_whatever_the_order() {
    let registry = BreakerRegistry::builder()
        .preset_for("http:api:", after(3))
        .preset_for("http:", after(2))
        .preset_for("http:api:v1", after(4))
        .build()
        .unwrap();
    for (name, failures) in [
        ("http", 5),
        ("http:x", 2),
        ("http:api:x", 3),
        ("http:api:v1/a", 4),
    ] {
        opens_after(&registry.breaker(name), failures);
    }
    registry.preset_for("http:api:v", after(6)).unwrap();
    registry.preset_for("http:", after(7)).unwrap();
    opens_after(&registry.breaker("http:api:v2"), 6);
    opens_after(&registry.breaker("http:api:v1/b"), 4);
    opens_after(&registry.breaker("http:y"), 7);
    opens_after(&registry.breaker("http:x"), 2);
}

#[test]
fn presets_that_cannot_work_are_named() {
    let zero = || after(0);
    let refused = BreakerRegistry::builder()
        .default_preset(zero())
        .build()
        .unwrap_err();
    assert_eq!(refused.field(), "default_preset.failure_threshold");
    let refused = BreakerRegistry::builder()
        .preset_for("http:", zero())
        .build()
        .unwrap_err();
    assert_eq!(refused.field(), "preset_for(\"http:\").failure_threshold");
    let refused = BreakerRegistry::new()
        .preset_for("http:", zero())
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("preset_for(\"http:\").failure_threshold is 0")
    );
    for capacity in [0, 10_000_001, usize::MAX] {
        let refused = BreakerRegistry::builder()
            .capacity(capacity)
            .build()
            .unwrap_err();
        assert_eq!(refused.field(), "capacity");
        assert_eq!(refused.value(), capacity.to_string());
    }
    let refused = BreakerRegistry::builder()
        .idle_timeout(Duration::ZERO)
        .build()
        .unwrap_err();
    assert_eq!(refused.field(), "idle_timeout");
}

#[test]
fn settings_refused_where_no_error_can_be_returned_are_told() {
    let (registry, events) = listening(BreakerRegistry::builder().default_preset(after(8)));
    opens_after(&registry.breaker_with("users", || after(0)), 8);
    let events = events.lock().unwrap();
    let refused = events.iter().find_map(|event| match event {
        Event::SettingsRefused { error, .. } => Some(error.field()),
        _ => None,
    });
    assert_eq!(refused, Some("failure_threshold"));
}

#[tokio::test]
async fn a_removed_breaker_is_never_served_again() {
    let (registry, events) = listening(BreakerRegistry::builder());
    let call = || async { Ok::<(), String>(()) }.with_breaker(&registry, "users");
    for _ in 0..3 {
        // Twice, so that the second look-up comes from the thread's own table.
        assert!(call().await.is_ok());
        assert!(call().await.is_ok());
        let removed = registry.remove("users").unwrap();
        removed.force_open();
        assert!(call().await.is_ok(), "a fresh one");
        assert_eq!(registry.open_breakers().len(), 0);
        assert_eq!(removed.state(), State::ForcedOpen, "the handle works on");
    }
    assert!(registry.remove("nobody").is_none());
    let events = events.lock().unwrap();
    let removals = events
        .iter()
        .filter(|e| matches!(e, Event::BreakerRemoved { .. }));
    assert_eq!(removals.count(), 3);
}

#[tokio::test]
async fn calls_in_flight_end_on_the_breaker_they_began_on() {
    let registry = BreakerRegistry::new();
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let call = async move { receive.await.map_err(|_| "down") };
    let mut call = Box::pin(call.with_breaker(&registry, "users"));
    assert!(futures_poll(&mut call).is_none());
    let removed = registry.remove("users").unwrap();
    drop(send);
    assert!(call.await.is_err());
    assert_eq!(removed.failure_count(), 1);
    assert_eq!(registry.breaker("users").failure_count(), 0);
}

fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn other_threads_do_not_serve_a_removed_breaker_either() {
    let registry = BreakerRegistry::new();
    let works = || {
        (|| Ok::<(), String>(()))
            .with_breaker(&registry, "users")
            .call()
            .is_ok()
    };
    let turn = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100 {
                assert!(works() && works());
                turn.wait();
                turn.wait();
            }
        });
        for _ in 0..100 {
            turn.wait();
            registry.remove("users").unwrap().force_open();
            turn.wait();
        }
    });
}

#[test]
fn threads_that_ask_for_one_name_get_one_breaker() {
    let (registry, events) = listening(BreakerRegistry::builder());
    let made = AtomicUsize::new(0);
    for round in 0..200 {
        let name = format!("round {round}");
        let barrier = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    let breaker = registry.breaker_with(&name, || {
                        made.fetch_add(1, Ordering::Relaxed);
                        after(100)
                    });
                    fail(&breaker);
                    let again = (|| Err::<(), _>("down")).with_breaker(&registry, &name);
                    let _ = again.call();
                });
            }
        });
        assert_eq!(registry.breaker(&name).failure_count(), 8);
    }
    assert_eq!(registry.len(), 200);
    assert!(made.load(Ordering::Relaxed) >= 200);
    let events = events.lock().unwrap();
    let added = events
        .iter()
        .filter(|event| matches!(event, Event::BreakerAdded { .. }));
    assert_eq!(
        added.count(),
        200,
        "one event a breaker, however many raced"
    );
}

#[test]
fn one_of_many_who_register_wins() {
    for used_before in [false, true] {
        let registry = BreakerRegistry::new();
        if used_before {
            registry.breaker("users");
        }
        let barrier = Barrier::new(4);
        let won = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    let registered = registry.register("users", after(3)).is_ok();
                    won.fetch_add(usize::from(registered), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(won.into_inner(), 1);
    }
}

#[test]
fn the_views_tell_states_apart_and_sort_by_name() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .build()
        .unwrap();
    let names = |breakers: Vec<CircuitBreaker>| -> Vec<String> {
        breakers
            .iter()
            .map(|breaker| breaker.name().to_owned())
            .collect()
    };
    assert!(registry.is_empty() && registry.all_closed());
    for name in ["d", "b", "e", "a", "c"] {
        registry.breaker(name);
    }
    registry.breaker("e").disable();
    assert!(registry.all_closed());
    registry.breaker("b").trip();
    registry.breaker("a").force_open();
    assert_eq!(names(registry.open_breakers()), ["a", "b"]);
    assert_eq!(names(registry.closed_breakers()), ["c", "d"]);
    assert_eq!(names(registry.iter().collect()), ["a", "b", "c", "d", "e"]);
    assert_eq!((&registry).into_iter().count(), 5);
    registry.breaker("a").reset();
    clock.advance(Duration::from_secs(30));
    assert_eq!(
        names(registry.open_breakers()),
        [""; 0],
        "half-open by time alone"
    );
    assert!(!registry.all_closed(), "which is not closed");
    for breaker in &registry {
        registry.remove(breaker.name());
    }
    assert!(
        registry.is_empty(),
        "nothing is locked while one goes through them"
    );
}

#[test]
fn closures_and_listeners_may_call_the_registry() {
    let place: Arc<OnceLock<BreakerRegistry>> = Arc::default();
    let inside = place.clone();
    let registry = BreakerRegistry::builder()
        .capacity(3)
        .on_event(move |event| {
            let Some(registry) = inside.get() else { return };
            let _ = (
                registry.len(),
                registry.iter().count(),
                registry.all_closed(),
            );
            let _ = registry.get(event.breaker());
            if let Event::BreakerAdded { .. } = event {
                if event.breaker().len() < 8 {
                    registry.breaker(format!("{}+", event.breaker()));
                    registry.remove("nobody");
                }
            }
        })
        .build()
        .unwrap();
    place.set(registry.clone()).unwrap();
    let outer = registry.breaker_with("outer", || {
        registry.breaker("inner");
        registry.register("lasting", after(2)).unwrap();
        registry.breaker_with("outer", || after(3)).trip();
        after(4)
    });
    opens_after(&outer, 3);
    for name in 0..50 {
        registry.breaker(name.to_string());
    }
    assert!(registry.len() <= 3);
    assert!(registry.get("lasting").is_some() && registry.get("outer").is_some());
}

/// Calls its registry when it is dropped.
struct Nosy(BreakerRegistry);

impl Drop for Nosy {
    fn drop(&mut self) {
        self.0.breaker("from a drop");
        self.0.remove("from a drop");
        let _ = (|| Ok::<(), String>(()))
            .with_breaker(&self.0, "from a drop")
            .call();
    }
}

#[test]
fn destructors_of_settings_may_call_the_registry() {
    let registry = BreakerRegistry::builder().capacity(4).build().unwrap();
    let nosy = || {
        let nosy = Nosy(registry.clone());
        after(5).on_event(move |_| {
            let _ = &nosy;
        })
    };
    for name in 0..200 {
        let name = (name % 9).to_string();
        registry.breaker_with(&name, nosy);
        let _ = (|| Err::<(), _>("down"))
            .with_breaker(&registry, &name)
            .call();
        if name == "7" {
            registry.remove(&name);
            let _ = registry.configure(&name, nosy());
            registry.remove(&name);
        }
    }
    registry.preset_for("p", nosy()).unwrap();
    registry.preset_for("p", after(1)).unwrap();
    // The table of another thread is dropped while that thread ends.
    thread::scope(|scope| {
        scope.spawn(|| {
            for name in 0..9 {
                let _ = (|| Err::<(), _>("down"))
                    .with_breaker(&registry, name.to_string())
                    .call();
            }
        });
    });
    for breaker in &registry {
        registry.remove(breaker.name());
    }
}

#[test]
fn a_panicking_closure_leaves_the_registry_whole() {
    let registry = BreakerRegistry::new();
    let panicking = || registry.breaker_with("users", || panic!("no settings today"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err());
    assert!(registry.is_empty());
    opens_after(&registry.breaker_with("users", || after(3)), 3);
}

#[test]
fn a_dropped_registry_lets_its_listeners_go() {
    let token = Arc::new(());
    let kept = token.clone();
    let registry = BreakerRegistry::builder()
        .on_event(move |_| {
            let _ = &kept;
        })
        .build()
        .unwrap();
    let call = || {
        (|| Err::<(), _>("down"))
            .with_breaker(&registry, "users")
            .call()
    };
    assert!(call().is_err() && call().is_err());
    drop(registry);
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn remove_releases_handles_cached_by_thread() {
    let registry = BreakerRegistry::new();
    let token = Arc::new(());
    for round in 0..2 {
        let kept = token.clone();
        let settings = after(5).on_event(move |_| {
            let _ = &kept;
        });
        registry.register("users", settings).unwrap();
        for _ in 0..2 {
            let call = (|| Err::<(), _>("down")).with_breaker(&registry, "users");
            assert!(call.call().is_err());
        }
        drop(registry.remove("users").unwrap());
        assert_eq!(Arc::strong_count(&token), 1, "in round {round}");
    }
}

#[test]
fn handles_are_shared_between_threads_and_outlive_the_registry() {
    fn portable<T: Send + Sync + Clone + 'static>(_: &T) {}
    let registry = BreakerRegistry::new();
    portable(&registry);
    let users = registry.breaker("users");
    assert!(!registry.is_empty());
    drop(registry);
    fail(&users);
    assert_eq!(users.failure_count(), 1);
    assert!(format!("{:?}", BreakerRegistry::new()).contains("BreakerRegistry"));
}

#[test]
fn refusals_keep_the_breaker_that_refused() {
    // More breakers than the table has slots, so that some share one.
    let breakers: Vec<_> = (0..300)
        .map(|n| {
            CircuitBreaker::builder()
                .name(format!("b{n}"))
                .build()
                .unwrap()
        })
        .collect();
    for _ in 0..3 {
        for breaker in &breakers {
            breaker.force_open();
            let refused = breaker.try_acquire().unwrap_err();
            assert_eq!(refused.name(), breaker.name());
            assert_eq!(refused.clone().name(), breaker.name());
        }
    }
}

#[test]
fn a_registry_prints_as_a_table() {
    let registry = BreakerRegistry::new();
    registry.breaker("users-api").trip();
    let _ = registry.breaker("pay\n\u{1b}[31m").call(|| Ok::<_, ()>(()));
    let table = registry.to_string();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("breaker"));
    assert!(lines[1].contains("pay\\n\\u{1b}[31m") && lines[1].contains("1 succeeded"));
    assert!(lines[2].starts_with("users-api") && lines[2].contains("open"));
    let column = |line: &str, text: &str| line.find(text);
    assert_eq!(column(lines[0], "state"), column(lines[2], "open"));
}
