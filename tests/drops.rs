//! Settings whose captured values panic, or call a breaker, when they are dropped.
#![cfg(not(any(loom, shuttle, tsan)))]
#![allow(missing_docs)]

use breakerbox::clock::{Clock, ManualClock};
use breakerbox::prelude::*;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

/// A value that calls a closure when it is dropped.
struct OnDrop(Box<dyn Fn() + Send + Sync>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Returns a value whose drop increments `dropped` and then panics.
fn panics_on_drop(dropped: &Arc<AtomicUsize>) -> OnDrop {
    let dropped = dropped.clone();
    OnDrop(Box::new(move || {
        dropped.fetch_add(1, Relaxed);
        panic!("the drop panics");
    }))
}

/// Adds a value that panics on drop to each setting that holds user code.
fn add_panicking_drops(builder: BreakerBuilder, dropped: &Arc<AtomicUsize>) -> BreakerBuilder {
    let capture = || {
        let value = panics_on_drop(dropped);
        move || {
            let _ = &value;
        }
    };
    let (one, two, three, four, five, six) = (
        capture(),
        capture(),
        capture(),
        capture(),
        capture(),
        capture(),
    );
    builder
        .on_event(move |_| one())
        .expected_error_if(move |_: &fmt::Error| {
            two();
            true
        })
        .expected_value_if(move |_: &&str| {
            three();
            true
        })
        .ignored_error_if(move |_: &fmt::Error| {
            four();
            false
        })
        .ignored_value_if(move |_: &String| {
            five();
            false
        })
        .redact_last_failure(move |text| {
            six();
            text.to_owned()
        })
}

/// The number of values that `add_panicking_drops` adds.
const PANICKING_DROPS: usize = 6;

/// A waker that counts its wake-ups.
struct CountingWaker(Arc<AtomicUsize>);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn builder() -> BreakerBuilder {
    CircuitBreaker::builder().failure_threshold(1)
}

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

fn any_event(events: &mut EventStream, wanted: impl Fn(&Event) -> bool) -> bool {
    let all: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    all.iter().any(wanted)
}

fn is_configured(event: &Event) -> bool {
    matches!(event, Event::Configured { .. })
}

#[test]
fn configure_survives_panicking_drop() {
    let dropped = Arc::<AtomicUsize>::default();
    let breaker = add_panicking_drops(builder(), &dropped).build().unwrap();
    let mut events = breaker.subscribe();
    breaker
        .configure(|_| builder().failure_threshold(7))
        .unwrap();
    assert_eq!(
        dropped.load(Relaxed),
        PANICKING_DROPS,
        "each value is dropped once"
    );
    assert!(any_event(&mut events, is_configured));
    let rules = [TripRule::consecutive_failures(7)];
    assert_eq!(breaker.config().trip_rules(), rules);
}

#[tokio::test(start_paused = true)]
async fn configure_wakes_waiters_despite_panicking_drop() {
    let dropped = Arc::<AtomicUsize>::default();
    let breaker = add_panicking_drops(builder(), &dropped)
        .recovery_timeout(Duration::from_secs(1 << 30))
        .build()
        .unwrap();
    breaker.trip();
    let waiter = tokio::spawn({
        let breaker = breaker.clone();
        async move { breaker.until_ready().await.success() }
    });
    tokio::task::yield_now().await;
    breaker
        .configure(|_| builder().mode(Mode::MetricsOnly))
        .unwrap();
    assert_eq!(dropped.load(Relaxed), PANICKING_DROPS);
    let limit = Duration::from_secs(5);
    tokio::time::timeout(limit, waiter).await.unwrap().unwrap();
}

/// A drop may be slow, so it must delay neither events nor wake-ups.
#[test]
fn configure_drops_old_settings_last() {
    let events = Arc::<Mutex<Option<EventStream>>>::default();
    let woken = Arc::<AtomicUsize>::default();
    let seen = Arc::<Mutex<Vec<(bool, usize)>>>::default();
    let on_drop = {
        let (events, woken, seen) = (events.clone(), woken.clone(), seen.clone());
        OnDrop(Box::new(move || {
            let mut events = events.lock().unwrap();
            let configured = events
                .as_mut()
                .is_some_and(|all| any_event(all, is_configured));
            seen.lock().unwrap().push((configured, woken.load(Relaxed)));
        }))
    };
    let breaker = builder()
        .redact_last_failure(move |text| {
            let _ = &on_drop;
            text.to_owned()
        })
        .build()
        .unwrap();
    breaker.force_open();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let waker = Waker::from(Arc::new(CountingWaker(woken.clone())));
    let mut waiting = pin!(breaker.until_ready());
    let polled = waiting.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    *events.lock().unwrap() = Some(breaker.subscribe());
    breaker
        .configure(|_| builder().mode(Mode::Disabled))
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), [(true, 1)]);
}

