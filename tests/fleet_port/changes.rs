//! What is reported, in which order, and on which thread.

use crate::support::*;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

#[test]
fn every_transition_is_reported_in_order() {
    let fixture = Fixture::with(CircuitBreaker::builder().failure_threshold(1));
    let users = &fixture.breaker;
    fail(users);
    assert_eq!(fixture.told(), ["users closed to open"]);
    fixture.clock.advance(RECOVERY);
    assert!(fixture.told().is_empty(), "time reports nothing");
    fail(users);
    assert_eq!(
        fixture.told(),
        ["users open to half_open", "users half_open to open"]
    );
    fixture.clock.advance(RECOVERY);
    succeed(users);
    assert_eq!(
        fixture.told(),
        ["users open to half_open", "users half_open to closed"]
    );
    users.force_open();
    users.disable();
    users.metrics_only();
    users.reset();
    assert_eq!(
        fixture.told(),
        [
            "users closed to forced_open",
            "users forced_open to disabled",
            "users disabled to metrics_only",
            "users metrics_only to closed"
        ]
    );
    let settings = CircuitBreaker::builder().mode(Mode::ForcedOpen);
    fixture.registry.configure(NAME, settings).unwrap();
    assert_eq!(fixture.told(), ["users closed to forced_open"]);
}

#[test]
fn orders_are_reported() {
    let fixture = Fixture::new();
    fixture.order(Order::OpenFor(SECOND, 0)).unwrap();
    fixture.order(Order::Extend(SECOND)).unwrap();
    fixture.order(Order::Try).unwrap();
    fixture.order(Order::Close).unwrap();
    assert_eq!(
        fixture.told(),
        [
            "users closed to open",
            "users deadline",
            "users open to half_open",
            "users half_open to closed"
        ]
    );
}

#[test]
fn calls_are_not_reported() {
    let fixture = Fixture::new();
    for _ in 0..4 {
        fail(&fixture.breaker);
    }
    succeed(&fixture.breaker);
    fixture.breaker.trip();
    fixture.told();
    for _ in 0..10 {
        assert!(fixture.breaker.try_acquire().is_err());
    }
    assert!(fixture.told().is_empty());
}

#[test]
fn view_is_at_least_as_new_as_change() {
    let registry = BreakerRegistry::new();
    let slot = Arc::<OnceLock<Port>>::default();
    let (seen, log) = (slot.clone(), Arc::<Mutex<Vec<State>>>::default());
    let states = log.clone();
    let port = Port::attach(&registry, move |change| {
        if let (Some(port), Change::Transition { .. }) = (seen.get(), change) {
            let view = port.view(change.breaker()).unwrap();
            states.lock().unwrap().push(view.state);
        }
    });
    slot.set(port).unwrap();
    let users = registry.breaker(NAME);
    users.trip();
    users.half_open();
    users.reset();
    assert_eq!(
        *log.lock().unwrap(),
        [State::Open, State::HalfOpen, State::Closed]
    );
}

/// `told` may use the port and the registry, and even change circuits.
#[test]
fn told_may_call_back() {
    let registry = BreakerRegistry::new();
    let slot = Arc::<OnceLock<Port>>::default();
    let log = Arc::<Mutex<Vec<String>>>::default();
    let (seen, lines, names) = (slot.clone(), log.clone(), registry.clone());
    let port = Port::attach(&registry, move |change| {
        lines.lock().unwrap().push(short(change));
        let Some(port) = seen.get() else { return };
        assert_eq!(port.names().len(), names.len());
        let view = port.view(change.breaker());
        if let (Change::Transition { to, .. }, Some(view)) = (change, view) {
            if *to == State::Open {
                let _ = port.apply(change.breaker(), view.mark, Order::Try, fleet_cause());
                names.breaker("other");
            }
        }
    });
    assert!(slot.set(port).is_ok());
    let users = registry.breaker(NAME);
    users.trip();
    assert_eq!(users.state(), State::HalfOpen);
    assert_eq!(
        *log.lock().unwrap(),
        [
            "users added",
            "users closed to open",
            "other added",
            "users open to half_open"
        ]
    );
}

#[test]
fn told_that_changes_circuit_each_time_ends() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker(NAME);
    let calls = Arc::<AtomicU32>::default();
    let (count, breaker) = (calls.clone(), users.clone());
    let port = Port::attach(&registry, move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        if breaker.state() == State::Open {
            breaker.reset();
        } else {
            breaker.trip();
        }
    });
    users.trip();
    let first = calls.load(Ordering::Relaxed);
    assert!((2..1_000).contains(&first), "{first}");
    // Each call leaves a change behind, which the next change reports.
    users.force_open();
    assert!(calls.load(Ordering::Relaxed) > first);
    drop(port);
}

