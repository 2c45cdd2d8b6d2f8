//! Event streams of `subscribe` and `subscribe_changes`.

use breakerbox::prelude::*;
use futures_util::StreamExt;

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>(std::fmt::Error));
}

#[test]
fn registry_stream_includes_old_and_new_breakers() {
    let registry = BreakerRegistry::new();
    let old = registry.breaker("old");
    let mut events = registry.subscribe();
    old.trip();
    registry.breaker("new").force_open();
    let mut names = Vec::new();
    while let Some(event) = events.try_next() {
        if let Event::StateChanged { breaker, .. } = event {
            names.push(breaker.to_string());
        }
    }
    assert_eq!(names, ["old", "new"]);
}

#[test]
fn stream_receives_outcomes_and_refusals() {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(1)
        .build()
        .unwrap();
    assert!(breaker.call(|| Ok::<_, ()>(())).is_ok());
    let mut events = breaker.subscribe();
    assert!(breaker.call(|| Ok::<_, ()>(())).is_ok());
    fail(&breaker);
    fail(&breaker);
    let recorded = |event: Option<Event>, expected: Outcome| matches!(event, Some(Event::Recorded { outcome, .. }) if outcome == expected);
    assert!(recorded(events.try_next(), Outcome::Success));
    assert!(matches!(
        events.try_next(),
        Some(Event::StateChanged { .. })
    ));
    assert!(recorded(events.try_next(), Outcome::Failure));
    assert!(matches!(events.try_next(), Some(Event::Refused { .. })));
    assert!(events.try_next().is_none());
}

#[test]
fn full_stream_reports_missed_events_in_place() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let mut events = breaker.subscribe();
    for _ in 0..1_100 {
        breaker.call(|| Ok::<_, ()>(())).unwrap();
    }
    for _ in 0..100 {
        assert!(matches!(events.try_next(), Some(Event::Recorded { .. })));
    }
    breaker.trip();
    let rest: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert_eq!(rest.len(), 924 + 2);
    assert!(matches!(rest[924], Event::Missed { events: 76, .. }));
    assert!(matches!(rest[925], Event::StateChanged { .. }));
}

#[test]
fn new_stream_receives_only_later_calls() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    drop(breaker.subscribe());
    let mut late = {
        breaker.call(|| Ok::<_, ()>(())).unwrap();
        breaker.call(|| Ok::<_, ()>(())).unwrap();
        breaker.subscribe()
    };
    assert!(late.try_next().is_none());
    assert_eq!(breaker.snapshot().totals.success, Some(2));
    breaker.call(|| Ok::<_, ()>(())).unwrap();
    assert!(late.try_next().is_some());
}

#[tokio::test]
async fn stream_wakes_reader_and_ends_with_breaker() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let mut events = breaker.subscribe();
    let reader = tokio::spawn(async move {
        let first = events.next().await;
        (first, events.next().await)
    });
    tokio::task::yield_now().await;
    breaker.trip();
    drop(breaker);
    let (first, second) = reader.await.unwrap();
    assert!(matches!(first, Some(Event::StateChanged { .. })));
    assert_eq!(second, None);
}

#[tokio::test]
async fn cancelled_recv_loses_no_event() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let mut events = breaker.subscribe();
    tokio::select! {
        biased;
        _ = events.recv() => unreachable!("no event was sent"),
        () = tokio::task::yield_now() => {}
    }
    breaker.trip();
    assert!(events.recv().await.is_some());
}

#[test]
fn stream_receives_panic_of_listener() {
    let listener = |_: &Event| panic!("the listener panics");
    let breaker = CircuitBreaker::builder()
        .on_event(listener)
        .build()
        .unwrap();
    let mut events = breaker.subscribe();
    breaker.trip();
    assert!(matches!(
        events.try_next(),
        Some(Event::StateChanged { .. })
    ));
    assert!(matches!(
        events.try_next(),
        Some(Event::ListenerPanicked { .. })
    ));
    assert!(events.try_next().is_none());
}

#[test]
fn later_stream_receives_calls_of_untracked_breakers() {
    let registry = BreakerRegistry::new();
    let removed = registry.breaker("users");
    assert!(registry.remove("users").is_some());
    let not_kept = registry.breaker("");
    let mut events = registry.subscribe();
    for breaker in [&removed, &not_kept] {
        fail(breaker);
        let recorded = std::iter::from_fn(|| events.try_next())
            .filter(|event| matches!(event, Event::Recorded { .. }))
            .count();
        assert_eq!(recorded, 1, "{breaker:?}");
    }
}

/// Drains a stream of changes and returns its state changes. Panics if the stream has an event of a call.
#[track_caller]
fn changes(events: &mut EventStream) -> Vec<(State, State)> {
    std::iter::from_fn(|| events.try_next())
        .filter_map(|event| match event {
            Event::StateChanged { from, to, .. } => Some((from, to)),
            Event::Recorded { .. } | Event::Refused { .. } => panic!("{event:?}"),
            _ => None,
        })
        .collect()
}

#[test]
fn change_stream_of_breaker_excludes_calls() {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(1)
        .build()
        .unwrap();
    let mut stream = breaker.subscribe_changes();
    breaker.call(|| Ok::<_, ()>(())).unwrap();
    fail(&breaker);
    fail(&breaker);
    breaker.reset();
    breaker.configure(|b| b.failure_threshold(2)).unwrap();
    let expected = [(State::Closed, State::Open), (State::Open, State::Closed)];
    assert_eq!(changes(&mut stream), expected);
}

#[test]
fn change_stream_of_registry_excludes_calls() {
    let registry = BreakerRegistry::new();
    let old = registry.breaker("old");
    let mut stream = registry.subscribe_changes();
    let mut all_events = registry.subscribe();
    let new = registry.breaker("new");
    for breaker in [&old, &new] {
        fail(breaker);
        breaker.force_open();
        fail(breaker);
    }
    assert_eq!(
        changes(&mut stream),
        [(State::Closed, State::ForcedOpen); 2]
    );
    let all = std::iter::from_fn(|| all_events.try_next());
    let calls = |event: &Event| matches!(event, Event::Recorded { .. } | Event::Refused { .. });
    assert_eq!(
        all.filter(calls).count(),
        4,
        "the stream of all events receives them"
    );
}

#[test]
fn change_stream_includes_warnings() {
    let breaker = CircuitBreaker::builder()
        .expected_error::<std::fmt::Error>()
        .build()
        .unwrap();
    let mut stream = breaker.subscribe_changes();
    let _ = breaker.call(|| Err::<(), _>("down"));
    for _ in 0..5 {
        drop(breaker.try_acquire().unwrap());
    }
    let warnings: Vec<_> = std::iter::from_fn(|| stream.try_next()).collect();
    assert!(matches!(
        warnings[..],
        [
            Event::UnknownErrorType { .. },
            Event::CancelledInARow { calls: 5, .. }
        ]
    ));
}

#[tokio::test]
async fn ended_stream_stays_ended_while_handles_live() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    let mut events = registry.subscribe();
    users.trip();
    drop(registry);
    assert!(events.recv().await.is_some());
    assert_eq!(events.recv().await, None);
    users.reset();
    assert_eq!(events.recv().await, None);
}
