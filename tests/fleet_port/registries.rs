//! Names, creation, removal, eviction, and registries that end.

use crate::support::*;

#[test]
fn creation_by_any_path_is_reported() {
    let fixture = Fixture::new();
    let registry = &fixture.registry;
    registry.breaker("a");
    registry.breaker_with("b", CircuitBreaker::builder);
    registry.register("c", CircuitBreaker::builder()).unwrap();
    registry.configure("d", CircuitBreaker::builder()).unwrap();
    (|| Ok::<_, ()>(()))
        .with_breaker(registry, "e")
        .call()
        .unwrap();
    registry.breaker("a");
    registry.register("a", CircuitBreaker::builder()).unwrap();
    assert_eq!(
        fixture.told(),
        ["a added", "b added", "c added", "d added", "e added"]
    );
    assert_eq!(
        sorted(fixture.port.names()),
        ["a", "b", "c", "d", "e", NAME]
    );
}

#[cfg(feature = "serde")]
#[test]
fn creation_by_document_is_reported() {
    let fixture = Fixture::new();
    let document = r#"{ "breakers": { "x": { "failure_threshold": 2 } } }"#;
    let document: breakerbox::settings::Settings = serde_json::from_str(document).unwrap();
    fixture.registry.apply(&document).unwrap();
    assert_eq!(fixture.told(), ["x added"]);
}

#[test]
fn removal_is_reported_once_and_last() {
    let fixture = Fixture::new();
    let permit = fixture.breaker.try_acquire().unwrap();
    fixture.registry.remove(NAME);
    assert_eq!(fixture.told(), ["users removed"]);
    // A removed breaker still works, but is no longer one of the fleet.
    permit.failure();
    fixture.breaker.trip();
    assert!(fixture.told().is_empty());
    assert!(fixture.port.view(NAME).is_none());
    assert!(fixture.port.names().is_empty());
}

#[test]
fn untracked_breaker_is_not_reported() {
    let fixture = Fixture::new();
    let untracked = fixture.registry.breaker("x".repeat(300));
    untracked.trip();
    assert!(fixture.told().is_empty());
}

fn sorted(mut names: Vec<Arc<str>>) -> Vec<String> {
    names.sort();
    names.iter().map(ToString::to_string).collect()
}

/// A port that looks at the breakers all the time does not change which of them is evicted.
#[test]
fn views_are_no_use_of_breaker() {
    let registry = BreakerRegistry::builder().capacity(3).build().unwrap();
    let told = Arc::<Mutex<Vec<String>>>::default();
    let log = told.clone();
    let port = Port::attach(&registry, move |change| {
        log.lock().unwrap().push(short(change));
    });
    for name in ["a", "b", "c"] {
        registry.breaker(name);
    }
    // Each breaker counts as used when it is created. The first scan clears these marks and
    // evicts one; the next scan finds only `kept` in use.
    registry.breaker("d");
    told.lock().unwrap().clear();
    for round in 0..20 {
        let names = sorted(port.names());
        assert_eq!(names.len(), 3);
        let kept = names[0].clone();
        drop(registry.breaker(&kept));
        for name in &names {
            let view = port.view(name).unwrap();
            let rejected = port.apply(name, view.mark, Order::Try, fleet_cause());
            assert!(matches!(rejected, Err(NotApplied::Rejected(_))));
        }
        registry.breaker(format!("new {round}"));
        assert!(port.view(&kept).is_some(), "the used one stays");
        let told = std::mem::take(&mut *told.lock().unwrap());
        let added = format!("new {round} added");
        assert_eq!(told.len(), 2);
        assert_eq!(told[1], added);
        assert!(told[0].ends_with("removed") && !told[0].starts_with(&kept));
    }
}

#[test]
fn views_do_not_prevent_idle_eviction() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .idle_timeout(10 * SECOND)
        .clock(clock.clone())
        .build()
        .unwrap();
    let port = Port::attach(&registry, |_| {});
    registry.breaker("idle");
    registry.breaker("other");
    for _ in 0..30 {
        clock.advance(SECOND);
        port.view("idle");
        port.names();
        registry.breaker("other");
        registry.breaker(format!("{:?}", port.now()));
    }
    assert!(port.view("idle").is_none());
    assert!(port.view("other").is_some());
}

#[test]
fn dropped_registry_makes_port_inert() {
    let fixture = Fixture::new();
    let mark = fixture.view().mark;
    assert_eq!(fixture.port.now(), Some(Duration::ZERO));
    let other = Port::attach(&fixture.registry, |_| {});
    let Fixture {
        registry,
        breaker,
        port,
        ..
    } = fixture;
    drop(registry);
    assert!(port.view(NAME).is_none());
    assert!(port.names().is_empty());
    assert_eq!(port.now(), None);
    let result = port.apply(NAME, mark, Order::OpenFor(SECOND, 0), fleet_cause());
    assert_eq!(result, Err(NotApplied::Unknown));
    // The handle keeps its breaker, whose changes belong to no registry.
    breaker.trip();
    drop(other);
    assert_eq!(format!("{port:?}"), "Port { attached: false, .. }");
}

#[test]
fn handles_of_dropped_registry_report_nothing() {
    let fixture = Fixture::new();
    let told = fixture.told.clone();
    let Fixture {
        registry,
        breaker,
        port,
        ..
    } = fixture;
    drop(registry);
    breaker.trip();
    assert!(told.lock().unwrap().is_empty());
    drop(port);
}

#[test]
fn port_does_not_keep_breakers() {
    let held = Arc::new(());
    let inside = held.clone();
    let settings = CircuitBreaker::builder().on_change(move |_| drop(inside.clone()));
    let fixture = Fixture::new();
    fixture.registry.register("held", settings).unwrap();
    let view = fixture.port.view("held").unwrap();
    fixture.registry.remove("held");
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(view.state, State::Closed);
}

#[test]
fn port_knows_whether_it_is_only() {
    let registry = BreakerRegistry::new();
    let first = Port::attach(&registry, |_| {});
    assert!(first.is_only());
    let second = Port::attach(&registry, |_| {});
    assert!(!first.is_only() && !second.is_only());
    drop(first);
    assert!(second.is_only());
    drop(registry);
    assert!(second.is_only());
}
