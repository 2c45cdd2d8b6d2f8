//! Eviction: which breakers make room for new names, and which stay.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{Event, Mode, NotKept, RegistryBuilder, RegistryError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn with_capacity(capacity: usize) -> BreakerRegistry {
    BreakerRegistry::builder()
        .capacity(capacity)
        .build()
        .unwrap()
}

fn recording(builder: RegistryBuilder) -> (BreakerRegistry, Arc<Mutex<Vec<Event>>>) {
    let events: Arc<Mutex<Vec<Event>>> = Arc::default();
    let log = events.clone();
    let listener = move |event: &Event| log.lock().unwrap().push(event.clone());
    (builder.on_event(listener).build().unwrap(), events)
}

fn fail(registry: &BreakerRegistry, name: &str) {
    let _ = (|| Err::<(), _>("down"))
        .with_breaker(registry, name)
        .call();
}

fn pass(registry: &BreakerRegistry, name: &str) {
    let _ = (|| Ok::<(), String>(()))
        .with_breaker(registry, name)
        .call();
}

fn names(registry: &BreakerRegistry) -> Vec<String> {
    registry
        .iter()
        .map(|breaker| breaker.name().to_owned())
        .collect()
}

#[test]
fn registry_never_exceeds_capacity() {
    for capacity in [1, 2, 7, 100] {
        let registry = with_capacity(capacity);
        for name in 0..500 {
            pass(&registry, &name.to_string());
            assert!(registry.len() <= capacity);
        }
        assert_eq!(registry.len(), capacity);
        assert!(registry.get("499").is_some(), "the newest name is kept");
    }
}

#[test]
fn eviction_takes_clean_first_then_oldest() {
    let (registry, events) = recording(BreakerRegistry::builder().capacity(6));
    for name in ["f1", "f2", "f3"] {
        fail(&registry, name);
    }
    for name in ["c1", "c2", "c3"] {
        pass(&registry, name);
    }
    let evicted_names = || -> Vec<String> {
        let events = events.lock().unwrap();
        let evicted = events
            .iter()
            .filter(|event| matches!(event, Event::BreakerEvicted { .. }));
        evicted.map(|event| event.breaker().to_owned()).collect()
    };
    for name in ["n1", "n2", "n3", "n4", "n5", "n6"] {
        fail(&registry, name);
    }
    assert_eq!(evicted_names(), ["c1", "c2", "c3", "f1", "f2", "f3"]);
}

#[test]
fn recovered_breaker_is_evicted_before_failing_one() {
    // If a rule has a window, the success may still be in the success buffer.
    let window = TripRule::failures(9).over(Window::calls(10));
    let plain = CircuitBreaker::builder();
    for settings in [plain.clone(), plain.trip_when(window)] {
        let registry = BreakerRegistry::builder()
            .default_preset(settings)
            .capacity(3);
        let registry = registry.build().unwrap();
        fail(&registry, "x");
        fail(&registry, "y");
        pass(&registry, "z");
        // Evicts `z`, because `x` and `y` are failing.
        pass(&registry, "z2");
        pass(&registry, "x");
        pass(&registry, "z3");
        assert!(
            registry.get("y").is_some(),
            "still failing: {:?}",
            names(&registry)
        );
    }
}

#[test]
fn used_breaker_survives_flood() {
    let registry = with_capacity(10);
    for name in 0..2_000 {
        pass(&registry, "busy");
        pass(&registry, &name.to_string());
    }
    let totals = registry.get("busy").unwrap().snapshot().totals;
    assert_eq!(totals.success, Some(2_000), "never evicted");
}

#[test]
fn registered_and_configured_breakers_are_never_evicted() {
    let registry = with_capacity(4);
    registry
        .register("registered", CircuitBreaker::builder())
        .unwrap();
    registry
        .configure("configured", CircuitBreaker::builder())
        .unwrap();
    pass(&registry, "adopted");
    registry
        .register("adopted", CircuitBreaker::builder())
        .unwrap();
    for name in 0..1_000 {
        fail(&registry, &name.to_string());
    }
    for name in ["registered", "configured", "adopted"] {
        assert!(registry.get(name).is_some(), "{name}");
    }
    registry
        .register("last", CircuitBreaker::builder())
        .unwrap();
    let full = registry
        .register("extra", CircuitBreaker::builder())
        .unwrap_err();
    assert!(
        matches!(&full, RegistryError::Full { capacity: 4, .. }),
        "{full}"
    );
    registry.remove("last").unwrap();
    registry
        .register("extra", CircuitBreaker::builder())
        .unwrap();
    assert_eq!(registry.len(), 4);
}

