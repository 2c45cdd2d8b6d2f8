//! Predicates and classifiers that panic, block, or use the breaker that asks them.

use super::caught;
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

fn once<F: Future>(future: F) {
    let call = pin!(future);
    let _ = call.poll(&mut Context::from_waker(Waker::noop()));
}

/// (success, failure, ignored, cancelled) and what is in flight.
fn counted(breaker: &CircuitBreaker) -> ([u64; 4], u32) {
    let snapshot = breaker.snapshot();
    let totals = snapshot.totals;
    let success = totals.success.unwrap_or_default();
    let ended = [success, totals.failure, totals.ignored, totals.cancelled];
    (ended, snapshot.in_flight.unwrap_or_default())
}

#[test]
fn judges_of_every_kind_may_panic_in_every_form() {
    type Build = fn(BreakerBuilder) -> BreakerBuilder;
    let rules: [Build; 4] = [
        |b| b.expected_error_if(|_: &fmt::Error| panic!("broken")),
        |b| b.ignored_error_if(|_: &fmt::Error| panic!("broken")),
        |b| b.expected_value_if(|_: &fmt::Error| panic!("broken")),
        |b| b.ignored_value_if(|_: &fmt::Error| panic!("broken")),
    ];
    for rule in rules {
        let builder = rule(CircuitBreaker::builder().failure_threshold(1));
        let breaker = builder.build().unwrap();
        let forms: [&dyn Fn(); 5] = [
            &|| drop(breaker.call(down)),
            &|| drop(down.guarded_by(&breaker).call()),
            &|| once(async { down() }.guarded_by(&breaker)),
            &|| once((async || down()).guarded_by(&breaker).call()),
            &|| breaker.try_acquire().unwrap().record_result(&down()),
        ];
        for (ignored, form) in (1..).zip(forms) {
            assert!(caught(form).is_none(), "the panic goes on to the caller");
            assert_eq!(counted(&breaker), ([0, 0, ignored, 0], 0));
            assert_eq!(breaker.state(), State::Closed);
        }
        assert!(breaker.call(|| Ok::<_, fmt::Error>(())).is_ok());
    }
}

#[test]
fn judges_of_one_call_may_panic() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let fails = |_: &fmt::Error| -> bool { panic!("broken") };
    let outcome = |_: &Result<(), fmt::Error>| -> Outcome { panic!("broken") };
    let forms: [&dyn Fn(); 4] = [
        &|| drop(down.guarded_by(&breaker).fail_if(fails).call()),
        &|| once(async { down() }.guarded_by(&breaker).fail_if(fails)),
        &|| drop(down.guarded_by(&breaker).classify(outcome).call()),
        &|| once(async { down() }.guarded_by(&breaker).classify(outcome)),
    ];
    for (ignored, form) in (1..).zip(forms) {
        assert!(caught(form).is_none());
        assert_eq!(counted(&breaker), ([0, 0, ignored, 0], 0));
    }
}

#[test]
fn a_trial_whose_judge_panics_gives_its_place_back() {
    let breaker = CircuitBreaker::builder()
        .half_open_calls(1)
        .expected_error_if(|_: &fmt::Error| panic!("broken"))
        .build()
        .unwrap();
    breaker.half_open();
    for _ in 0..10 {
        assert!(caught(|| breaker.call(down)).is_none());
        assert_eq!(breaker.state(), State::HalfOpen);
        assert_eq!(counted(&breaker).1, 0);
    }
    assert!(breaker.call(|| Ok::<_, fmt::Error>(())).is_ok());
    assert_eq!(breaker.state(), State::Closed);
}

/// Everything that others do goes on while a predicate does not return.
#[test]
fn a_predicate_that_blocks_holds_up_its_own_call_alone() {
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let registry = BreakerRegistry::new();
    let settings = CircuitBreaker::builder().expected_error_if(move |_: &fmt::Error| {
        entered.send(()).unwrap();
        // An error of the channel, too, ends the wait.
        let _ = released.lock().unwrap().recv();
        true
    });
    let users = registry.register("users", settings).unwrap();
    thread::scope(|scope| {
        let blocked = scope.spawn(|| users.call(down).is_err());
        has_entered.recv().unwrap();
        assert_eq!(users.call(|| Ok::<_, fmt::Error>(7)).unwrap(), 7);
        // An error that the predicate is not about.
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
    // It began before the circuit opened, and so changed nothing in the new period.
    assert_eq!(users.snapshot().totals.late, 1);
    assert_eq!((users.failure_count(), users.state()), (0, State::Closed));
}

#[test]
fn a_trial_whose_predicate_blocks_keeps_its_place_for_as_long_as_its_lease() {
    const MOMENT: Duration = Duration::from_nanos(1);
    const SHORT_OF_IT: Duration = Duration::from_nanos(9_999_999_999);
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let clock = breakerbox::clock::ManualClock::new();
    let breaker = CircuitBreaker::builder()
        .clock(clock.clone())
        .half_open_calls(1)
        .trial_timeout(SHORT_OF_IT + MOMENT)
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
        clock.advance(SHORT_OF_IT);
        assert!(breaker.try_acquire().is_err());
        clock.advance(MOMENT);
        assert!(breaker.call(|| Ok::<_, fmt::Error>(())).is_ok());
        assert_eq!(breaker.state(), State::Closed);
        release.send(()).unwrap();
        assert!(blocked.join().unwrap());
    });
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().totals.late, 1);
}

