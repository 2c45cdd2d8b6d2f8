//! Listeners: delivery of state changes, and listeners that call breakers.
#![cfg(not(any(loom, shuttle, tsan)))]
#![allow(missing_docs)]

use breakerbox::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;

/// Levels of listeners on one thread.
const DEEPEST: usize = 4;

/// A handle for a listener that is made before the breaker.
type Later = Arc<OnceLock<CircuitBreaker>>;

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

fn succeed(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Ok::<_, ()>(()));
}

/// A breaker whose listener does `work` with it at every event, and the number of these events.
fn reacting(
    builder: BreakerBuilder,
    work: impl Fn(&CircuitBreaker, &Event) + Send + Sync + 'static,
) -> (CircuitBreaker, Arc<AtomicUsize>) {
    let (later, told) = (Later::default(), Arc::<AtomicUsize>::default());
    let listener = {
        let (later, told) = (later.clone(), told.clone());
        move |event: &Event| {
            told.fetch_add(1, Relaxed);
            work(later.get().unwrap(), event);
        }
    };
    let breaker = builder.on_event(listener).build().unwrap();
    later.set(breaker.clone()).unwrap();
    (breaker, told)
}

fn builder() -> BreakerBuilder {
    CircuitBreaker::builder()
}

fn received(events: &mut EventStream) -> Vec<Event> {
    std::iter::from_fn(|| events.try_next()).collect()
}

/// The state changes, each of which begins where the one before ended.
#[track_caller]
fn assert_unbroken(events: &[Event], mut at: State) -> State {
    for event in events {
        if let Event::StateChanged { from, to, .. } = event {
            assert_eq!(*from, at, "{events:?}");
            at = *to;
        }
    }
    at
}

#[test]
fn listener_that_calls_its_breaker_has_bounded_depth() {
    let (breaker, told) = reacting(builder(), |breaker, _| succeed(breaker));
    let mut events = breaker.subscribe();
    for round in 1..=3 {
        succeed(&breaker);
        assert_eq!(told.load(Relaxed), round * DEEPEST);
        let events = received(&mut events);
        assert_eq!(events.len(), DEEPEST + 1, "a stream gets every event");
    }
}

#[test]
fn listener_that_makes_several_calls_ends() {
    let (breaker, told) = reacting(builder(), |breaker, _| {
        (0..3).for_each(|_| succeed(breaker));
    });
    succeed(&breaker);
    assert_eq!(told.load(Relaxed), 1 + 3 + 9 + 27);
    assert_eq!(breaker.snapshot().totals.success, Some(1 + 3 + 9 + 27 + 81));
}

#[test]
fn listener_that_is_refused_ends() {
    let (breaker, told) = reacting(builder(), |breaker, _| succeed(breaker));
    breaker.force_open();
    assert_eq!(told.swap(0, Relaxed), DEEPEST);
    succeed(&breaker);
    assert_eq!(told.load(Relaxed), DEEPEST);
    assert_eq!(breaker.snapshot().totals.refused, 2 * 4 + 1);
}

#[test]
fn listener_of_a_watching_breaker_ends() {
    let watching = builder().mode(Mode::MetricsOnly).failure_threshold(1);
    let (breaker, told) = reacting(watching, |breaker, event| {
        if matches!(event, Event::WouldTrip { .. }) {
            // The rule turns false, and then holds again.
            succeed(breaker);
            fail(breaker);
        }
    });
    let mut events = breaker.subscribe();
    fail(&breaker);
    assert!(told.load(Relaxed) >= DEEPEST);
    let would = |event: &Event| matches!(event, Event::WouldTrip { .. });
    let sent = received(&mut events);
    let would_trip = breaker.snapshot().totals.would_trip;
    assert_eq!(
        sent.iter().filter(|event| would(event)).count() as u64,
        would_trip
    );
    assert_eq!(would_trip, 1 + DEEPEST as u64);
}

#[test]
fn listeners_that_call_each_other_end() {
    let (there, told) = (Later::default(), Arc::<AtomicUsize>::default());
    let other = {
        let (there, told) = (there.clone(), told.clone());
        builder()
            .on_event(move |_| {
                told.fetch_add(1, Relaxed);
                fail(there.get().unwrap());
            })
            .build()
            .unwrap()
    };
    let theirs = other.clone();
    let (breaker, own) = reacting(builder(), move |_, _| fail(&theirs));
    there.set(breaker.clone()).unwrap();
    let streams = [&breaker, &other].map(CircuitBreaker::subscribe);
    for _ in 0..20 {
        fail(&breaker);
    }
    assert!(own.load(Relaxed) > 0 && told.load(Relaxed) > 0);
    for (breaker, mut stream) in [&breaker, &other].into_iter().zip(streams) {
        assert_eq!(breaker.state(), State::Open);
        let last = assert_unbroken(&received(&mut stream), State::Closed);
        assert_eq!(last, State::Open);
    }
}

