//! Predicates and classifiers that panic, block, or use the breaker that calls them.

use super::catch_panic;
use breakerbox::prelude::*;
use std::fmt;
use std::pin::pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

fn down() -> Result<(), fmt::Error> {
    Err(fmt::Error)
}

fn poll_once<F: Future>(future: F) {
    let call = pin!(future);
    let _ = call.poll(&mut Context::from_waker(Waker::noop()));
}

/// Returns the totals (success, failure, ignored, cancelled) and the number of calls in flight.
fn totals(breaker: &CircuitBreaker) -> ([u64; 4], u32) {
    let snapshot = breaker.snapshot();
    let counts = snapshot.totals;
    let success = counts.success.unwrap_or_default();
    let ended = [success, counts.failure, counts.ignored, counts.cancelled];
    (ended, snapshot.in_flight.unwrap_or_default())
}

#[test]
fn panicking_predicate_makes_call_ignored_in_every_form() {
    type Build = fn(BreakerBuilder) -> BreakerBuilder;
    let rules: [Build; 5] = [
        |b| b.expected_error_if(|_: &fmt::Error| panic!("the predicate panicked")),
        |b| b.ignored_error_if(|_: &fmt::Error| panic!("the predicate panicked")),
        |b| b.expected_value_if(|_: &fmt::Error| panic!("the predicate panicked")),
        |b| b.ignored_value_if(|_: &fmt::Error| panic!("the predicate panicked")),
        |b| b.trip_for_if(|_: &fmt::Error| panic!("the predicate panicked")),
    ];
    for rule in rules {
        let builder = rule(CircuitBreaker::builder().failure_threshold(1));
        let breaker = builder.build().unwrap();
        let forms: [&dyn Fn(); 5] = [
            &|| drop(breaker.call(down)),
            &|| drop(down.guarded_by(&breaker).call()),
            &|| poll_once(async { down() }.guarded_by(&breaker)),
            &|| poll_once((async || down()).guarded_by(&breaker).call()),
            &|| breaker.try_acquire().unwrap().record_result(&down()),
        ];
        for (ignored, form) in (1..).zip(forms) {
            assert!(
                catch_panic(form).is_none(),
                "the panic propagates to the caller"
            );
            assert_eq!(totals(&breaker), ([0, 0, ignored, 0], 0));
            assert_eq!(breaker.state(), State::Closed);
        }
        assert!(breaker.call(|| Ok::<_, fmt::Error>(())).is_ok());
    }
}

#[test]
fn panicking_fail_if_or_classify_makes_call_ignored() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let fails = |_: &fmt::Error| -> bool { panic!("the predicate panicked") };
    let outcome = |_: &Result<(), fmt::Error>| -> Outcome { panic!("the classifier panicked") };
    let forms: [&dyn Fn(); 4] = [
        &|| drop(down.guarded_by(&breaker).fail_if(fails).call()),
        &|| poll_once(async { down() }.guarded_by(&breaker).fail_if(fails)),
        &|| drop(down.guarded_by(&breaker).classify(outcome).call()),
        &|| poll_once(async { down() }.guarded_by(&breaker).classify(outcome)),
    ];
    for (ignored, form) in (1..).zip(forms) {
        assert!(catch_panic(form).is_none());
        assert_eq!(totals(&breaker), ([0, 0, ignored, 0], 0));
    }
}

#[test]
fn panicking_predicate_frees_trial_slot() {
    let breaker = CircuitBreaker::builder()
        .half_open_calls(1)
        .expected_error_if(|_: &fmt::Error| panic!("the predicate panicked"))
        .build()
        .unwrap();
    breaker.half_open();
    for _ in 0..10 {
        assert!(catch_panic(|| breaker.call(down)).is_none());
        assert_eq!(breaker.state(), State::HalfOpen);
        assert_eq!(totals(&breaker).1, 0);
    }
    assert!(breaker.call(|| Ok::<_, fmt::Error>(())).is_ok());
    assert_eq!(breaker.state(), State::Closed);
}

/// Other calls and commands proceed while a predicate does not return.
#[test]
fn blocking_predicate_delays_only_its_call() {
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let registry = BreakerRegistry::new();
    let settings = CircuitBreaker::builder().expected_error_if(move |_: &fmt::Error| {
        entered.send(()).unwrap();
        // A disconnected channel ends the wait, too, so that a failed test does not hang.
        let _ = released.lock().unwrap().recv();
        true
    });
    let users = registry.register("users", settings).unwrap();
    thread::scope(|scope| {
        let blocked = scope.spawn(|| users.call(down).is_err());
        has_entered.recv().unwrap();
        assert_eq!(users.call(|| Ok::<_, fmt::Error>(7)).unwrap(), 7);
        // An error of a type that the predicate does not take.
        assert!(users.call(|| Err::<(), _>("down")).is_err());
        users.try_acquire().unwrap().failure();
        users.trip();
        assert!(users.try_acquire().is_err());
        users
            .configure(|settings| settings.failure_threshold(9))
            .unwrap();
        users.reset();
        assert!(users.snapshot().to_string().contains("users"));
        assert!(registry.breaker("orders").try_acquire().is_ok());
        assert!(registry.remove("users").is_some());
        assert!(!blocked.is_finished());
        release.send(()).unwrap();
        assert!(blocked.join().unwrap());
    });
    // The blocked call began before the trip, so its outcome is late.
    assert_eq!(users.snapshot().totals.late, 1);
    assert_eq!((users.failure_count(), users.state()), (0, State::Closed));
}

