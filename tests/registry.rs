//! The registry: creation, registration, settings, removal, and queries.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, Event, RegistryBuilder, RegistryError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

type EventLog = Arc<Mutex<Vec<Event>>>;

fn recording(builder: RegistryBuilder) -> (BreakerRegistry, EventLog) {
    let events = EventLog::default();
    let log = events.clone();
    let listener = move |event: &Event| log.lock().unwrap().push(event.clone());
    (builder.on_event(listener).build().unwrap(), events)
}

fn with_threshold(failures: u32) -> BreakerBuilder {
    CircuitBreaker::builder().failure_threshold(failures)
}

fn rules_text(breaker: &CircuitBreaker) -> String {
    format!("{:?}", breaker.config().trip_rules())
}

#[track_caller]
fn assert_opens_after(breaker: &CircuitBreaker, failures: u32) {
    let expected = format!("{:?}", [TripRule::consecutive_failures(failures)]);
    assert_eq!(rules_text(breaker), expected);
}

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

#[test]
fn name_refers_to_one_breaker() {
    let registry = BreakerRegistry::new();
    assert!(registry.get("users").is_none(), "get creates no breaker");
    registry.breaker("users").trip();
    assert_eq!(registry.get("users").unwrap().state(), State::Open);
    assert_eq!(
        registry.clone().breaker("users").state(),
        State::Open,
        "a clone is the same registry"
    );
    assert_eq!(
        BreakerRegistry::new().breaker("users").state(),
        State::Closed
    );
    assert_eq!(registry.len(), 1);
}

#[test]
fn second_register_returns_error() {
    let registry = BreakerRegistry::new();
    registry.register("users", with_threshold(3)).unwrap();
    let again = registry.register("users", with_threshold(4)).unwrap_err();
    assert!(matches!(&again, RegistryError::AlreadyRegistered { name, .. } if name == "users"));
    assert_opens_after(&registry.breaker("users"), 3);
    registry.remove("users").unwrap();
    registry.register("users", with_threshold(4)).unwrap();
    assert_opens_after(&registry.breaker("users"), 4);
}

#[test]
fn register_adopts_breaker_created_by_use() {
    let (registry, events) = recording(BreakerRegistry::builder());
    let users = registry.breaker("users");
    fail(&users);
    fail(&users);
    registry.register("users", with_threshold(3)).unwrap();
    assert_opens_after(&users, 3);
    assert_eq!(users.failure_count(), 2, "adoption keeps the counts");
    fail(&users);
    assert_eq!(
        users.state(),
        State::Open,
        "the new settings apply to the next failure"
    );
    assert!(
        registry.register("users", with_threshold(9)).is_err(),
        "adopted only once"
    );
    let events = events.lock().unwrap();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::BreakerAdopted { .. }))
    );
}

#[test]
fn settings_follow_order_of_precedence() {
    let registry = BreakerRegistry::builder()
        .default_preset(with_threshold(11))
        .preset_for("http:", with_threshold(12))
        .build()
        .unwrap();
    assert_opens_after(&registry.breaker("a"), 11);
    let users = registry.breaker("http:users");
    assert_opens_after(&users, 12);
    assert_opens_after(&registry.breaker_with("http:b", || with_threshold(13)), 13);
    assert_opens_after(
        &registry.breaker_with("http:b", || unreachable!("the breaker exists")),
        13,
    );
    registry.register("http:users", with_threshold(14)).unwrap();
    assert_opens_after(&users, 14);
    registry
        .configure("http:users", with_threshold(15))
        .unwrap();
    assert_opens_after(&users, 15);
    assert!(registry.register("http:users", with_threshold(16)).is_err());
    assert_opens_after(&users, 15);
    registry
        .configure("http:users", with_threshold(17))
        .unwrap();
    assert_opens_after(&users, 17);
}

#[test]
fn configure_creates_unknown_name_and_keeps_state() {
    let registry = BreakerRegistry::new();
    assert_opens_after(&registry.configure("new", with_threshold(2)).unwrap(), 2);
    assert!(
        registry.register("new", with_threshold(3)).is_err(),
        "already configured"
    );
    let users = registry.breaker("users");
    users.trip();
    registry.configure("users", with_threshold(2)).unwrap();
    assert_eq!(users.state(), State::Open);
    let refused = registry.configure("users", with_threshold(0)).unwrap_err();
    assert!(matches!(refused, RegistryError::Config(_)));
    assert_opens_after(&users, 2);
}