#[test]
fn registry_listener_that_uses_its_registry_ends() {
    let (later, told) = (
        Arc::<OnceLock<BreakerRegistry>>::default(),
        Arc::<AtomicUsize>::default(),
    );
    let registry = {
        let (later, told) = (later.clone(), told.clone());
        BreakerRegistry::builder()
            .on_event(move |event| {
                told.fetch_add(1, Relaxed);
                let registry: &BreakerRegistry = later.get().unwrap();
                // A new name, which is an event of the registry, and a call, which is one of its own.
                let name = format!("{}+", event.breaker());
                let _ = (|| Err::<(), _>("down"))
                    .with_breaker(registry, name)
                    .call();
            })
            .build()
            .unwrap()
    };
    later.set(registry.clone()).unwrap();
    let mut events = registry.subscribe();
    registry.breaker("a");
    let added = |event: &Event| matches!(event, Event::BreakerAdded { .. });
    let sent = received(&mut events);
    assert_eq!(
        sent.iter().filter(|event| added(event)).count(),
        DEEPEST + 1
    );
    assert_eq!(registry.len(), DEEPEST + 1);
    assert!(told.load(Relaxed) >= DEEPEST);
}

#[test]
fn listeners_of_a_breaker_and_its_registry_end() {
    let (later, told) = (Later::default(), Arc::<AtomicUsize>::default());
    let listener = {
        let (later, told) = (later.clone(), told.clone());
        move |event: &Event| {
            told.fetch_add(1, Relaxed);
            if let (Event::Recorded { .. }, Some(breaker)) = (event, later.get()) {
                succeed(breaker);
            }
        }
    };
    let registry = BreakerRegistry::builder().on_event(listener.clone());
    let registry = registry.build().unwrap();
    let breaker = registry.register("users", builder().on_event(listener));
    later.set(breaker.unwrap()).unwrap();
    told.store(0, Relaxed);
    succeed(&registry.breaker("users"));
    assert_eq!(told.load(Relaxed), 2 + 4 + 8 + 16);
}

#[test]
fn state_changes_too_deep_arrive_in_order() {
    let heard = Arc::<Mutex<Vec<Event>>>::default();
    let log = heard.clone();
    let (breaker, _) = reacting(builder(), move |breaker, event| {
        log.lock().unwrap().push(event.clone());
        if matches!(event, Event::Recorded { .. }) {
            breaker.trip();
            breaker.reset();
            succeed(breaker);
        }
    });
    let mut events = breaker.subscribe();
    succeed(&breaker);
    let sent = received(&mut events);
    let changes = |events: &[Event]| {
        let change = |event: &&Event| matches!(event, Event::StateChanged { .. });
        events.iter().filter(change).count()
    };
    assert_eq!(changes(&sent), 2 * DEEPEST);
    assert_unbroken(&sent, State::Closed);
    let heard = heard.lock().unwrap();
    assert_eq!(changes(&heard), 2 * DEEPEST, "a listener gets every change");
    assert_unbroken(&heard, State::Closed);
}

/// A chain of breakers, each of which is tripped by the listener of the one before.
#[test]
fn state_change_too_deep_waits_for_the_next_event() {
    let heard = Arc::<Mutex<Vec<Event>>>::default();
    let log = heard.clone();
    let last = builder()
        .on_event(move |event| log.lock().unwrap().push(event.clone()))
        .build()
        .unwrap();
    let mut events = last.subscribe();
    let first = (0..DEEPEST).fold(last.clone(), |next, _| {
        builder().on_event(move |_| next.trip()).build().unwrap()
    });
    first.trip();
    assert_eq!(last.state(), State::Open);
    assert!(heard.lock().unwrap().is_empty(), "one level too deep");
    succeed(&last);
    let seen = heard.lock().unwrap().clone();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(assert_unbroken(&seen, State::Closed), State::Open);
    assert_eq!(received(&mut events).len(), 2);
}