#[test]
fn blocking_predicate_keeps_trial_slot_during_lease() {
    const NANOSECOND: Duration = Duration::from_nanos(1);
    const ALMOST_LEASE: Duration = Duration::from_nanos(9_999_999_999);
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let clock = breakerbox::clock::ManualClock::new();
    let breaker = CircuitBreaker::builder()
        .clock(clock.clone())
        .half_open_calls(1)
        .trial_timeout(ALMOST_LEASE + NANOSECOND)
        .expected_error_if(move |_: &fmt::Error| {
            entered.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            true
        })
        .build()
        .unwrap();
    breaker.half_open();
    thread::scope(|scope| {
        let blocked = scope.spawn(|| breaker.call(down).is_err());
        has_entered.recv().unwrap();
        clock.advance(ALMOST_LEASE);
        assert!(breaker.try_acquire().is_err());
        clock.advance(NANOSECOND);
        assert!(breaker.call(|| Ok::<_, fmt::Error>(())).is_ok());
        assert_eq!(breaker.state(), State::Closed);
        release.send(()).unwrap();
        assert!(blocked.join().unwrap());
    });
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().totals.late, 1);
}

/// The calls of a predicate are recorded before the outcome of the outer call.
#[test]
fn predicate_can_use_its_breaker() {
    let cell: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let breaker_cell = cell.clone();
    let breaker = CircuitBreaker::builder()
        .failure_threshold(3)
        .expected_error_if(move |_: &fmt::Error| {
            let own = breaker_cell.get().unwrap();
            assert!(own.call(|| Ok::<_, fmt::Error>(())).is_ok());
            assert!(own.call(|| Err::<(), _>("another type")).is_err());
            own.configure(|settings| settings.failure_threshold(3))
                .unwrap();
            let _ = (own.snapshot(), own.last_failure(), own.subscribe());
            drop(own.try_acquire().unwrap());
            true
        })
        .build()
        .unwrap();
    cell.set(breaker.clone()).unwrap();
    for failures in 1..=2 {
        assert!(breaker.call(down).is_err());
        assert_eq!(breaker.snapshot().totals.failure, failures);
    }
    // The predicate ran twice. Each run added a success, an unexpected error, which also counts as a
    // success, and a dropped permit.
    let ([success, failure, ignored, cancelled], _) = totals(&breaker);
    assert_eq!([success, failure, ignored, cancelled], [4, 2, 0, 2]);
    assert_eq!(
        breaker.failure_count(),
        1,
        "each success of the predicate resets the count"
    );
}

#[test]
fn predicate_can_trip_its_breaker() {
    let cell: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let breaker_cell = cell.clone();
    let breaker = CircuitBreaker::builder()
        .recovery_timeout(Duration::from_secs(3_600))
        .expected_error_if(move |_: &fmt::Error| {
            breaker_cell.get().unwrap().trip();
            true
        })
        .build()
        .unwrap();
    cell.set(breaker.clone()).unwrap();
    assert!(breaker.call(down).is_err_and(|error| !error.is_open()));
    assert_eq!(breaker.state(), State::Open);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.failure, totals.late), (0, 1), "{totals:?}");
}

/// Creates a breaker without failure texts, so that recording a failure need not take the lock.
fn without_capture() -> CircuitBreaker {
    let builder = CircuitBreaker::builder().capture_last_failure(false);
    builder.build().expect("valid")
}

#[test]
fn threshold_lowered_by_predicate_applies_to_its_failure() {
    let users = without_capture();
    let handle = users.clone();
    let call = down.guarded_by(&users).fail_if(move |_: &fmt::Error| {
        let lowered = handle.configure(|settings| settings.failure_threshold(1));
        lowered.expect("valid");
        // The success clears the slow-path flag that `configure` has set. The outer call must notice
        // the new threshold without the flag.
        drop(handle.call(|| Ok::<_, fmt::Error>(())));
        true
    });
    drop(call.call());
    assert_eq!((users.failure_count(), users.state()), (1, State::Open));
}

#[test]
fn window_added_by_predicate_records_its_failure() {
    let users = without_capture();
    let handle = users.clone();
    let call = down.guarded_by(&users).fail_if(move |_: &fmt::Error| {
        let rule = TripRule::failures(1).over(Window::calls(4));
        let added = handle.configure(|settings| settings.trip_when(rule));
        added.expect("valid");
        for _ in 0..10 {
            drop(handle.call(|| Ok::<_, fmt::Error>(())));
        }
        true
    });
    drop(call.call());
    let snapshot = users.snapshot();
    assert_eq!((snapshot.totals.failure, snapshot.state), (1, State::Open));
}

#[test]
fn listener_added_by_predicate_receives_its_failure() {
    let users = without_capture();
    let recorded = Arc::new(Mutex::new(0));
    let (handle, count) = (users.clone(), recorded.clone());
    let call = down.guarded_by(&users).fail_if(move |_: &fmt::Error| {
        let count = count.clone();
        let listen = move |event: &Event| {
            let is_recorded = matches!(event, Event::Recorded { .. });
            *count.lock().expect("the lock is not poisoned") += u32::from(is_recorded);
        };
        let configured = handle.configure(|settings| settings.on_event(listen));
        configured.expect("valid");
        true
    });
    drop(call.call());
    assert_eq!(*recorded.lock().expect("the lock is not poisoned"), 1);
}
