//! Many names: who goes when there is no room, and who never does.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{Event, Mode, NotKept, RegistryBuilder, RegistryError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn of(capacity: usize) -> BreakerRegistry {
    BreakerRegistry::builder()
        .capacity(capacity)
        .build()
        .unwrap()
}

fn counting(builder: RegistryBuilder) -> (BreakerRegistry, Arc<Mutex<Vec<Event>>>) {
    let events: Arc<Mutex<Vec<Event>>> = Arc::default();
    let heard = events.clone();
    let listener = move |event: &Event| heard.lock().unwrap().push(event.clone());
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
fn the_capacity_is_kept() {
    for capacity in [1, 2, 7, 100] {
        let registry = of(capacity);
        for name in 0..500 {
            pass(&registry, &name.to_string());
            assert!(registry.len() <= capacity);
        }
        assert_eq!(registry.len(), capacity);
        assert!(registry.get("499").is_some(), "new names are kept");
    }
}

#[test]
fn clean_ones_go_before_failing_ones_and_the_oldest_first() {
    let (registry, events) = counting(BreakerRegistry::builder().capacity(6));
    for name in ["f1", "f2", "f3"] {
        fail(&registry, name);
    }
    for name in ["c1", "c2", "c3"] {
        pass(&registry, name);
    }
    let gone = || -> Vec<String> {
        let events = events.lock().unwrap();
        let evicted = events
            .iter()
            .filter(|event| matches!(event, Event::BreakerEvicted { .. }));
        evicted.map(|event| event.breaker().to_owned()).collect()
    };
    for name in ["n1", "n2", "n3", "n4", "n5", "n6"] {
        fail(&registry, name);
    }
    assert_eq!(gone(), ["c1", "c2", "c3", "f1", "f2", "f3"]);
}

#[test]
fn one_that_failed_and_recovered_is_clean_again() {
    // With a window, the success waits for it elsewhere.
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
        // Found failing, and put aside as such.
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
fn what_is_used_gets_a_second_chance() {
    let registry = of(10);
    for name in 0..2_000 {
        pass(&registry, "busy");
        pass(&registry, &name.to_string());
    }
    let totals = registry.get("busy").unwrap().snapshot().totals;
    assert_eq!(totals.success, Some(2_000), "it was never made anew");
}

#[test]
fn registered_and_configured_names_never_go() {
    let registry = of(4);
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
        .register("the last", CircuitBreaker::builder())
        .unwrap();
    let full = registry
        .register("one more", CircuitBreaker::builder())
        .unwrap_err();
    assert!(
        matches!(&full, RegistryError::Full { capacity: 4, .. }),
        "{full}"
    );
    registry.remove("the last").unwrap();
    registry
        .register("one more", CircuitBreaker::builder())
        .unwrap();
    assert_eq!(registry.len(), 4);
}

#[test]
fn open_ones_stay_until_their_time_has_come() {
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
    assert!(registry.get("open").is_none(), "no time left to wait");
    assert!(registry.get("longer").is_some());
    clock.advance(Duration::from_secs(30));
    flood(2_000);
    assert!(registry.get("longer").is_none());
    assert!(registry.get("forced").is_some(), "has no time to come");
    assert!(
        registry.get("disabled").is_some(),
        "a command is not forgotten"
    );
}

#[test]
fn modes_of_the_settings_are_no_reason_to_stay() {
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
fn half_open_ones_with_nothing_in_flight_may_go() {
    let registry = of(2);
    registry.breaker("trial").half_open();
    let permit = registry.breaker("trial").try_acquire().unwrap();
    (0..50).for_each(|n| fail(&registry, &n.to_string()));
    assert!(registry.get("trial").is_some(), "somebody tries it");
    drop(permit);
    (50..99).for_each(|n| fail(&registry, &n.to_string()));
    assert!(registry.get("trial").is_none());
}

#[tokio::test]
async fn what_somebody_holds_never_goes() {
    let (registry, events) = counting(BreakerRegistry::builder().capacity(6));
    let handle = registry.breaker("handle");
    // Twice: the first look-up fills the thread's table, the second is served from it.
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
    // More names than the table has slots: what is held was displaced from it.
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
fn a_future_that_another_thread_holds_is_held_when_its_maker_has_ended() {
    let registry = of(2);
    let made = thread::scope(|scope| {
        let made = scope.spawn(|| {
            pass(&registry, "moved");
            (|| Err::<(), _>("down")).with_breaker(&registry, "moved")
        });
        made.join().unwrap()
    });
    for name in 0..100 {
        fail(&registry, &name.to_string());
    }
    let _ = made.call();
    assert_eq!(registry.get("moved").unwrap().failure_count(), 1);
    drop(made);
    for name in 0..100 {
        fail(&registry, &name.to_string());
    }
    assert!(registry.get("moved").is_none());
}

#[test]
fn handles_that_only_sit_in_the_tables_of_threads_hold_nothing() {
    let registry = of(4);
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
                    // From this thread's table, unless the mark of an evicted one is seen.
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
fn idle_names_go_even_while_there_is_room() {
    let clock = ManualClock::new();
    let (registry, events) = counting(
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
    assert_eq!(busy, Some(50), "what is used stays");
    let evicted = |event: &&Event| matches!(event, Event::BreakerEvicted { .. });
    assert!(events.lock().unwrap().iter().filter(evicted).count() > 30);
    drop(held);
}

/// A registry whose names are evicted after a minute without use.
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
        let (registry, events) = counting(
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

    /// Looks up a new name, which is when idle names are evicted, and removes it again.
    fn miss(&self) {
        self.registry.breaker("new");
        self.registry.remove("new");
    }

    fn is_evicted(&self, name: &str) -> bool {
        let events = self.events.lock().unwrap();
        let gone = |event: &Event| matches!(event, Event::BreakerEvicted { .. });
        events
            .iter()
            .any(|event| gone(event) && event.breaker() == name)
    }

    /// Asserts that `name`, idle from now on, stays until the timeout has passed, and no longer.
    #[track_caller]
    fn assert_goes_after_timeout(&self, name: &str) {
        self.clock.advance(Self::ALMOST);
        self.miss();
        assert!(!self.is_evicted(name), "a nanosecond is left");
        self.clock.advance(Duration::from_nanos(1));
        self.miss();
        assert!(self.is_evicted(name));
    }
}

/// Calls by name that succeed, and that fail.
const USES: [fn(&BreakerRegistry, &str); 2] = [pass, fail];

#[test]
fn idle_name_is_evicted_exactly_at_timeout() {
    for created in USES {
        let idle = Idle::new();
        idle.clock.advance(Duration::from_secs(7));
        created(&idle.registry, "users");
        // Takes note of the call.
        idle.miss();
        idle.assert_goes_after_timeout("users");
    }
}

#[test]
fn idle_timeout_begins_with_creation() {
    let idle = Idle::new();
    idle.clock.advance(Duration::from_secs(7));
    idle.registry.breaker("users");
    idle.assert_goes_after_timeout("users");
}

#[test]
fn idle_timeout_is_renewed_by_use() {
    for created in USES {
        let idle = Idle::new();
        created(&idle.registry, "users");
        for _ in 0..3 {
            idle.clock.advance(Idle::TIMEOUT);
            created(&idle.registry, "users");
            idle.miss();
            assert!(!idle.is_evicted("users"));
        }
        idle.assert_goes_after_timeout("users");
    }
}

#[test]
fn idle_timeout_is_renewed_by_held_handle() {
    for created in USES {
        let idle = Idle::new();
        created(&idle.registry, "users");
        let held = idle.registry.get("users").unwrap();
        for _ in 0..3 {
            idle.clock.advance(Idle::TIMEOUT);
            idle.miss();
            assert!(!idle.is_evicted("users"));
        }
        drop(held);
        idle.assert_goes_after_timeout("users");
    }
}

#[test]
fn names_that_come_and_go_leave_nothing_behind() {
    // Far below the capacity, where nobody ever looks for somebody to evict.
    let registry = of(10_000);
    let before = memory();
    for n in 0..200_000 {
        let name = n.to_string();
        registry.breaker(&name);
        registry.remove(&name);
    }
    assert!(registry.is_empty());
    grew_less_than(before, 8 << 20);
}

/// Ten million names of one failing call each are `examples/many_names.rs`.
#[test]
fn a_flood_of_failing_names_neither_grows_nor_pushes_out_an_open_breaker() {
    const NAMES: u32 = 200_000;
    let registry = of(1_000);
    registry
        .breaker("protects")
        .trip_for(Duration::from_secs(3_600));
    let flood = |from: u32, to: u32| (from..to).for_each(|n| fail(&registry, &n.to_string()));
    flood(0, 20_000);
    let before = memory();
    let begun = Instant::now();
    flood(20_000, NAMES);
    let each = begun.elapsed() / (NAMES - 20_000);
    assert_eq!(registry.len(), 1_000);
    assert_eq!(registry.get("protects").unwrap().state(), State::Open);
    grew_less_than(before, 4 << 20);
    // Unoptimized, on a busy machine.
    assert!(each < Duration::from_micros(200), "{each:?} a name");
}

/// Of 10,000 breakers, nine out of ten are open with time left to wait, or forced open, or held.
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
        // Protected ones and others alternate, as they would have come.
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

    flood("all wait");
    assert_eq!(count(protected_evicted), 0);
    let (left, came, refused) = (count(evicted), count(added), count(not_kept));
    assert_eq!((left, came + refused), (came, 2 * NEW));
    assert!(came > NEW, "most find one of the others: {came}");
    let stays = |breaker: &CircuitBreaker| breaker.name().starts_with("protected");
    assert_eq!(registry.iter().filter(stays).count(), PROTECTED);

    clock.advance(Duration::from_secs(60));
    flood("some wait");
    let gone = count(protected_evicted);
    assert!(gone > NEW, "no time left to wait: {gone}");
    assert_eq!(count(not_kept), 0, "one in a sample may go");
    for breaker in registry.iter().filter(stays) {
        let expected = [State::Closed, State::ForcedOpen, State::HalfOpen];
        assert!(expected.contains(&breaker.state()), "{breaker:?}");
    }
    assert_eq!(registry.open_breakers().len(), 1_000);
    for breaker in held {
        let found = registry.get(breaker.name()).expect("it is held");
        fail(&registry, found.name());
        assert_eq!(breaker.failure_count(), 1, "{breaker:?}");
    }
}

/// The idlest of a sample of many comes close to the idlest of all.
#[test]
fn used_breakers_outlast_idle_ones() {
    let (registry, events) = counting(BreakerRegistry::builder().capacity(2_000));
    for _ in 0..2 {
        (0..1_000).for_each(|n| pass(&registry, &format!("used {n}")));
    }
    (0..1_000).for_each(|n| pass(&registry, &format!("idle {n}")));
    (0..600).for_each(|n| pass(&registry, &format!("new {n}")));
    let events = events.lock().unwrap();
    let evicted = |prefix: &str| {
        let gone = |event: &&Event| {
            matches!(event, Event::BreakerEvicted { .. }) && event.breaker().starts_with(prefix)
        };
        events.iter().filter(gone).count()
    };
    assert!(evicted("idle") > 590, "{}", evicted("idle"));
}

#[test]
fn threads_that_flood_keep_within_the_capacity() {
    const THREADS: usize = 4;
    let (capacity, made) = (50, AtomicUsize::new(0));
    let registry = of(capacity);
    let held: Vec<_> = (0..10)
        .map(|n| registry.breaker(format!("held {n}")))
        .collect();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (registry, made) = (&registry, &made);
            scope.spawn(move || {
                for n in 0..5_000 {
                    // Half of the names are asked for by all threads.
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
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(made.into_inner(), 5_000 * THREADS);
    for breaker in held {
        fail(&registry, breaker.name());
        assert_eq!(
            breaker.failure_count(),
            1,
            "it was the one of its name throughout"
        );
    }
}

/// A thread takes a handle and lets it go again while another evicts: what is called by name
/// while the handle is out must reach that very breaker.
#[test]
fn holders_and_evictors_race() {
    let patient = CircuitBreaker::builder().failure_threshold(u32::MAX);
    let evicted = Arc::new(AtomicUsize::new(0));
    let counted = evicted.clone();
    let registry = BreakerRegistry::builder()
        .capacity(8)
        .default_preset(patient)
        .on_event(move |event| {
            let gone = matches!(event, Event::BreakerEvicted { .. });
            if gone && event.breaker() == "contended" {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        })
        .build()
        .unwrap();
    let remade = thread::scope(|scope| {
        let registry = &registry;
        let holder = scope.spawn(move || {
            let mut remade = 0;
            for round in 0..500 {
                let handle = registry.breaker("contended");
                let before = handle.failure_count();
                remade += u32::from(before == 0);
                fail(registry, "contended");
                assert_eq!(handle.failure_count(), before + 1);
                let gone = evicted.load(Ordering::SeqCst);
                drop(handle);
                // Every other time until it was found idle, which it is unless the evictor is slow.
                let mut patience = 100_000;
                while round % 2 == 0 && evicted.load(Ordering::SeqCst) == gone && patience > 0 {
                    patience -= 1;
                    thread::yield_now();
                }
            }
            remade
        });
        (0..u32::MAX)
            .take_while(|_| !holder.is_finished())
            .for_each(|n| fail(registry, &n.to_string()));
        holder.join().unwrap()
    });
    assert!(
        remade > 1,
        "it was evicted between two handles, {remade} times"
    );
}

/// A thread is refused and drops its handle while another evicts: the error alone must protect the
/// breaker. An eviction that reads the links before the handles can miss both.
#[test]
fn refused_caller_and_evictor_race() {
    let registry = of(2);
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
    assert!(evicted > 1, "evicted between two errors {evicted} times");
}

/// Resident memory in bytes, where the system tells.
fn memory() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

fn grew_less_than(before: Option<usize>, bytes: usize) {
    let (Some(before), Some(after)) = (before, memory()) else {
        return;
    };
    let grown = after.saturating_sub(before);
    // The other tests of this file run beside this one, in the same process.
    assert!(grown < bytes + (64 << 20), "grew by {grown} bytes");
}

#[test]
fn the_oldest_goes_although_all_are_in_use() {
    let registry = of(400);
    for _ in 0..2 {
        (0..400).for_each(|name| pass(&registry, &name.to_string()));
    }
    pass(&registry, "new");
    assert!(registry.get("new").is_some());
    assert_eq!(registry.len(), 400);
}

/// A thread still has the handle of one that was removed. When that one's time comes, the name is
/// somebody else's.
#[test]
fn one_that_was_removed_does_not_take_its_successor_with_it() {
    let registry = of(3);
    let (send, orders) = std::sync::mpsc::channel::<()>();
    let (done, is_done) = std::sync::mpsc::channel();
    let worker = thread::spawn({
        let registry = registry.clone();
        move || {
            pass(&registry, "x");
            done.send(()).unwrap();
            orders.recv().unwrap_err();
        }
    });
    is_done.recv().unwrap();
    registry.remove("x").unwrap();
    registry.register("x", CircuitBreaker::builder()).unwrap();
    (0..20).for_each(|name| pass(&registry, &name.to_string()));
    assert!(registry.get("x").is_some(), "registered: it stays");
    drop(send);
    worker.join().unwrap();
}
