//! Listeners: delivery of state changes, and listeners that call breakers.
#![cfg(not(any(loom, shuttle, tsan)))]
#![allow(missing_docs)]

use breakerbox::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;

/// The nesting limit of listeners on one thread.
const MAX_DEPTH: usize = 4;

/// A breaker that is set after its listener was created.
type BreakerSlot = Arc<OnceLock<CircuitBreaker>>;

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

fn succeed(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Ok::<_, ()>(()));
}

/// Builds a breaker whose listener runs `work` on each event. Returns it with a counter of the events.
fn with_listener(
    builder: BreakerBuilder,
    work: impl Fn(&CircuitBreaker, &Event) + Send + Sync + 'static,
) -> (CircuitBreaker, Arc<AtomicUsize>) {
    let (slot, received) = (BreakerSlot::default(), Arc::<AtomicUsize>::default());
    let listener = {
        let (slot, received) = (slot.clone(), received.clone());
        move |event: &Event| {
            received.fetch_add(1, Relaxed);
            work(slot.get().unwrap(), event);
        }
    };
    let breaker = builder.on_event(listener).build().unwrap();
    slot.set(breaker.clone()).unwrap();
    (breaker, received)
}

fn builder() -> BreakerBuilder {
    CircuitBreaker::builder()
}

fn drain(events: &mut EventStream) -> Vec<Event> {
    std::iter::from_fn(|| events.try_next()).collect()
}

/// Asserts that each state change begins in the state where the previous one ended. Returns the last state.
#[track_caller]
fn assert_contiguous(events: &[Event], mut at: State) -> State {
    for event in events {
        if let Event::StateChanged { from, to, .. } = event {
            assert_eq!(*from, at, "{events:?}");
            at = *to;
        }
    }
    at
}

#[test]
fn listener_calling_its_breaker_nests_to_limit() {
    let (breaker, received) = with_listener(builder(), |breaker, _| succeed(breaker));
    let mut events = breaker.subscribe();
    for round in 1..=3 {
        succeed(&breaker);
        assert_eq!(received.load(Relaxed), round * MAX_DEPTH);
        let events = drain(&mut events);
        assert_eq!(events.len(), MAX_DEPTH + 1, "a stream receives every event");
    }
}

#[test]
fn listener_making_several_calls_terminates() {
    let (breaker, received) = with_listener(builder(), |breaker, _| {
        (0..3).for_each(|_| succeed(breaker));
    });
    succeed(&breaker);
    assert_eq!(received.load(Relaxed), 1 + 3 + 9 + 27);
    assert_eq!(breaker.snapshot().totals.success, Some(1 + 3 + 9 + 27 + 81));
}

#[test]
fn refused_listener_terminates() {
    let (breaker, received) = with_listener(builder(), |breaker, _| succeed(breaker));
    breaker.force_open();
    assert_eq!(received.swap(0, Relaxed), MAX_DEPTH);
    succeed(&breaker);
    assert_eq!(received.load(Relaxed), MAX_DEPTH);
    assert_eq!(breaker.snapshot().totals.refused, 2 * 4 + 1);
}

#[test]
fn listener_of_metrics_only_breaker_terminates() {
    let watching = builder().mode(Mode::MetricsOnly).failure_threshold(1);
    let (breaker, received) = with_listener(watching, |breaker, event| {
        if matches!(event, Event::WouldTrip { .. }) {
            // The success ends the consecutive failures. The failure meets the rule again.
            succeed(breaker);
            fail(breaker);
        }
    });
    let mut events = breaker.subscribe();
    fail(&breaker);
    assert!(received.load(Relaxed) >= MAX_DEPTH);
    let would = |event: &Event| matches!(event, Event::WouldTrip { .. });
    let sent = drain(&mut events);
    let would_trip = breaker.snapshot().totals.would_trip;
    assert_eq!(
        sent.iter().filter(|event| would(event)).count() as u64,
        would_trip
    );
    assert_eq!(would_trip, 1 + MAX_DEPTH as u64);
}