#[test]
fn depth_is_restored_after_a_panic() {
    let (breaker, told) = reacting(builder(), |breaker, event| {
        if matches!(event, Event::Recorded { .. }) {
            succeed(breaker);
            panic!("a listener that has broken");
        }
    });
    for round in 1..=5 {
        succeed(&breaker);
        assert_eq!(told.load(Relaxed), round * DEEPEST);
    }
}

#[test]
fn depth_is_counted_for_each_thread() {
    let (breaker, told) = reacting(builder(), |breaker, event| {
        if matches!(event, Event::StateChanged { .. }) {
            thread::scope(|scope| {
                scope.spawn(|| succeed(breaker));
            });
        } else {
            succeed(breaker);
        }
    });
    breaker.trip_for(std::time::Duration::ZERO);
    assert!(told.load(Relaxed) > DEEPEST);
}

#[test]
fn change_listener_is_not_called_for_calls() {
    let told = Arc::<Mutex<Vec<Event>>>::default();
    let listener = || {
        let told = told.clone();
        move |event: &Event| told.lock().unwrap().push(event.clone())
    };
    let registry = BreakerRegistry::builder().on_change(listener());
    let registry = registry.build().unwrap();
    let settings = builder().failure_threshold(1).on_change(listener());
    let breaker = registry.register("users", settings).unwrap();
    told.lock().unwrap().clear();
    succeed(&breaker);
    fail(&breaker);
    fail(&breaker);
    let told = told.lock().unwrap();
    assert_eq!(
        told.len(),
        2,
        "by the breaker and by the registry: {told:?}"
    );
    for event in told.iter() {
        assert!(matches!(
            event,
            Event::StateChanged {
                to: State::Open,
                ..
            }
        ));
    }
}

/// The state changes that may wait for delivery.
const CAPACITY: usize = 1_024;

/// The state changes that one call delivers.
const MOST: usize = 32;

/// The events that a listener got.
type Told = Arc<Mutex<Vec<Event>>>;

/// A breaker in `state`, and what its listener was told. While the listener was busy with the first of the
/// changes, `work` was done with the breaker.
fn after_busy_listener(work: impl FnOnce(&CircuitBreaker)) -> (CircuitBreaker, Told) {
    let told = Told::default();
    let (entered, is_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let may_leave = Mutex::new(may_leave);
    let log = told.clone();
    let listener = move |event: &Event| {
        log.lock().unwrap().push(event.clone());
        let _ = entered.send(());
        // Blocks once: afterwards there is no sender.
        let _ = may_leave.lock().unwrap().recv();
    };
    let breaker = builder().name("users").on_change(listener).build().unwrap();
    thread::scope(|scope| {
        let first = scope.spawn(|| breaker.trip());
        is_entered.recv().unwrap();
        work(&breaker);
        drop(leave);
        first.join().unwrap();
    });
    (breaker, told)
}

#[test]
fn call_delivers_only_what_was_queued() {
    let (breaker, told) = after_busy_listener(|breaker| {
        for _ in 0..3 {
            breaker.reset();
            breaker.trip();
        }
    });
    assert_eq!(told.lock().unwrap().len(), 1, "its own state change");
    succeed(&breaker);
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 7, "the next call delivers the rest");
    assert_eq!(assert_unbroken(&told, State::Closed), State::Open);
}

#[test]
fn every_call_delivers_what_is_left() {
    type Work = fn(&CircuitBreaker);
    let cases: [(&str, Work, Work); 9] = [
        ("success", CircuitBreaker::reset, succeed),
        ("failure", CircuitBreaker::reset, fail),
        ("refusal", |b| b.force_open(), succeed),
        ("trial", |b| b.half_open(), succeed),
        ("disabled", |b| b.disable(), succeed),
        ("metrics only", |b| b.metrics_only(), succeed),
        ("dropped", CircuitBreaker::reset, |b| drop(b.try_acquire())),
        ("command", CircuitBreaker::reset, CircuitBreaker::reset),
        ("configure", CircuitBreaker::reset, |b| {
            b.configure(|settings| settings).unwrap();
        }),
    ];
    for (name, leave, work) in cases {
        let (breaker, told) = after_busy_listener(leave);
        assert_eq!(told.lock().unwrap().len(), 1, "{name}");
        let state = breaker.state();
        work(&breaker);
        let told = told.lock().unwrap();
        assert_eq!(assert_unbroken(&told[..2], State::Closed), state, "{name}");
    }
}

