//! Listeners that call breakers.
#![cfg(not(any(loom, shuttle, tsan)))]
#![allow(missing_docs)]

use breakerbox::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};

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

/// A breaker whose listener does `work` with it at every event, and how often that was told.
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
fn listener_that_calls_its_breaker_is_told_to_a_bounded_depth() {
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
            std::thread::scope(|scope| {
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