/// What a predicate does to its own breaker is done when the predicate's answer is recorded.
#[test]
fn a_predicate_may_use_its_own_breaker() {
    let place: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let inside = place.clone();
    let breaker = CircuitBreaker::builder()
        .failure_threshold(3)
        .expected_error_if(move |_: &fmt::Error| {
            let own = inside.get().unwrap();
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
    place.set(breaker.clone()).unwrap();
    for failures in 1..=2 {
        assert!(breaker.call(down).is_err());
        assert_eq!(breaker.snapshot().totals.failure, failures);
    }
    // Of each, two from within: a success, an error that is not expected, a permit that was dropped.
    let ([success, failure, ignored, cancelled], _) = counted(&breaker);
    assert_eq!([success, failure, ignored, cancelled], [4, 2, 0, 2]);
    assert_eq!(
        breaker.failure_count(),
        1,
        "each success began a new streak"
    );
}

#[test]
fn a_predicate_may_trip_its_own_breaker() {
    let place: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let inside = place.clone();
    let breaker = CircuitBreaker::builder()
        .recovery_timeout(Duration::from_secs(3_600))
        .expected_error_if(move |_: &fmt::Error| {
            inside.get().unwrap().trip();
            true
        })
        .build()
        .unwrap();
    place.set(breaker.clone()).unwrap();
    assert!(breaker.call(down).is_err_and(|error| !error.is_open()));
    assert_eq!(breaker.state(), State::Open);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.failure, totals.late), (0, 1), "{totals:?}");
}

/// Without the text, so that a failure need not take the lock.
fn terse() -> CircuitBreaker {
    let builder = CircuitBreaker::builder().capture_last_failure(false);
    builder.build().expect("valid")
}

#[test]
fn a_threshold_that_is_lowered_while_a_predicate_runs_acts_at_this_failure() {
    let users = terse();
    let meanwhile = users.clone();
    let call = down.guarded_by(&users).fail_if(move |_: &fmt::Error| {
        let lowered = meanwhile.configure(|settings| settings.failure_threshold(1));
        lowered.expect("valid");
        // Which takes every mark from the word that says something is new.
        drop(meanwhile.call(|| Ok::<_, fmt::Error>(())));
        true
    });
    drop(call.call());
    assert_eq!((users.failure_count(), users.state()), (1, State::Open));
}

#[test]
fn a_window_that_is_added_while_a_predicate_runs_sees_this_failure() {
    let users = terse();
    let meanwhile = users.clone();
    let call = down.guarded_by(&users).fail_if(move |_: &fmt::Error| {
        let rule = TripRule::failures(1).over(Window::calls(4));
        let added = meanwhile.configure(|settings| settings.trip_when(rule));
        added.expect("valid");
        for _ in 0..10 {
            drop(meanwhile.call(|| Ok::<_, fmt::Error>(())));
        }
        true
    });
    drop(call.call());
    let snapshot = users.snapshot();
    assert_eq!((snapshot.totals.failure, snapshot.state), (1, State::Open));
}

#[test]
fn a_listener_that_a_predicate_brings_along_hears_of_this_failure() {
    let users = terse();
    let heard = Arc::new(Mutex::new(0));
    let (meanwhile, ears) = (users.clone(), heard.clone());
    let call = down.guarded_by(&users).fail_if(move |_: &fmt::Error| {
        let ears = ears.clone();
        let listen = move |event: &Event| {
            let recorded = matches!(event, Event::Recorded { .. });
            *ears.lock().expect("no poison") += u32::from(recorded);
        };
        let listening = meanwhile.configure(|settings| settings.on_event(listen));
        listening.expect("valid");
        true
    });
    drop(call.call());
    assert_eq!(*heard.lock().expect("no poison"), 1);
}