#[test]
fn open_breakers_stay_until_their_deadline() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .capacity(5)
        .clock(clock.clone())
        .build()
        .unwrap();
    registry.breaker("open").trip();
    registry.breaker("longer").trip_for(Duration::from_secs(60));
    registry.breaker("forced").force_open();
    registry.breaker("disabled").disable();
    let flood = |from: u32| (from..from + 300).for_each(|n| fail(&registry, &n.to_string()));
    flood(0);
    for name in ["open", "longer", "forced", "disabled"] {
        assert!(registry.get(name).is_some(), "{name}");
    }
    clock.advance(Duration::from_secs(30));
    flood(1_000);
    assert!(registry.get("open").is_none(), "its deadline has passed");
    assert!(registry.get("longer").is_some());
    clock.advance(Duration::from_secs(30));
    flood(2_000);
    assert!(registry.get("longer").is_none());
    assert!(
        registry.get("forced").is_some(),
        "a forced state has no deadline"
    );
    assert!(
        registry.get("disabled").is_some(),
        "a state set by command stays"
    );
}

#[test]
fn mode_from_settings_does_not_prevent_eviction() {
    for mode in [Mode::Disabled, Mode::MetricsOnly] {
        let preset = CircuitBreaker::builder().mode(mode);
        let registry = BreakerRegistry::builder()
            .capacity(5)
            .default_preset(preset)
            .build()
            .unwrap();
        for name in 0..200 {
            fail(&registry, &name.to_string());
        }
        assert!(registry.get("199").is_some());
        assert_eq!(registry.len(), 5);
    }
}

#[test]
fn half_open_breaker_without_trials_is_evicted() {
    let registry = with_capacity(2);
    registry.breaker("trial").half_open();
    let permit = registry.breaker("trial").try_acquire().unwrap();
    (0..50).for_each(|n| fail(&registry, &n.to_string()));
    assert!(registry.get("trial").is_some(), "a trial is in flight");
    drop(permit);
    (50..99).for_each(|n| fail(&registry, &n.to_string()));
    assert!(registry.get("trial").is_none());
}

#[tokio::test]
async fn held_breakers_are_never_evicted() {
    let (registry, events) = recording(BreakerRegistry::builder().capacity(6));
    let handle = registry.breaker("handle");
    // The first look-up fills the handle table of this thread, and the second hits it.
    pass(&registry, "future");
    let future = async { Ok::<(), String>(()) }.with_breaker(&registry, "future");
    let function = (|| Ok::<(), String>(())).with_breaker(&registry, "function");
    let permit = registry.breaker("permit").try_acquire().unwrap();
    let refusal = {
        registry.breaker("refusal").force_open();
        let refusal = registry.breaker("refusal").try_acquire().unwrap_err();
        registry.breaker("refusal").reset();
        refusal
    };
    let borrowed = registry.breaker("borrowed");
    let call = async { Ok::<(), String>(()) }.guarded_by(&borrowed);
    // The handle table has fewer slots than there are names, so the new names displace the handles above.
    for name in 0..3_000 {
        fail(&registry, &name.to_string());
    }
    let held = [
        "borrowed", "function", "future", "handle", "permit", "refusal",
    ];
    assert_eq!(names(&registry), held);
    let is_no_room = |event: &&Event| {
        matches!(
            event,
            Event::NotKept {
                reason: NotKept::NoRoom,
                ..
            }
        )
    };
    assert_eq!(
        events.lock().unwrap().iter().filter(is_no_room).count(),
        3_000
    );
    assert!(future.await.is_ok() && call.await.is_ok() && function.call().is_ok());
    permit.success();
    assert_eq!(handle.state(), State::Closed);
    drop((handle, function, refusal, borrowed));
    for name in 0..100 {
        fail(&registry, &name.to_string());
    }
    assert!(
        held.iter().all(|name| registry.get(name).is_none()),
        "{:?}",
        names(&registry)
    );
    assert_eq!(registry.len(), 6);
}