#[test]
fn mutually_calling_listeners_terminate() {
    let (slot, other_count) = (BreakerSlot::default(), Arc::<AtomicUsize>::default());
    let other = {
        let (slot, other_count) = (slot.clone(), other_count.clone());
        builder()
            .on_event(move |_| {
                other_count.fetch_add(1, Relaxed);
                fail(slot.get().unwrap());
            })
            .build()
            .unwrap()
    };
    let target = other.clone();
    let (breaker, own_count) = with_listener(builder(), move |_, _| fail(&target));
    slot.set(breaker.clone()).unwrap();
    let streams = [&breaker, &other].map(CircuitBreaker::subscribe);
    for _ in 0..20 {
        fail(&breaker);
    }
    assert!(own_count.load(Relaxed) > 0 && other_count.load(Relaxed) > 0);
    for (breaker, mut stream) in [&breaker, &other].into_iter().zip(streams) {
        assert_eq!(breaker.state(), State::Open);
        let last = assert_contiguous(&drain(&mut stream), State::Closed);
        assert_eq!(last, State::Open);
    }
}

#[test]
fn registry_listener_using_its_registry_terminates() {
    let (slot, received) = (
        Arc::<OnceLock<BreakerRegistry>>::default(),
        Arc::<AtomicUsize>::default(),
    );
    let registry = {
        let (slot, received) = (slot.clone(), received.clone());
        BreakerRegistry::builder()
            .on_event(move |event| {
                received.fetch_add(1, Relaxed);
                let registry: &BreakerRegistry = slot.get().unwrap();
                // The new name is an event of the registry, and the call an event of the breaker.
                let name = format!("{}+", event.breaker());
                let _ = (|| Err::<(), _>("down"))
                    .with_breaker(registry, name)
                    .call();
            })
            .build()
            .unwrap()
    };
    slot.set(registry.clone()).unwrap();
    let mut events = registry.subscribe();
    registry.breaker("a");
    let added = |event: &Event| matches!(event, Event::BreakerAdded { .. });
    let sent = drain(&mut events);
    assert_eq!(
        sent.iter().filter(|event| added(event)).count(),
        MAX_DEPTH + 1
    );
    assert_eq!(registry.len(), MAX_DEPTH + 1);
    assert!(received.load(Relaxed) >= MAX_DEPTH);
}

#[test]
fn listeners_of_breaker_and_registry_terminate() {
    let (slot, received) = (BreakerSlot::default(), Arc::<AtomicUsize>::default());
    let listener = {
        let (slot, received) = (slot.clone(), received.clone());
        move |event: &Event| {
            received.fetch_add(1, Relaxed);
            if let (Event::Recorded { .. }, Some(breaker)) = (event, slot.get()) {
                succeed(breaker);
            }
        }
    };
    let registry = BreakerRegistry::builder().on_event(listener.clone());
    let registry = registry.build().unwrap();
    let breaker = registry.register("users", builder().on_event(listener));
    slot.set(breaker.unwrap()).unwrap();
    received.store(0, Relaxed);
    succeed(&registry.breaker("users"));
    assert_eq!(received.load(Relaxed), 2 + 4 + 8 + 16);
}

#[test]
fn state_changes_beyond_depth_arrive_in_order() {
    let events_received = Arc::<Mutex<Vec<Event>>>::default();
    let log = events_received.clone();
    let (breaker, _) = with_listener(builder(), move |breaker, event| {
        log.lock().unwrap().push(event.clone());
        if matches!(event, Event::Recorded { .. }) {
            breaker.trip();
            breaker.reset();
            succeed(breaker);
        }
    });
    let mut events = breaker.subscribe();
    succeed(&breaker);
    let sent = drain(&mut events);
    let changes = |events: &[Event]| {
        let change = |event: &&Event| matches!(event, Event::StateChanged { .. });
        events.iter().filter(change).count()
    };
    assert_eq!(changes(&sent), 2 * MAX_DEPTH);
    assert_contiguous(&sent, State::Closed);
    let events_received = events_received.lock().unwrap();
    assert_eq!(
        changes(&events_received),
        2 * MAX_DEPTH,
        "a listener receives every change"
    );
    assert_contiguous(&events_received, State::Closed);
}