#[test]
fn drop_of_settings_may_call_breaker() {
    let registry = BreakerRegistry::new();
    let (inner, seen) = (registry.clone(), Arc::<Mutex<Vec<State>>>::default());
    let log = seen.clone();
    let on_drop = OnDrop(Box::new(move || {
        let users = inner.breaker("users");
        fail(&users);
        log.lock().unwrap().push(users.state());
    }));
    let settings = builder().redact_last_failure(move |text| {
        let _ = &on_drop;
        text.to_owned()
    });
    registry.register("users", settings).unwrap();
    let users = registry.breaker("users");
    users.configure(|_| builder()).unwrap();
    assert_eq!(*seen.lock().unwrap(), [State::Open]);
}

#[test]
fn registry_survives_panicking_drops() {
    let dropped = Arc::<AtomicUsize>::default();
    let take_count = || dropped.swap(0, Relaxed);
    let settings = || add_panicking_drops(builder(), &dropped);
    let registry = BreakerRegistry::builder().capacity(3).build().unwrap();
    let mut events = registry.subscribe();

    // `register` adopts the breaker, and `configure` replaces its settings.
    let used = registry.breaker_with("adopted", settings);
    registry.register("adopted", builder()).unwrap();
    used.configure(|_| builder()).unwrap();
    assert_eq!(take_count(), PANICKING_DROPS);
    assert!(any_event(&mut events, |event| matches!(
        event,
        Event::BreakerAdopted { .. }
    )));
    drop(used);

    // `configure` replaces the settings twice.
    registry.configure("configured", settings()).unwrap();
    registry
        .configure("configured", settings().inherit())
        .unwrap();
    registry
        .configure("configured", builder().inherit())
        .unwrap();
    assert_eq!(take_count(), 2 * PANICKING_DROPS);
    assert!(any_event(&mut events, is_configured));

    // The breaker is evicted. Listeners still receive the events of the new breaker.
    registry.breaker_with("evicted", settings);
    let next = registry.breaker("next");
    assert_eq!(take_count(), PANICKING_DROPS);
    assert!(any_event(&mut events, |event| matches!(
        event,
        Event::BreakerEvicted { .. }
    )));
    fail(&next);
    assert!(any_event(&mut events, |event| matches!(
        event,
        Event::Recorded { .. }
    )));

    // The breaker is removed.
    registry.configure("configured", settings()).unwrap();
    drop(registry.remove("configured"));
    assert_eq!(take_count(), PANICKING_DROPS);
    assert!(any_event(&mut events, |event| matches!(
        event,
        Event::BreakerRemoved { .. }
    )));

    // The settings are invalid.
    registry.breaker_with("refused", || settings().half_open_calls(0));
    assert_eq!(take_count(), PANICKING_DROPS);
    assert!(any_event(&mut events, |event| matches!(
        event,
        Event::SettingsRefused { .. }
    )));

    // A preset is replaced, and then the registry is dropped with its presets.
    registry.preset_for("http:", settings()).unwrap();
    registry.preset_for("http:", builder()).unwrap();
    assert_eq!(take_count(), PANICKING_DROPS, "the replaced preset");
    registry.preset_for("http:", settings()).unwrap();
    drop((registry, next));
    assert_eq!(take_count(), PANICKING_DROPS);
}

