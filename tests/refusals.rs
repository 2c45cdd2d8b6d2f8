//! Refusals describe their own moment, keep no breaker alive and protect it from eviction.
#![cfg(not(loom))]
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{CircuitOpen, Refusal};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// A breaker that refuses, and what lives as long as its settings do.
fn refusing() -> (CircuitBreaker, Weak<()>) {
    let token = Arc::new(());
    let alive = Arc::downgrade(&token);
    let breaker = CircuitBreaker::builder()
        .on_event(move |_| {
            let _ = &token;
        })
        .build()
        .expect("settings that work");
    breaker.force_open();
    (breaker, alive)
}

fn refusal(breaker: &CircuitBreaker) -> CircuitOpen {
    breaker.try_acquire().expect_err("a circuit that refuses")
}

#[test]
fn each_describes_its_own_moment() {
    let (breaker, _) = refusing();
    let forced = refusal(&breaker);
    breaker.trip_for(Duration::from_secs(3600));
    let open = refusal(&breaker);
    let copy = forced.clone();
    drop(forced);
    let again = refusal(&breaker);
    breaker.half_open();
    let _trial = breaker.try_acquire().expect("the trial");
    let taken = refusal(&breaker);
    drop(again);
    let other = thread::spawn(move || (open.reason(), taken.reason()));
    assert_eq!(copy.reason(), Refusal::Forced);
    assert_eq!(
        other.join().expect("no panic"),
        (Refusal::Open, Refusal::TrialsTaken)
    );
}

#[test]
fn refusal_never_changes_while_another_thread_reads() {
    let (breaker, _) = refusing();
    for round in 0..2_000_u64 {
        let seconds = 3600 * (1 + round % 7);
        breaker.trip_for(Duration::from_secs(seconds));
        let open = refusal(&breaker);
        let reader = (round % 50 == 0).then(|| {
            let copy = open.clone();
            thread::spawn(move || copy.retry_after())
        });
        drop(open);
        breaker.trip_for(Duration::from_secs(7 * 86_400));
        drop(refusal(&breaker));
        if let Some(reader) = reader {
            let left = reader.join().expect("no panic").expect("a time");
            // In whole seconds: the reading of a coarse clock may be a few milliseconds behind.
            assert!(left.as_secs() <= seconds, "{left:?}");
        }
        breaker.reset();
    }
}

#[test]
fn a_breaker_ends_with_its_last_handle() {
    let (breaker, alive) = refusing();
    let mut events = breaker.subscribe();
    drop(refusal(&breaker));
    let held = thread::scope(|scope| {
        let other = scope.spawn(|| {
            drop(refusal(&breaker));
            refusal(&breaker)
        });
        other.join().expect("no panic")
    });
    drop(breaker);
    assert!(alive.upgrade().is_none());
    assert_eq!(held.name(), "unnamed");
    assert_eq!(
        (held.reason(), held.last_failure()),
        (Refusal::Forced, None)
    );
    assert_eq!(format!("{held:#}"), "circuit \"unnamed\" is forced open");
    let mut end = || pin!(events.recv()).poll(&mut Context::from_waker(Waker::noop()));
    while let Poll::Ready(Some(_)) = end() {}
    assert!(matches!(end(), Poll::Ready(None)), "the stream goes on");
}

#[test]
fn each_keeps_its_breaker_from_eviction() {
    let registry = BreakerRegistry::builder()
        .capacity(1)
        .build()
        .expect("room for one");
    let refuse = || {
        let breaker = registry.breaker("a");
        breaker.force_open();
        refusal(&breaker)
    };
    let first = refuse();
    let second = refuse();
    registry.breaker("a").reset();
    let stays = || {
        (0..4).for_each(|_| drop(registry.breaker("b")));
        registry.get("a").is_some()
    };
    assert!(stays());
    drop(first);
    assert!(stays());
    drop(second);
    assert!(!stays());
}

#[test]
fn thousand_breakers_end_after_their_refusals() {
    let tokens: Vec<_> = (0..1_000)
        .map(|_| {
            let (breaker, alive) = refusing();
            drop((refusal(&breaker), refusal(&breaker)));
            alive
        })
        .collect();
    assert!(tokens.iter().all(|alive| alive.upgrade().is_none()));
}

#[test]
fn one_whose_thread_has_ended_keeps_its_breaker() {
    let registry = BreakerRegistry::builder().capacity(1).build().unwrap();
    let elsewhere = registry.clone();
    let refused = thread::spawn(move || {
        let users = elsewhere.breaker("users");
        users.force_open();
        refusal(&users)
    });
    let held = refused.join().expect("no panic");
    registry.breaker("users").reset();
    for _ in 0..3 {
        drop(registry.breaker("posts"));
        assert!(registry.get("users").is_some());
    }
    drop(held);
    for _ in 0..3 {
        drop(registry.breaker("posts"));
    }
    assert!(registry.get("users").is_none());
}

/// A breaker that opened because of `failures` calls that failed.
fn opened_by(failures: u32, clock: &ManualClock) -> CircuitBreaker {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(failures)
        .clock(clock.clone())
        .build()
        .expect("settings that work");
    for _ in 0..failures {
        let _ = breaker.call(|| Err::<(), _>("down"));
    }
    assert_eq!(breaker.state(), State::Open);
    breaker
}

#[test]
fn refusal_keeps_last_failure_while_circuit_stays() {
    for (failures, said) in [(1, "(1 failure, "), (2, "(2 failures, ")] {
        let clock = ManualClock::new();
        let breaker = opened_by(failures, &clock);
        let open = refusal(&breaker);
        clock.advance(Duration::from_secs(10));
        breaker.trip_for(Duration::from_secs(60));
        drop(refusal(&breaker));
        assert_eq!(open.last_failure().as_deref(), Some("\"down\""));
        let text = format!("{open:#}");
        assert!(text.ends_with(&format!("{said}last: \"down\")")), "{text}");
    }
}

#[test]
fn refusal_hides_last_failure_once_circuit_moved_on() {
    let moves: [fn(&CircuitBreaker, &ManualClock); 6] = [
        |breaker, _| breaker.force_open(),
        |breaker, _| breaker.half_open(),
        |breaker, _| breaker.metrics_only(),
        |breaker, _| breaker.reset(),
        |breaker, _| {
            breaker.reset();
            let _ = breaker.call(|| Err::<(), _>("another"));
        },
        |breaker, clock| {
            clock.advance(Duration::from_secs(30));
            let _ = breaker.call(|| Err::<(), _>("another"));
        },
    ];
    for moves_on in moves {
        for failures in [1, 2] {
            let clock = ManualClock::new();
            let breaker = opened_by(failures, &clock);
            let open = refusal(&breaker);
            moves_on(&breaker, &clock);
            assert_eq!(open.last_failure(), None, "{breaker:?}");
            assert_eq!(open.failure_count(), failures);
            assert!(!format!("{open:#}").contains("last"), "{open:#}");
        }
    }
}

#[test]
fn refusal_shows_no_failure_from_before_success() {
    let breaker = CircuitBreaker::builder()
        .build()
        .expect("settings that work");
    let _ = breaker.call(|| Err::<(), _>("down"));
    let _ = breaker.call(|| Ok::<_, &str>(()));
    breaker.trip();
    let open = refusal(&breaker);
    assert_eq!((open.failure_count(), open.last_failure()), (0, None));
}