#[test]
fn late_call_delivers_what_is_left() {
    let mut permit = None;
    let (_, told) = after_busy_listener(|breaker| {
        breaker.reset();
        permit = breaker.try_acquire().ok();
        breaker.force_open();
    });
    assert_eq!(told.lock().unwrap().len(), 1);
    permit.unwrap().success();
    let told = told.lock().unwrap();
    assert_eq!(assert_unbroken(&told, State::Closed), State::ForcedOpen);
}

#[test]
fn full_queue_reports_what_it_dropped() {
    let (breaker, told) = after_busy_listener(|breaker| {
        for _ in 0..CAPACITY {
            breaker.reset();
            breaker.trip();
        }
    });
    for call in 1..=CAPACITY / MOST {
        succeed(&breaker);
        assert_eq!(told.lock().unwrap().len(), 1 + call * MOST);
    }
    breaker.reset();
    let told = told.lock().unwrap();
    let [before @ .., missed, last] = &told[1..] else {
        panic!("{told:?}");
    };
    assert_eq!(before.len(), CAPACITY);
    assert_unbroken(before, State::Open);
    let dropped = CAPACITY as u64;
    let Event::Missed { events: missed, .. } = missed else {
        panic!("{told:?}");
    };
    assert_eq!((*missed, told[CAPACITY + 1].breaker()), (dropped, "users"));
    assert!(matches!(
        last,
        Event::StateChanged {
            to: State::Closed,
            ..
        }
    ));
}

#[test]
fn listener_that_changes_the_state_each_time_ends() {
    let heard = Told::default();
    let log = heard.clone();
    let (breaker, told) = reacting(builder(), move |breaker, event| {
        log.lock().unwrap().push(event.clone());
        if breaker.state() == State::Open {
            breaker.reset();
        } else {
            breaker.trip();
        }
    });
    breaker.trip();
    assert_eq!(told.load(Relaxed), MOST);
    breaker.force_open();
    assert_eq!(told.load(Relaxed), 2 * MOST);
    assert_unbroken(&heard.lock().unwrap(), State::Closed);
}

/// Each call of three threads makes one change, while the listener is slow.
#[test]
fn calls_of_many_threads_deliver_a_bounded_number() {
    thread_local! {
        static TOLD_BY_CALL: Cell<usize> = const { Cell::new(0) };
    }
    let told = Told::default();
    let log = told.clone();
    let listener = move |event: &Event| {
        log.lock().unwrap().push(event.clone());
        TOLD_BY_CALL.set(TOLD_BY_CALL.get() + 1);
        (0..10).for_each(|_| thread::yield_now());
    };
    let breaker = builder().on_change(listener).build().unwrap();
    let change = || {
        TOLD_BY_CALL.set(0);
        if breaker.state() == State::Open {
            breaker.reset();
        } else {
            breaker.trip();
        }
        assert!(TOLD_BY_CALL.get() <= MOST);
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..2_000).for_each(|_| change()));
        }
    });
    for _ in 0..=CAPACITY / MOST {
        succeed(&breaker);
    }
    let told = told.lock().unwrap();
    let parts = told.split(|event| matches!(event, Event::Missed { .. }));
    let mut last = State::Closed;
    for part in parts {
        if let Some(Event::StateChanged { from, .. }) = part.first() {
            last = assert_unbroken(part, *from);
        }
    }
    if !matches!(told.last(), Some(Event::Missed { .. })) {
        assert_eq!(last, breaker.state());
    }
}

#[test]
#[cfg(feature = "metrics")]
fn dropped_receivers_leave_no_memory() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    let reporter = || {
        let builder = breakerbox::metrics::builder().durations(true);
        builder.install(&registry).unwrap()
    };
    let streams = || (registry.subscribe(), users.subscribe_changes());
    drop((reporter(), streams()));
    users.trip();
    let one_by_one = allocation_counter::measure(|| {
        (0..10_000).for_each(|_| drop((reporter(), streams())));
        users.reset();
    });
    let at_once = allocation_counter::measure(|| {
        drop((0..500).map(|_| streams()).collect::<Vec<_>>());
        users.trip();
    });
    for info in [one_by_one, at_once] {
        assert!(info.bytes_current < 4_096, "{info:?}");
    }
    users.reset();
    succeed(&users);
    let calls = allocation_counter::measure(|| succeed(&users));
    assert_eq!(calls.count_total, 0, "no event is built");
}