#[test]
fn guarded_function_protects_breaker_after_thread_exit() {
    let registry = with_capacity(2);
    let guarded = thread::scope(|scope| {
        let guarded = scope.spawn(|| {
            pass(&registry, "moved");
            (|| Err::<(), _>("down")).with_breaker(&registry, "moved")
        });
        guarded.join().unwrap()
    });
    for name in 0..100 {
        fail(&registry, &name.to_string());
    }
    let _ = guarded.call();
    assert_eq!(registry.get("moved").unwrap().failure_count(), 1);
    drop(guarded);
    for name in 0..100 {
        fail(&registry, &name.to_string());
    }
    assert!(registry.get("moved").is_none());
}

#[test]
fn cached_handles_do_not_prevent_eviction() {
    let registry = with_capacity(4);
    let barrier = std::sync::Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for name in ["a", "b", "c", "d"] {
                    pass(&registry, name);
                }
                barrier.wait();
                barrier.wait();
                for name in ["a", "b", "c", "d"] {
                    // A cached handle must not be used once its breaker is marked as removed.
                    fail(&registry, name);
                }
            });
        }
        barrier.wait();
        for name in 0..100 {
            fail(&registry, &name.to_string());
        }
        assert!(registry.get("a").is_none());
        barrier.wait();
    });
    for name in ["a", "b", "c", "d"] {
        let failures = registry.get(name).map(|breaker| breaker.failure_count());
        assert!(
            failures.is_some_and(|failures| failures > 0),
            "{name} {failures:?}"
        );
    }
}

#[test]
fn idle_breakers_are_evicted_below_capacity() {
    let clock = ManualClock::new();
    let (registry, events) = recording(
        BreakerRegistry::builder()
            .idle_timeout(Duration::from_secs(60))
            .clock(clock.clone()),
    );
    let held = registry.breaker("held");
    registry
        .register("registered", CircuitBreaker::builder())
        .unwrap();
    registry.breaker("forced").force_open();
    pass(&registry, "clean");
    fail(&registry, "failing");
    for minute in 0..50 {
        pass(&registry, "busy");
        pass(&registry, &format!("minute {minute}"));
        clock.advance(Duration::from_secs(10));
    }
    assert!(registry.get("clean").is_none() && registry.get("failing").is_none());
    for name in ["held", "registered", "forced", "busy"] {
        assert!(registry.get(name).is_some(), "{name}");
    }
    assert!(registry.len() < 20, "{:?}", names(&registry));
    let busy = registry.get("busy").unwrap().snapshot().totals.success;
    assert_eq!(busy, Some(50), "a used breaker stays");
    let evicted = |event: &&Event| matches!(event, Event::BreakerEvicted { .. });
    assert!(events.lock().unwrap().iter().filter(evicted).count() > 30);
    drop(held);
}