/// The listener of each breaker trips the next breaker of a chain.
#[test]
fn state_change_beyond_depth_waits_for_next_event() {
    let events_received = Arc::<Mutex<Vec<Event>>>::default();
    let log = events_received.clone();
    let last = builder()
        .on_event(move |event| log.lock().unwrap().push(event.clone()))
        .build()
        .unwrap();
    let mut events = last.subscribe();
    let first = (0..MAX_DEPTH).fold(last.clone(), |next, _| {
        builder().on_event(move |_| next.trip()).build().unwrap()
    });
    first.trip();
    assert_eq!(last.state(), State::Open);
    assert!(
        events_received.lock().unwrap().is_empty(),
        "one level too deep"
    );
    succeed(&last);
    let seen = events_received.lock().unwrap().clone();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(assert_contiguous(&seen, State::Closed), State::Open);
    assert_eq!(drain(&mut events).len(), 2);
}

#[test]
fn depth_is_restored_after_panic() {
    let (breaker, received) = with_listener(builder(), |breaker, event| {
        if matches!(event, Event::Recorded { .. }) {
            succeed(breaker);
            panic!("the listener panics");
        }
    });
    for round in 1..=5 {
        succeed(&breaker);
        assert_eq!(received.load(Relaxed), round * MAX_DEPTH);
    }
}

#[test]
fn depth_is_counted_per_thread() {
    let (breaker, received) = with_listener(builder(), |breaker, event| {
        if matches!(event, Event::StateChanged { .. }) {
            thread::scope(|scope| {
                scope.spawn(|| succeed(breaker));
            });
        } else {
            succeed(breaker);
        }
    });
    breaker.trip_for(std::time::Duration::ZERO);
    assert!(received.load(Relaxed) > MAX_DEPTH);
}

#[test]
fn change_listener_is_not_called_for_calls() {
    let received = Arc::<Mutex<Vec<Event>>>::default();
    let listener = || {
        let received = received.clone();
        move |event: &Event| received.lock().unwrap().push(event.clone())
    };
    let registry = BreakerRegistry::builder().on_change(listener());
    let registry = registry.build().unwrap();
    let settings = builder().failure_threshold(1).on_change(listener());
    let breaker = registry.register("users", settings).unwrap();
    received.lock().unwrap().clear();
    succeed(&breaker);
    fail(&breaker);
    fail(&breaker);
    let received = received.lock().unwrap();
    assert_eq!(
        received.len(),
        2,
        "from the breaker and from the registry: {received:?}"
    );
    for event in received.iter() {
        assert!(matches!(
            event,
            Event::StateChanged {
                to: State::Open,
                ..
            }
        ));
    }
}

/// The capacity of the queue of undelivered state changes.
const CAPACITY: usize = 1_024;

/// The most state changes that one call delivers.
const MAX_PER_CALL: usize = 32;

/// The events that a listener received.
type EventLog = Arc<Mutex<Vec<Event>>>;