#[test]
#[cfg(feature = "serde")]
fn apply_configures_every_breaker_despite_panicking_drops() {
    let dropped = Arc::<AtomicUsize>::default();
    let registry = BreakerRegistry::new();
    for name in ["a", "b", "c"] {
        let users = add_panicking_drops(CircuitBreaker::builder(), &dropped);
        registry.register(name, users).unwrap();
    }
    let apply = |threshold: u32| {
        let each = serde_json::json!({ "failure_threshold": threshold });
        let breakers = serde_json::json!({ "a": each, "b": each, "c": each, "d": each });
        let document = serde_json::json!({ "breakers": breakers });
        registry.apply(&serde_json::from_value(document).unwrap())
    };
    let mut events = registry.subscribe();
    for threshold in [3, 4] {
        apply(threshold).unwrap();
        for breaker in &registry {
            let rules = [TripRule::consecutive_failures(threshold)];
            assert_eq!(breaker.config().trip_rules(), rules);
        }
        let configured = std::iter::from_fn(|| events.try_next());
        let configured = configured.filter(is_configured).count();
        assert!(configured >= 3, "at {threshold}: {configured}");
    }
    // Code replaces the values that panic. The document still takes precedence.
    for name in ["a", "b", "c"] {
        let settings = CircuitBreaker::builder().inherit();
        registry.configure(name, settings).unwrap();
    }
    apply(5).unwrap();
    assert_eq!(dropped.load(Relaxed), 3 * PANICKING_DROPS);
}

#[test]
fn worker_thread_survives_panicking_drop() {
    let dropped = Arc::<AtomicUsize>::default();
    let registry = BreakerRegistry::new();
    registry
        .register("users", add_panicking_drops(builder(), &dropped))
        .unwrap();
    let worker = thread::spawn(move || {
        let call = (|| Ok::<_, fmt::Error>(1)).with_breaker(&registry, "users");
        assert_eq!(call.call().unwrap(), 1);
        // The registry holds the last reference to the breaker, so this thread drops the settings.
        drop(call);
        drop(registry);
    });
    worker.join().unwrap();
    assert_eq!(dropped.load(Relaxed), PANICKING_DROPS);
}

#[test]
fn panicking_drop_of_clock_is_caught() {
    struct PanickingClock(ManualClock, OnDrop);
    impl Clock for PanickingClock {
        fn now(&self) -> Duration {
            let _ = &self.1;
            self.0.now()
        }
    }
    let dropped = Arc::<AtomicUsize>::default();
    let clock = || PanickingClock(ManualClock::new(), panics_on_drop(&dropped));
    drop(builder().clock(clock()).build().unwrap());
    drop(BreakerRegistry::builder().clock(clock()).build().unwrap());
    drop(builder().clock(clock()).failure_threshold(0).build());
    assert_eq!(dropped.load(Relaxed), 3);
}

#[test]
fn delivery_continues_after_listener_replaces_settings() {
    let dropped = Arc::<AtomicUsize>::default();
    let breaker_slot = Arc::<Mutex<Option<CircuitBreaker>>>::default();
    let received = Arc::<Mutex<Vec<State>>>::default();
    let (slot, log) = (breaker_slot.clone(), received.clone());
    let registry = BreakerRegistry::builder().on_event(move |event| {
        if let Event::StateChanged { to, .. } = event {
            log.lock().unwrap().push(*to);
            let breaker = slot.lock().unwrap().take();
            if let Some(breaker) = breaker {
                breaker.configure(|_| builder()).unwrap();
                breaker.half_open();
                breaker.reset();
            }
        }
    });
    let registry = registry.build().unwrap();
    let users = registry.register("users", add_panicking_drops(builder(), &dropped));
    let users = users.unwrap();
    *breaker_slot.lock().unwrap() = Some(users.clone());
    users.trip();
    assert_eq!(dropped.load(Relaxed), PANICKING_DROPS);
    let expected = [State::Open, State::HalfOpen, State::Closed];
    assert_eq!(*received.lock().unwrap(), expected);
    users.trip();
    assert_eq!(
        received.lock().unwrap().len(),
        4,
        "later events are delivered"
    );
}
