//! Settings whose captured values panic, block or call back when they are dropped.
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

/// Calls a closure when it is dropped.
struct OnDrop(Box<dyn Fn() + Send + Sync>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Panics when it is dropped, and counts that.
fn bomb(dropped: &Arc<AtomicUsize>) -> OnDrop {
    let dropped = dropped.clone();
    OnDrop(Box::new(move || {
        dropped.fetch_add(1, Relaxed);
        panic!("a drop that has broken");
    }))
}

/// Settings with a bomb in every place that holds user code.
fn mined(builder: BreakerBuilder, dropped: &Arc<AtomicUsize>) -> BreakerBuilder {
    let held = || {
        let bomb = bomb(dropped);
        move || {
            let _ = &bomb;
        }
    };
    let (one, two, three, four, five, six) = (held(), held(), held(), held(), held(), held());
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

/// Bombs in `mined` settings.
const MINES: usize = 6;

/// Counts how often it was woken.
struct Counting(Arc<AtomicUsize>);

impl Wake for Counting {
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

fn has(events: &mut EventStream, wanted: impl Fn(&Event) -> bool) -> bool {
    let all: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    all.iter().any(wanted)
}

fn is_configured(event: &Event) -> bool {
    matches!(event, Event::Configured { .. })
}

#[test]
fn configure_survives_drop_of_old_settings() {
    let dropped = Arc::<AtomicUsize>::default();
    let breaker = mined(builder(), &dropped).build().unwrap();
    let mut events = breaker.subscribe();
    breaker
        .configure(|_| builder().failure_threshold(7))
        .unwrap();
    assert_eq!(dropped.load(Relaxed), MINES, "each once");
    assert!(has(&mut events, is_configured));
    let rules = [TripRule::consecutive_failures(7)];
    assert_eq!(breaker.config().trip_rules(), rules);
}

#[tokio::test(start_paused = true)]
async fn configure_wakes_waiters_whatever_the_drop_does() {
    let dropped = Arc::<AtomicUsize>::default();
    let breaker = mined(builder(), &dropped)
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
    assert_eq!(dropped.load(Relaxed), MINES);
    let limit = Duration::from_secs(5);
    tokio::time::timeout(limit, waiter).await.unwrap().unwrap();
}

/// What is done by the time that the old settings are dropped, which may take its time.
#[test]
fn old_settings_are_dropped_last() {
    let events = Arc::<Mutex<Option<EventStream>>>::default();
    let woken = Arc::<AtomicUsize>::default();
    let seen = Arc::<Mutex<Vec<(bool, usize)>>>::default();
    let at_drop = {
        let (events, woken, seen) = (events.clone(), woken.clone(), seen.clone());
        OnDrop(Box::new(move || {
            let mut events = events.lock().unwrap();
            let configured = events.as_mut().is_some_and(|all| has(all, is_configured));
            seen.lock().unwrap().push((configured, woken.load(Relaxed)));
        }))
    };
    let breaker = builder()
        .redact_last_failure(move |text| {
            let _ = &at_drop;
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
    let waker = Waker::from(Arc::new(Counting(woken.clone())));
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
fn drop_may_call_its_breaker() {
    let registry = BreakerRegistry::new();
    let (theirs, seen) = (registry.clone(), Arc::<Mutex<Vec<State>>>::default());
    let log = seen.clone();
    let at_drop = OnDrop(Box::new(move || {
        let users = theirs.breaker("users");
        fail(&users);
        log.lock().unwrap().push(users.state());
    }));
    let settings = builder().redact_last_failure(move |text| {
        let _ = &at_drop;
        text.to_owned()
    });
    registry.register("users", settings).unwrap();
    let users = registry.breaker("users");
    users.configure(|_| builder()).unwrap();
    assert_eq!(*seen.lock().unwrap(), [State::Open]);
}

#[test]
fn registry_goes_on_whatever_the_drop_does() {
    let dropped = Arc::<AtomicUsize>::default();
    let taken = || dropped.swap(0, Relaxed);
    let mines = || mined(builder(), &dropped);
    let registry = BreakerRegistry::builder().capacity(3).build().unwrap();
    let mut events = registry.subscribe();

    // Adopted by `register`, and replaced by `configure`.
    let used = registry.breaker_with("adopted", mines);
    registry.register("adopted", builder()).unwrap();
    used.configure(|_| builder()).unwrap();
    assert_eq!(taken(), MINES);
    assert!(has(&mut events, |event| matches!(
        event,
        Event::BreakerAdopted { .. }
    )));
    drop(used);

    // Replaced by `configure`, twice.
    registry.configure("configured", mines()).unwrap();
    registry.configure("configured", mines().inherit()).unwrap();
    registry
        .configure("configured", builder().inherit())
        .unwrap();
    assert_eq!(taken(), 2 * MINES);
    assert!(has(&mut events, is_configured));

    // Evicted, and the breaker that came for it is announced and heard.
    registry.breaker_with("evicted", mines);
    let next = registry.breaker("next");
    assert_eq!(taken(), MINES);
    assert!(has(&mut events, |event| matches!(
        event,
        Event::BreakerEvicted { .. }
    )));
    fail(&next);
    assert!(has(&mut events, |event| matches!(
        event,
        Event::Recorded { .. }
    )));

    // Removed.
    registry.configure("configured", mines()).unwrap();
    drop(registry.remove("configured"));
    assert_eq!(taken(), MINES);
    assert!(has(&mut events, |event| matches!(
        event,
        Event::BreakerRemoved { .. }
    )));

    // With settings that cannot work.
    registry.breaker_with("refused", || mines().half_open_calls(0));
    assert_eq!(taken(), MINES);
    assert!(has(&mut events, |event| matches!(
        event,
        Event::SettingsRefused { .. }
    )));

    // With the registry, whose presets hold some.
    registry.preset_for("http:", mines()).unwrap();
    registry.preset_for("http:", builder()).unwrap();
    assert_eq!(taken(), MINES, "of a preset that was replaced");
    registry.preset_for("http:", mines()).unwrap();
    drop((registry, next));
    assert_eq!(taken(), MINES);
}

#[test]
#[cfg(feature = "serde")]
fn apply_configures_every_breaker_whatever_the_drop_does() {
    let dropped = Arc::<AtomicUsize>::default();
    let registry = BreakerRegistry::new();
    for name in ["a", "b", "c"] {
        let users = mined(CircuitBreaker::builder(), &dropped);
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
    // Code replaces the mines, and the document lies on top.
    for name in ["a", "b", "c"] {
        let settings = CircuitBreaker::builder().inherit();
        registry.configure(name, settings).unwrap();
    }
    apply(5).unwrap();
    assert_eq!(dropped.load(Relaxed), 3 * MINES);
}

#[test]
fn thread_that_ends_survives_drop_of_its_handles() {
    let dropped = Arc::<AtomicUsize>::default();
    let registry = BreakerRegistry::new();
    registry
        .register("users", mined(builder(), &dropped))
        .unwrap();
    let worker = thread::spawn(move || {
        let call = (|| Ok::<_, fmt::Error>(1)).with_breaker(&registry, "users");
        assert_eq!(call.call().unwrap(), 1);
        // Its own handle is the last one.
        drop(call);
        drop(registry);
    });
    worker.join().unwrap();
    assert_eq!(dropped.load(Relaxed), MINES);
}

#[test]
fn clock_whose_drop_panics_is_contained() {
    struct Mined(ManualClock, OnDrop);
    impl Clock for Mined {
        fn now(&self) -> Duration {
            let _ = &self.1;
            self.0.now()
        }
    }
    let dropped = Arc::<AtomicUsize>::default();
    let clock = || Mined(ManualClock::new(), bomb(&dropped));
    drop(builder().clock(clock()).build().unwrap());
    drop(BreakerRegistry::builder().clock(clock()).build().unwrap());
    drop(builder().clock(clock()).failure_threshold(0).build());
    assert_eq!(dropped.load(Relaxed), 3);
}

#[test]
fn delivery_goes_on_when_a_listener_replaces_its_settings() {
    let dropped = Arc::<AtomicUsize>::default();
    let later = Arc::<Mutex<Option<CircuitBreaker>>>::default();
    let heard = Arc::<Mutex<Vec<State>>>::default();
    let (there, log) = (later.clone(), heard.clone());
    let registry = BreakerRegistry::builder().on_event(move |event| {
        if let Event::StateChanged { to, .. } = event {
            log.lock().unwrap().push(*to);
            let breaker = there.lock().unwrap().take();
            if let Some(breaker) = breaker {
                breaker.configure(|_| builder()).unwrap();
                breaker.half_open();
                breaker.reset();
            }
        }
    });
    let registry = registry.build().unwrap();
    let users = registry.register("users", mined(builder(), &dropped));
    let users = users.unwrap();
    *later.lock().unwrap() = Some(users.clone());
    users.trip();
    assert_eq!(dropped.load(Relaxed), MINES);
    let expected = [State::Open, State::HalfOpen, State::Closed];
    assert_eq!(*heard.lock().unwrap(), expected);
    users.trip();
    assert_eq!(heard.lock().unwrap().len(), 4, "the delivery has ended");
}
