//! Refusal errors: each describes its own refusal, keeps no breaker alive, and prevents eviction.
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

/// Returns a breaker that refuses all calls, and a reference that lives as long as its settings.
fn forced_open() -> (CircuitBreaker, Weak<()>) {
    let token = Arc::new(());
    let alive = Arc::downgrade(&token);
    let breaker = CircuitBreaker::builder()
        .on_event(move |_| {
            let _ = &token;
        })
        .build()
        .expect("valid settings");
    breaker.force_open();
    (breaker, alive)
}

fn refusal(breaker: &CircuitBreaker) -> CircuitOpen {
    breaker.try_acquire().expect_err("the circuit is open")
}

#[test]
fn refusal_describes_its_own_moment() {
    let (breaker, _) = forced_open();
    let forced = refusal(&breaker);
    breaker.trip_for(Duration::from_secs(3600));
    let open = refusal(&breaker);
    let copy = forced.clone();
    drop(forced);
    let again = refusal(&breaker);
    breaker.half_open();
    let _trial = breaker.try_acquire().expect("a free slot");
    let no_slot = refusal(&breaker);
    drop(again);
    let other = thread::spawn(move || (open.reason(), no_slot.reason()));
    assert_eq!(copy.reason(), Refusal::Forced);
    assert_eq!(
        other.join().expect("the thread should not panic"),
        (Refusal::Open, Refusal::TrialsTaken)
    );
}

#[test]
fn refusal_never_changes_during_concurrent_reads() {
    let (breaker, _) = forced_open();
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
            let left = reader
                .join()
                .expect("the thread should not panic")
                .expect("the circuit has a deadline");
            // Whole seconds, because a coarse clock may be a few milliseconds behind.
            assert!(left.as_secs() <= seconds, "{left:?}");
        }
        breaker.reset();
    }
}

#[test]
fn breaker_is_dropped_with_last_handle() {
    let (breaker, alive) = forced_open();
    let mut events = breaker.subscribe();
    drop(refusal(&breaker));
    let held = thread::scope(|scope| {
        let other = scope.spawn(|| {
            drop(refusal(&breaker));
            refusal(&breaker)
        });
        other.join().expect("the thread should not panic")
    });
    drop(breaker);
    assert!(alive.upgrade().is_none());
    assert_eq!(held.name(), "unnamed");
    assert_eq!(
        (held.reason(), held.last_failure()),
        (Refusal::Forced, None)
    );
    assert_eq!(format!("{held:#}"), "circuit \"unnamed\" is forced open");
    let mut poll_next = || pin!(events.recv()).poll(&mut Context::from_waker(Waker::noop()));
    while let Poll::Ready(Some(_)) = poll_next() {}
    assert!(
        matches!(poll_next(), Poll::Ready(None)),
        "the stream should end"
    );
}

#[test]
fn each_refusal_prevents_eviction() {
    let registry = BreakerRegistry::builder()
        .capacity(1)
        .build()
        .expect("valid settings");
    let refuse = || {
        let breaker = registry.breaker("a");
        breaker.force_open();
        refusal(&breaker)
    };
    let first = refuse();
    let second = refuse();
    registry.breaker("a").reset();
    let is_kept = || {
        (0..4).for_each(|_| drop(registry.breaker("b")));
        registry.get("a").is_some()
    };
    assert!(is_kept());
    drop(first);
    assert!(is_kept());
    drop(second);
    assert!(!is_kept());
}

#[test]
fn thousand_refusing_breakers_are_dropped() {
    let tokens: Vec<_> = (0..1_000)
        .map(|_| {
            let (breaker, alive) = forced_open();
            drop((refusal(&breaker), refusal(&breaker)));
            alive
        })
        .collect();
    assert!(tokens.iter().all(|alive| alive.upgrade().is_none()));
}

#[test]
fn refusal_prevents_eviction_after_thread_exit() {
    let registry = BreakerRegistry::builder().capacity(1).build().unwrap();
    let elsewhere = registry.clone();
    let refused = thread::spawn(move || {
        let users = elsewhere.breaker("users");
        users.force_open();
        refusal(&users)
    });
    let held = refused.join().expect("the thread should not panic");
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

/// Returns a breaker that was opened by this number of failures.
fn opened_by(failures: u32, clock: &ManualClock) -> CircuitBreaker {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(failures)
        .clock(clock.clone())
        .build()
        .expect("valid settings");
    for _ in 0..failures {
        let _ = breaker.call(|| Err::<(), _>("down"));
    }
    assert_eq!(breaker.state(), State::Open);
    breaker
}

#[test]
fn refusal_shows_last_failure_without_transition() {
    for (failures, expected) in [
        (1, "(1 consecutive failure, "),
        (2, "(2 consecutive failures, "),
    ] {
        let clock = ManualClock::new();
        let breaker = opened_by(failures, &clock);
        let open = refusal(&breaker);
        clock.advance(Duration::from_secs(10));
        breaker.trip_for(Duration::from_secs(60));
        drop(refusal(&breaker));
        assert_eq!(open.last_failure().as_deref(), Some("\"down\""));
        let text = format!("{open:#}");
        assert!(
            text.ends_with(&format!("{expected}last: \"down\")")),
            "{text}"
        );
    }
}

#[test]
fn refusal_hides_last_failure_after_transition() {
    let transitions: [fn(&CircuitBreaker, &ManualClock); 6] = [
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
    for transition in transitions {
        for failures in [1, 2] {
            let clock = ManualClock::new();
            let breaker = opened_by(failures, &clock);
            let open = refusal(&breaker);
            transition(&breaker, &clock);
            assert_eq!(open.last_failure(), None, "{breaker:?}");
            assert_eq!(open.failure_count(), failures);
            assert!(!format!("{open:#}").contains("last"), "{open:#}");
        }
    }
}

#[test]
fn refusal_shows_no_failure_from_before_success() {
    let breaker = CircuitBreaker::builder().build().expect("valid settings");
    let _ = breaker.call(|| Err::<(), _>("down"));
    let _ = breaker.call(|| Ok::<_, &str>(()));
    breaker.trip();
    let open = refusal(&breaker);
    assert_eq!((open.failure_count(), open.last_failure()), (0, None));
}