#[test]
fn longest_prefix_wins_in_any_order() {
    let registry = BreakerRegistry::builder()
        .preset_for("http:api:", with_threshold(3))
        .preset_for("http:", with_threshold(2))
        .preset_for("http:api:v1", with_threshold(4))
        .build()
        .unwrap();
    for (name, failures) in [
        ("http", 5),
        ("http:x", 2),
        ("http:api:x", 3),
        ("http:api:v1/a", 4),
    ] {
        assert_opens_after(&registry.breaker(name), failures);
    }
    registry
        .preset_for("http:api:v", with_threshold(6))
        .unwrap();
    registry.preset_for("http:", with_threshold(7)).unwrap();
    assert_opens_after(&registry.breaker("http:api:v2"), 6);
    assert_opens_after(&registry.breaker("http:api:v1/b"), 4);
    assert_opens_after(&registry.breaker("http:y"), 7);
    assert_opens_after(&registry.breaker("http:x"), 2);
}

#[test]
fn invalid_presets_are_named_in_error() {
    let zero = || with_threshold(0);
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
fn invalid_settings_of_breaker_with_send_event() {
    let (registry, events) =
        recording(BreakerRegistry::builder().default_preset(with_threshold(8)));
    assert_opens_after(&registry.breaker_with("users", || with_threshold(0)), 8);
    let events = events.lock().unwrap();
    let refused = events.iter().find_map(|event| match event {
        Event::SettingsRefused { error, .. } => Some(error.field()),
        _ => None,
    });
    assert_eq!(refused, Some("failure_threshold"));
}

#[tokio::test]
async fn removed_breaker_is_never_returned_again() {
    let (registry, events) = recording(BreakerRegistry::builder());
    let call = || async { Ok::<(), String>(()) }.with_breaker(&registry, "users");
    for _ in 0..3 {
        // The second call finds the handle that the first one has cached.
        assert!(call().await.is_ok());
        assert!(call().await.is_ok());
        let removed = registry.remove("users").unwrap();
        removed.force_open();
        assert!(call().await.is_ok(), "a new breaker");
        assert_eq!(registry.open_breakers().len(), 0);
        assert_eq!(
            removed.state(),
            State::ForcedOpen,
            "a handle of the removed breaker still works"
        );
    }
    assert!(registry.remove("unknown").is_none());
    let events = events.lock().unwrap();
    let removals = events
        .iter()
        .filter(|e| matches!(e, Event::BreakerRemoved { .. }));
    assert_eq!(removals.count(), 3);
}

#[tokio::test]
async fn call_in_flight_is_recorded_by_removed_breaker() {
    let registry = BreakerRegistry::new();
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let call = async move { receive.await.map_err(|_| "down") };
    let mut call = Box::pin(call.with_breaker(&registry, "users"));
    assert!(poll_once(&mut call).is_none());
    let removed = registry.remove("users").unwrap();
    drop(send);
    assert!(call.await.is_err());
    assert_eq!(removed.failure_count(), 1);
    assert_eq!(registry.breaker("users").failure_count(), 0);
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn removed_breaker_is_never_returned_to_other_threads() {
    let registry = BreakerRegistry::new();
    let call_succeeds = || {
        (|| Ok::<(), String>(()))
            .with_breaker(&registry, "users")
            .call()
            .is_ok()
    };
    let turn = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100 {
                assert!(call_succeeds() && call_succeeds());
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
fn concurrent_lookups_of_name_get_one_breaker() {
    let (registry, events) = recording(BreakerRegistry::builder());
    let closure_runs = AtomicUsize::new(0);
    for round in 0..200 {
        let name = format!("round {round}");
        let barrier = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    let breaker = registry.breaker_with(&name, || {
                        closure_runs.fetch_add(1, Ordering::Relaxed);
                        with_threshold(100)
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
    assert!(closure_runs.load(Ordering::Relaxed) >= 200);
    let events = events.lock().unwrap();
    let added = events
        .iter()
        .filter(|event| matches!(event, Event::BreakerAdded { .. }));
    assert_eq!(added.count(), 200, "one event per breaker");
}

#[test]
fn concurrent_registers_succeed_once() {
    for used_before in [false, true] {
        let registry = BreakerRegistry::new();
        if used_before {
            registry.breaker("users");
        }
        let barrier = Barrier::new(4);
        let registered_count = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    let registered = registry.register("users", with_threshold(3)).is_ok();
                    registered_count.fetch_add(usize::from(registered), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(registered_count.into_inner(), 1);
    }
}

#[test]
fn queries_filter_by_state_and_sort_by_name() {
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
        "half-open after the deadline"
    );
    assert!(!registry.all_closed(), "half-open is not closed");
    for breaker in &registry {
        registry.remove(breaker.name());
    }
    assert!(registry.is_empty(), "the iterator holds no lock");
}

#[test]
fn closures_and_listeners_may_call_registry() {
    let slot: Arc<OnceLock<BreakerRegistry>> = Arc::default();
    let inner = slot.clone();
    let registry = BreakerRegistry::builder()
        .capacity(3)
        .on_event(move |event| {
            let Some(registry) = inner.get() else { return };
            let _ = (
                registry.len(),
                registry.iter().count(),
                registry.all_closed(),
            );
            let _ = registry.get(event.breaker());
            if let Event::BreakerAdded { .. } = event {
                if event.breaker().len() < 8 {
                    registry.breaker(format!("{}+", event.breaker()));
                    registry.remove("unknown");
                }
            }
        })
        .build()
        .unwrap();
    slot.set(registry.clone()).unwrap();
    let outer = registry.breaker_with("outer", || {
        registry.breaker("inner");
        registry.register("lasting", with_threshold(2)).unwrap();
        registry.breaker_with("outer", || with_threshold(3)).trip();
        with_threshold(4)
    });
    assert_opens_after(&outer, 3);
    for name in 0..50 {
        registry.breaker(name.to_string());
    }
    assert!(registry.len() <= 3);
    assert!(registry.get("lasting").is_some() && registry.get("outer").is_some());
}

/// A value that calls its registry when it is dropped.
struct CallsRegistryOnDrop(BreakerRegistry);

impl Drop for CallsRegistryOnDrop {
    fn drop(&mut self) {
        self.0.breaker("dropped");
        self.0.remove("dropped");
        let _ = (|| Ok::<(), String>(()))
            .with_breaker(&self.0, "dropped")
            .call();
    }
}

#[test]
fn destructors_of_settings_may_call_registry() {
    let registry = BreakerRegistry::builder().capacity(4).build().unwrap();
    let settings = || {
        let value = CallsRegistryOnDrop(registry.clone());
        with_threshold(5).on_event(move |_| {
            let _ = &value;
        })
    };
    for name in 0..200 {
        let name = (name % 9).to_string();
        registry.breaker_with(&name, settings);
        let _ = (|| Err::<(), _>("down"))
            .with_breaker(&registry, &name)
            .call();
        if name == "7" {
            registry.remove(&name);
            let _ = registry.configure(&name, settings());
            registry.remove(&name);
        }
    }
    registry.preset_for("p", settings()).unwrap();
    registry.preset_for("p", with_threshold(1)).unwrap();
    // Another thread uses the breakers by name, and ends.
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
fn panicking_closure_leaves_registry_usable() {
    let registry = BreakerRegistry::new();
    let panicking = || registry.breaker_with("users", || panic!("the closure panics"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err());
    assert!(registry.is_empty());
    assert_opens_after(&registry.breaker_with("users", || with_threshold(3)), 3);
}

#[test]
fn dropped_registry_drops_its_listeners() {
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
        let settings = with_threshold(5).on_event(move |_| {
            let _ = &kept;
        });
        registry.register("users", settings).unwrap();
        for _ in 0..2 {
            let call = (|| Err::<(), _>("down")).with_breaker(&registry, "users");
            assert!(call.call().is_err());
        }
        drop(registry.remove("users").unwrap());
        assert_eq!(Arc::strong_count(&token), 1, "round {round}");
    }
}

#[test]
fn handles_outlive_registry() {
    fn assert_auto_traits<T: Send + Sync + Clone + 'static>(_: &T) {}
    let registry = BreakerRegistry::new();
    assert_auto_traits(&registry);
    let users = registry.breaker("users");
    assert!(!registry.is_empty());
    drop(registry);
    fail(&users);
    assert_eq!(users.failure_count(), 1);
    assert!(format!("{:?}", BreakerRegistry::new()).contains("BreakerRegistry"));
}

#[test]
fn refusals_name_their_breaker() {
    // Many breakers, because the refusals of different breakers must not share state.
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
fn registry_displays_as_table() {
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