/// Trips a breaker, and runs `work` on it while its listener is busy with this first change. Returns the
/// breaker and the events that the listener received.
fn after_busy_listener(work: impl FnOnce(&CircuitBreaker)) -> (CircuitBreaker, EventLog) {
    let received = EventLog::default();
    let (entered, is_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let may_leave = Mutex::new(may_leave);
    let log = received.clone();
    let listener = move |event: &Event| {
        log.lock().unwrap().push(event.clone());
        let _ = entered.send(());
        // Blocks until the sender is dropped, and never again.
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
    (breaker, received)
}

#[test]
fn call_delivers_only_queued_changes() {
    let (breaker, received) = after_busy_listener(|breaker| {
        for _ in 0..3 {
            breaker.reset();
            breaker.trip();
        }
    });
    assert_eq!(
        received.lock().unwrap().len(),
        1,
        "only its own state change"
    );
    succeed(&breaker);
    let received = received.lock().unwrap();
    assert_eq!(received.len(), 7, "the next call delivers the rest");
    assert_eq!(assert_contiguous(&received, State::Closed), State::Open);
}

#[test]
fn every_operation_delivers_queued_changes() {
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
        let (breaker, received) = after_busy_listener(leave);
        assert_eq!(received.lock().unwrap().len(), 1, "{name}");
        let state = breaker.state();
        work(&breaker);
        let received = received.lock().unwrap();
        assert_eq!(
            assert_contiguous(&received[..2], State::Closed),
            state,
            "{name}"
        );
    }
}

#[test]
fn late_call_delivers_queued_changes() {
    let mut permit = None;
    let (_, received) = after_busy_listener(|breaker| {
        breaker.reset();
        permit = breaker.try_acquire().ok();
        breaker.force_open();
    });
    assert_eq!(received.lock().unwrap().len(), 1);
    permit.unwrap().success();
    let received = received.lock().unwrap();
    assert_eq!(
        assert_contiguous(&received, State::Closed),
        State::ForcedOpen
    );
}

#[test]
fn full_queue_reports_dropped_changes() {
    let (breaker, received) = after_busy_listener(|breaker| {
        for _ in 0..CAPACITY {
            breaker.reset();
            breaker.trip();
        }
    });
    for call in 1..=CAPACITY / MAX_PER_CALL {
        succeed(&breaker);
        assert_eq!(received.lock().unwrap().len(), 1 + call * MAX_PER_CALL);
    }
    breaker.reset();
    let received = received.lock().unwrap();
    let [before @ .., missed, last] = &received[1..] else {
        panic!("{received:?}");
    };
    assert_eq!(before.len(), CAPACITY);
    assert_contiguous(before, State::Open);
    let dropped = CAPACITY as u64;
    let Event::Missed { events: missed, .. } = missed else {
        panic!("{received:?}");
    };
    assert_eq!(
        (*missed, received[CAPACITY + 1].breaker()),
        (dropped, "users")
    );
    assert!(matches!(
        last,
        Event::StateChanged {
            to: State::Closed,
            ..
        }
    ));
}

#[test]
fn listener_changing_state_every_time_terminates() {
    let events_received = EventLog::default();
    let log = events_received.clone();
    let (breaker, received) = with_listener(builder(), move |breaker, event| {
        log.lock().unwrap().push(event.clone());
        if breaker.state() == State::Open {
            breaker.reset();
        } else {
            breaker.trip();
        }
    });
    breaker.trip();
    assert_eq!(received.load(Relaxed), MAX_PER_CALL);
    breaker.force_open();
    assert_eq!(received.load(Relaxed), 2 * MAX_PER_CALL);
    assert_contiguous(&events_received.lock().unwrap(), State::Closed);
}

/// Each call changes the state once, and the listener is slow.
#[test]
fn concurrent_calls_deliver_limited_changes() {
    thread_local! {
        static RECEIVED_BY_CALL: Cell<usize> = const { Cell::new(0) };
    }
    let received = EventLog::default();
    let log = received.clone();
    let listener = move |event: &Event| {
        log.lock().unwrap().push(event.clone());
        RECEIVED_BY_CALL.set(RECEIVED_BY_CALL.get() + 1);
        (0..10).for_each(|_| thread::yield_now());
    };
    let breaker = builder().on_change(listener).build().unwrap();
    let change = || {
        RECEIVED_BY_CALL.set(0);
        if breaker.state() == State::Open {
            breaker.reset();
        } else {
            breaker.trip();
        }
        assert!(RECEIVED_BY_CALL.get() <= MAX_PER_CALL);
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..2_000).for_each(|_| change()));
        }
    });
    for _ in 0..=CAPACITY / MAX_PER_CALL {
        succeed(&breaker);
    }
    let received = received.lock().unwrap();
    let parts = received.split(|event| matches!(event, Event::Missed { .. }));
    let mut last = State::Closed;
    for part in parts {
        if let Some(Event::StateChanged { from, .. }) = part.first() {
            last = assert_contiguous(part, *from);
        }
    }
    if !matches!(received.last(), Some(Event::Missed { .. })) {
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
    assert_eq!(calls.count_total, 0, "no event is created");
}