#[test]
fn told_that_creates_breakers_each_time_ends() {
    let registry = BreakerRegistry::new();
    let calls = Arc::<AtomicU32>::default();
    let (count, names) = (calls.clone(), registry.clone());
    let port = Port::attach(&registry, move |_| {
        let call = count.fetch_add(1, Ordering::Relaxed);
        names.breaker(format!("breaker {call}"));
    });
    registry.breaker(NAME);
    assert_eq!(calls.load(Ordering::Relaxed), 4, "nested four deep");
    drop(port);
}

#[test]
fn panic_of_told_becomes_event() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker(NAME);
    let port = Port::attach(&registry, |change| panic!("told {}", short(change)));
    let log = Arc::<Mutex<Vec<String>>>::default();
    let lines = log.clone();
    let other = Port::attach(&registry, move |change| {
        lines.lock().unwrap().push(short(change));
    });
    let mut events = registry.subscribe_changes();
    users.trip();
    registry.breaker("new");
    registry.remove("new");
    let panics: Vec<_> = std::iter::from_fn(|| events.try_next())
        .filter_map(|event| match event {
            Event::ListenerPanicked { message, .. } => Some(message.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(
        panics,
        [
            "told users closed to open",
            "told new added",
            "told new removed"
        ]
    );
    assert_eq!(
        *log.lock().unwrap(),
        ["users closed to open", "new added", "new removed"]
    );
    drop((port, other));
    users.reset();
    assert_eq!(log.lock().unwrap().len(), 3, "detached");
}

#[test]
fn told_is_dropped_with_port() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker(NAME);
    let held = Arc::new(());
    let inside = held.clone();
    let port = Port::attach(&registry, move |_| drop(inside.clone()));
    users.trip();
    assert_eq!(Arc::strong_count(&held), 2);
    drop(port);
    assert_eq!(Arc::strong_count(&held), 1);
    users.reset();
}

/// A slow observer or listener on one thread does not hide the changes of another.
#[test]
fn concurrent_changes_are_all_reported_in_order() {
    const EACH: usize = 200;
    let registry = BreakerRegistry::new();
    let users = registry.breaker(NAME);
    let chain = Arc::new(Mutex::new((State::Closed, 0)));
    let log = chain.clone();
    let port = Port::attach(&registry, move |change| {
        if let Change::Transition { from, to, .. } = change {
            let mut chain = log.lock().unwrap();
            assert_eq!(chain.0, *from);
            *chain = (*to, chain.1 + 1);
        }
    });
    let mut panics = registry.subscribe_changes();
    let changed = AtomicU32::new(0);
    thread::scope(|scope| {
        for thread in 0..3 {
            let (users, changed) = (&users, &changed);
            scope.spawn(move || {
                for _ in 0..EACH {
                    match thread {
                        0 => users.trip(),
                        1 => users.half_open(),
                        _ => users.reset(),
                    }
                    changed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    // All threads have returned: nothing is left to report.
    let (state, transitions) = *chain.lock().unwrap();
    assert_eq!(state, users.state());
    assert!(transitions > 0);
    let panicked = |event: &Event| matches!(event, Event::ListenerPanicked { .. });
    assert!(!std::iter::from_fn(|| panics.try_next()).any(|event| panicked(&event)));
    drop(port);
}

/// A listener that blocks must not keep changes from the fleet.
#[test]
fn blocked_listener_delays_no_change() {
    let (entered, is_entered) = std::sync::mpsc::channel();
    let (leave, may_leave) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(Some((entered, may_leave)));
    let registry = BreakerRegistry::builder()
        .on_event(move |event| {
            if let Event::StateChanged {
                to: State::Open, ..
            } = event
            {
                if let Some((entered, may_leave)) = gate.lock().unwrap().take() {
                    entered.send(()).unwrap();
                    may_leave.recv().unwrap();
                }
            }
        })
        .build()
        .unwrap();
    let users = registry.breaker(NAME);
    let log = Arc::<Mutex<Vec<String>>>::default();
    let lines = log.clone();
    let port = Port::attach(&registry, move |change| {
        lines.lock().unwrap().push(short(change));
    });
    thread::scope(|scope| {
        scope.spawn(|| users.trip());
        is_entered.recv().unwrap();
        users.reset();
        assert_eq!(
            *log.lock().unwrap(),
            ["users closed to open", "users open to closed"]
        );
        leave.send(()).unwrap();
    });
    drop(port);
}
