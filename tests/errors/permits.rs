//! `Permit::record_error`: classifies and records an error.

use crate::support::{breaker, refusal, refused_io};
use breakerbox::{CircuitBreaker, Event};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn record_error_stores_failure_text() {
    let breaker = breaker();
    let permit = breaker.try_acquire().unwrap();
    permit.record_error(&refused_io());
    assert_eq!(breaker.failure_count(), 1);
    let last = breaker.last_failure();
    assert_eq!(last.as_deref(), Some("Kind(ConnectionRefused)"));
    breaker.try_acquire().unwrap().record_error(&"a text");
    assert_eq!(breaker.failure_count(), 2);
    assert_eq!(breaker.last_failure().as_deref(), Some("\"a text\""));
}

#[test]
fn permit_with_error_is_recorded_once() {
    let breaker = breaker();
    breaker.try_acquire().unwrap().record_error(&refused_io());
    let permit = breaker.try_acquire().unwrap();
    permit.record_result(&Err::<(), _>(refused_io()));
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.failure, totals.cancelled, totals.late), (2, 0, 0));
}

#[test]
fn record_error_applies_rules() {
    let unknown = Arc::new(AtomicUsize::new(0));
    let counter = unknown.clone();
    let breaker = CircuitBreaker::builder()
        .expected_error_if(|e: &io::Error| e.kind() == ErrorKind::ConnectionRefused)
        .ignored_error_if(|e: &io::Error| e.kind() == ErrorKind::Interrupted)
        .on_event(move |event| {
            if let Event::UnknownErrorType { .. } = event {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .unwrap();
    let record = |kind: ErrorKind| {
        let permit = breaker.try_acquire().unwrap();
        permit.record_error(&io::Error::from(kind));
        breaker.failure_count()
    };
    assert_eq!(record(ErrorKind::ConnectionRefused), 1);
    assert_eq!(record(ErrorKind::Interrupted), 1);
    assert_eq!(breaker.snapshot().totals.ignored, 1);
    assert_eq!(record(ErrorKind::NotFound), 0);
    assert_eq!(unknown.load(Ordering::Relaxed), 0);
    breaker.try_acquire().unwrap().record_error(&7);
    assert_eq!(unknown.load(Ordering::Relaxed), 1);
}

#[test]
fn record_error_ignores_refusal() {
    let breaker = breaker();
    let permit = breaker.try_acquire().unwrap();
    permit.record_error(&refusal::<io::Error>());
    assert_eq!(breaker.snapshot().totals.ignored, 1);
}

#[test]
fn record_error_can_trip() {
    let breaker = breaker();
    for _ in 0..5 {
        breaker.try_acquire().unwrap().record_error(&refused_io());
    }
    assert!(breaker.try_acquire().is_err());
}