/// A registry that evicts breakers after a minute without use.
struct Idle {
    clock: ManualClock,
    registry: BreakerRegistry,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Idle {
    const TIMEOUT: Duration = Duration::from_secs(60);
    const ALMOST: Duration = Duration::from_nanos(59_999_999_999);

    fn new() -> Self {
        let clock = ManualClock::new();
        let (registry, events) = recording(
            BreakerRegistry::builder()
                .idle_timeout(Self::TIMEOUT)
                .clock(clock.clone()),
        );
        Self {
            clock,
            registry,
            events,
        }
    }

    /// Looks up a new name and removes it again. Only such a miss evicts idle breakers.
    fn cause_miss(&self) {
        self.registry.breaker("new");
        self.registry.remove("new");
    }

    fn is_evicted(&self, name: &str) -> bool {
        let events = self.events.lock().unwrap();
        let is_eviction = |event: &Event| matches!(event, Event::BreakerEvicted { .. });
        events
            .iter()
            .any(|event| is_eviction(event) && event.breaker() == name)
    }

    /// Asserts that `name`, which is idle from now on, is evicted exactly at the timeout.
    #[track_caller]
    fn assert_evicted_at_timeout(&self, name: &str) {
        self.clock.advance(Self::ALMOST);
        self.cause_miss();
        assert!(!self.is_evicted(name), "evicted a nanosecond early");
        self.clock.advance(Duration::from_nanos(1));
        self.cause_miss();
        assert!(self.is_evicted(name));
    }
}

/// A successful and a failed call by name.
const CALLS: [fn(&BreakerRegistry, &str); 2] = [pass, fail];

#[test]
fn idle_name_is_evicted_exactly_at_timeout() {
    for call in CALLS {
        let idle = Idle::new();
        idle.clock.advance(Duration::from_secs(7));
        call(&idle.registry, "users");
        // The miss notices that the breaker was used.
        idle.cause_miss();
        idle.assert_evicted_at_timeout("users");
    }
}

#[test]
fn idle_timeout_begins_with_creation() {
    let idle = Idle::new();
    idle.clock.advance(Duration::from_secs(7));
    idle.registry.breaker("users");
    idle.assert_evicted_at_timeout("users");
}

#[test]
fn idle_timeout_is_renewed_by_use() {
    for call in CALLS {
        let idle = Idle::new();
        call(&idle.registry, "users");
        for _ in 0..3 {
            idle.clock.advance(Idle::TIMEOUT);
            call(&idle.registry, "users");
            idle.cause_miss();
            assert!(!idle.is_evicted("users"));
        }
        idle.assert_evicted_at_timeout("users");
    }
}

#[test]
fn idle_timeout_is_renewed_by_held_handle() {
    for call in CALLS {
        let idle = Idle::new();
        call(&idle.registry, "users");
        let held = idle.registry.get("users").unwrap();
        for _ in 0..3 {
            idle.clock.advance(Idle::TIMEOUT);
            idle.cause_miss();
            assert!(!idle.is_evicted("users"));
        }
        drop(held);
        idle.assert_evicted_at_timeout("users");
    }
}

#[test]
fn removed_names_leave_no_memory() {
    // Far below the capacity, where a miss does not look for eviction candidates.
    let registry = with_capacity(10_000);
    let before = resident_memory();
    for n in 0..200_000 {
        let name = n.to_string();
        registry.breaker(&name);
        registry.remove(&name);
    }
    assert!(registry.is_empty());
    assert_grew_less_than(before, 8 << 20);
}

/// `examples/many_names.rs` does the same with ten million names.
#[test]
fn flood_of_failing_names_spares_open_breaker() {
    const NAMES: u32 = 200_000;
    let registry = with_capacity(1_000);
    registry
        .breaker("protects")
        .trip_for(Duration::from_secs(3_600));
    let flood = |from: u32, to: u32| (from..to).for_each(|n| fail(&registry, &n.to_string()));
    flood(0, 20_000);
    let before = resident_memory();
    let started = Instant::now();
    flood(20_000, NAMES);
    let time_per_name = started.elapsed() / (NAMES - 20_000);
    assert_eq!(registry.len(), 1_000);
    assert_eq!(registry.get("protects").unwrap().state(), State::Open);
    assert_grew_less_than(before, 4 << 20);
    // The bound is generous: the build is not optimized, and other tests run in parallel.
    assert!(
        time_per_name < Duration::from_micros(200),
        "{time_per_name:?} a name"
    );
}

/// Nine out of ten breakers are open before their deadline, forced open, or held.
#[test]
fn protected_breakers_stay_in_flood_of_names() {
    const CAPACITY: usize = 10_000;
    const PROTECTED: usize = 9_000;
    const NEW: usize = 5_000;
    let (clock, counts) = (
        ManualClock::new(),
        Arc::new([const { AtomicUsize::new(0) }; 4]),
    );
    let [evicted, protected_evicted, added, not_kept] = [0, 1, 2, 3];
    let counted = counts.clone();
    let registry = BreakerRegistry::builder()
        .capacity(CAPACITY)
        .clock(clock.clone())
        .on_event(move |event| {
            let count = |at: usize| counted[at].fetch_add(1, Ordering::Relaxed);
            match event {
                Event::BreakerEvicted { breaker, .. } => {
                    count(evicted);
                    if breaker.starts_with("protected") {
                        count(protected_evicted);
                    }
                }
                Event::BreakerAdded { .. } => drop(count(added)),
                Event::NotKept { .. } => drop(count(not_kept)),
                _ => {}
            }
        });
    let registry = registry.build().unwrap();
    let count = |at: usize| counts[at].swap(0, Ordering::Relaxed);
    let mut held = Vec::new();
    for n in 0..CAPACITY {
        // Idle breakers are spread evenly among the protected ones.
        if n % 10 == 0 {
            pass(&registry, &format!("idle {n}"));
            continue;
        }
        let breaker = registry.breaker(format!("protected {n}"));
        match n % 10 {
            1 => held.push(breaker),
            2 => breaker.force_open(),
            _ => breaker.trip_for(Duration::from_secs(60)),
        }
    }
    assert_eq!((registry.len(), count(added)), (CAPACITY, CAPACITY));
    let flood = |round: &str| {
        thread::scope(|scope| {
            for thread in 0..2 {
                let registry = &registry;
                scope.spawn(move || {
                    for n in 0..NEW {
                        fail(registry, &format!("{round} {thread} {n}"));
                        assert_eq!(registry.len(), CAPACITY);
                    }
                });
            }
        });
    };

    flood("before the deadline");
    assert_eq!(count(protected_evicted), 0);
    let (evicted_count, added_count, not_kept_count) =
        (count(evicted), count(added), count(not_kept));
    assert_eq!(
        (evicted_count, added_count + not_kept_count),
        (added_count, 2 * NEW)
    );
    assert!(
        added_count > NEW,
        "most samples contain an idle breaker: {added_count}"
    );
    let is_protected = |breaker: &CircuitBreaker| breaker.name().starts_with("protected");
    assert_eq!(registry.iter().filter(is_protected).count(), PROTECTED);

    clock.advance(Duration::from_secs(60));
    flood("after the deadline");
    let evicted_count = count(protected_evicted);
    assert!(
        evicted_count > NEW,
        "the deadlines have passed: {evicted_count}"
    );
    assert_eq!(count(not_kept), 0, "each sample contains a candidate");
    for breaker in registry.iter().filter(is_protected) {
        let expected = [State::Closed, State::ForcedOpen, State::HalfOpen];
        assert!(expected.contains(&breaker.state()), "{breaker:?}");
    }
    assert_eq!(registry.open_breakers().len(), 1_000);
    for breaker in held {
        let found = registry.get(breaker.name()).expect("a held breaker stays");
        fail(&registry, found.name());
        assert_eq!(breaker.failure_count(), 1, "{breaker:?}");
    }
}

/// The least recently used breaker of a large sample is nearly the least recently used of all.
#[test]
fn used_breakers_outlast_idle_breakers() {
    let (registry, events) = recording(BreakerRegistry::builder().capacity(2_000));
    for _ in 0..2 {
        (0..1_000).for_each(|n| pass(&registry, &format!("used {n}")));
    }
    (0..1_000).for_each(|n| pass(&registry, &format!("idle {n}")));
    (0..600).for_each(|n| pass(&registry, &format!("new {n}")));
    let events = events.lock().unwrap();
    let evicted = |prefix: &str| {
        let is_eviction = |event: &&Event| {
            matches!(event, Event::BreakerEvicted { .. }) && event.breaker().starts_with(prefix)
        };
        events.iter().filter(is_eviction).count()
    };
    assert!(evicted("idle") > 590, "{}", evicted("idle"));
}

#[test]
fn concurrent_floods_never_exceed_capacity() {
    const THREADS: usize = 4;
    let (capacity, calls) = (50, AtomicUsize::new(0));
    let registry = with_capacity(capacity);
    let held: Vec<_> = (0..10)
        .map(|n| registry.breaker(format!("held {n}")))
        .collect();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (registry, calls) = (&registry, &calls);
            scope.spawn(move || {
                for n in 0..5_000 {
                    // All threads share half of the names.
                    let name = if n % 2 == 0 {
                        n.to_string()
                    } else {
                        format!("{thread} {n}")
                    };
                    fail(registry, &name);
                    if n % 7 == 0 {
                        registry.remove(&name);
                    }
                    assert!(registry.len() <= capacity);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(calls.into_inner(), 5_000 * THREADS);
    for breaker in held {
        fail(&registry, breaker.name());
        assert_eq!(
            breaker.failure_count(),
            1,
            "the held breaker was never replaced"
        );
    }
}

/// One thread takes and drops handles while another evicts. A call by name that is made while a
/// handle exists must reach the breaker of that handle.
#[test]
fn handle_racing_with_eviction_stays_valid() {
    let never_trips = CircuitBreaker::builder().failure_threshold(u32::MAX);
    let evicted = Arc::new(AtomicUsize::new(0));
    let counted = evicted.clone();
    let registry = BreakerRegistry::builder()
        .capacity(8)
        .default_preset(never_trips)
        .on_event(move |event| {
            let is_eviction = matches!(event, Event::BreakerEvicted { .. });
            if is_eviction && event.breaker() == "contended" {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        })
        .build()
        .unwrap();
    let created = thread::scope(|scope| {
        let registry = &registry;
        let holder = scope.spawn(move || {
            let mut created = 0;
            for round in 0..500 {
                let handle = registry.breaker("contended");
                let before = handle.failure_count();
                created += u32::from(before == 0);
                fail(registry, "contended");
                assert_eq!(handle.failure_count(), before + 1);
                let before = evicted.load(Ordering::SeqCst);
                drop(handle);
                // In every other round, wait until the breaker is evicted. Give up if the evictor is slow.
                let mut attempts = 100_000;
                while round % 2 == 0 && evicted.load(Ordering::SeqCst) == before && attempts > 0 {
                    attempts -= 1;
                    thread::yield_now();
                }
            }
            created
        });
        (0..u32::MAX)
            .take_while(|_| !holder.is_finished())
            .for_each(|n| fail(registry, &n.to_string()));
        holder.join().unwrap()
    });
    assert!(
        created > 1,
        "created only {created} times, so never evicted between two handles"
    );
}

/// One thread is refused and drops its handle while another evicts. The error alone must protect
/// the breaker. An eviction that reads the links before the handles can miss both.
#[test]
fn refusal_racing_with_eviction_protects_breaker() {
    let registry = with_capacity(2);
    let evicted = thread::scope(|scope| {
        let registry = &registry;
        let caller = scope.spawn(move || {
            let mut evicted = 0;
            for _ in 0..2_000 {
                let handle = registry.breaker("contended");
                evicted += u32::from(handle.snapshot().totals.refused == 0);
                handle.force_open();
                let refusal = handle.try_acquire().expect_err("forced open");
                handle.reset();
                let refused = handle.snapshot().totals.refused;
                drop(handle);
                thread::yield_now();
                let kept = registry.get("contended").map(|kept| kept.snapshot());
                assert_eq!(kept.map(|kept| kept.totals.refused), Some(refused));
                drop(refusal);
                thread::yield_now();
            }
            evicted
        });
        (0..u32::MAX)
            .take_while(|_| !caller.is_finished())
            .for_each(|n| fail(registry, &n.to_string()));
        caller.join().unwrap()
    });
    assert!(
        evicted > 1,
        "evicted between two errors only {evicted} times"
    );
}

/// Returns the resident memory in bytes, or `None` if the system has no `/proc`.
fn resident_memory() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

fn assert_grew_less_than(before: Option<usize>, bytes: usize) {
    let (Some(before), Some(after)) = (before, resident_memory()) else {
        return;
    };
    let grown = after.saturating_sub(before);
    // Other tests of this file may allocate at the same time, in the same process.
    assert!(grown < bytes + (64 << 20), "grew by {grown} bytes");
}

#[test]
fn registry_of_used_breakers_admits_new_name() {
    let registry = with_capacity(400);
    for _ in 0..2 {
        (0..400).for_each(|name| pass(&registry, &name.to_string()));
    }
    pass(&registry, "new");
    assert!(registry.get("new").is_some());
    assert_eq!(registry.len(), 400);
}

/// Another thread has used the removed breaker by name. An eviction must not mistake the registered
/// breaker of the same name for the removed one.
#[test]
fn removed_breaker_does_not_evict_its_successor() {
    let registry = with_capacity(3);
    let (stop_sender, stop) = std::sync::mpsc::channel::<()>();
    let (called_sender, called) = std::sync::mpsc::channel();
    let worker = thread::spawn({
        let registry = registry.clone();
        move || {
            pass(&registry, "x");
            called_sender.send(()).unwrap();
            stop.recv().unwrap_err();
        }
    });
    called.recv().unwrap();
    registry.remove("x").unwrap();
    registry.register("x", CircuitBreaker::builder()).unwrap();
    (0..20).for_each(|name| pass(&registry, &name.to_string()));
    assert!(
        registry.get("x").is_some(),
        "a registered breaker is never evicted"
    );
    drop(stop_sender);
    worker.join().unwrap();
}
