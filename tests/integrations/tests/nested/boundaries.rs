//! What is inside a trial, and what is not.

use crate::support::{BoxError, now, poll};
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::tower::BreakerLayer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tower::{Layer, Service, ServiceExt, service_fn};

type Answer = Result<u32, BoxError>;

fn half_open() -> CircuitBreaker {
    let breaker = CircuitBreaker::builder()
        .build()
        .expect("settings that work");
    breaker.half_open();
    breaker
}

/// A guarded call that succeeds, unless it is refused.
fn seven(breaker: &CircuitBreaker) -> Answer {
    breaker
        .call(|| Ok::<_, BoxError>(7))
        .map_err(BreakerError::flatten)
}

fn is_refused(breaker: &CircuitBreaker) -> bool {
    breaker
        .try_acquire()
        .is_err_and(|open| open.reason() == Refusal::TrialsTaken)
}

#[test]
fn joined_calls_record_nothing() {
    let events = Arc::new(AtomicU32::new(0));
    let heard = events.clone();
    let breaker = CircuitBreaker::builder()
        .expected_error::<std::io::Error>()
        .on_event(move |event| {
            let of_calls = !matches!(event, Event::StateChanged { .. });
            heard.fetch_add(u32::from(of_calls), Ordering::Relaxed);
        })
        .build()
        .unwrap();
    breaker.half_open();
    let permit = breaker.try_acquire().unwrap();
    let answer = permit.call(|| {
        let before = events.load(Ordering::Relaxed);
        let _ = breaker.call(|| Err::<(), _>("a type that no rule knows"));
        let _ = now(async { Err::<(), _>(std::io::Error::other("down")) }.guarded_by(&breaker));
        breaker
            .try_acquire()?
            .record(Outcome::TripFor(Duration::from_secs(60)));
        breaker.try_acquire()?.failure();
        drop(breaker.try_acquire()?);
        let classified = async { 503 }
            .guarded_by(&breaker)
            .classify_output(|_: &u32| unreachable!("a joined call is not classified"));
        assert_eq!(now(classified)?, 503);
        assert_eq!(events.load(Ordering::Relaxed), before);
        assert_eq!(breaker.snapshot().in_flight, Some(1));
        assert_eq!(
            (breaker.state(), breaker.failure_count()),
            (State::HalfOpen, 0)
        );
        Ok::<_, BoxError>(())
    });
    answer.unwrap();
    assert_eq!(breaker.state(), State::Closed);
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.ignored),
        (Some(1), 0, 0)
    );
    assert_eq!((totals.cancelled, totals.late, totals.refused), (0, 0, 0));
}

#[test]
fn joined_panic_is_failure_of_outer_call() {
    let breaker = half_open();
    let outer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        breaker.call(|| breaker.call(|| -> Result<(), BoxError> { panic!("inside") }))
    }));
    assert!(outer.is_err());
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().totals.failure, 1);
    // The mark of the trial is gone, although the call unwound.
    breaker.half_open();
    let trial = breaker.try_acquire().unwrap();
    assert!(is_refused(&breaker));
    drop(trial);
}

#[test]
fn handled_joined_panic_leaves_trial_running() {
    let breaker = half_open();
    let answer = breaker.call(|| {
        let inner = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            breaker.call(|| -> Result<(), BoxError> { panic!("inside") })
        }));
        assert!(inner.is_err());
        seven(&breaker)
    });
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn classifier_fallback_and_listener_are_outside() {
    let breaker = half_open();
    let checked = async { Ok::<_, BoxError>(7) }
        .guarded_by(&breaker)
        .classify(|_: &Answer2| {
            assert!(is_refused(&breaker), "a classifier is outside");
            Outcome::Success
        });
    now(checked).unwrap();
    assert_eq!(breaker.state(), State::Closed);

    breaker.half_open();
    let failing = async { Err::<(), BoxError>("down".into()) }
        .guarded_by(&breaker)
        .fail_if(|_: &BoxError| is_refused(&breaker));
    assert!(now(failing).is_err());
    assert_eq!(breaker.state(), State::Open, "a predicate is outside");

    breaker.half_open();
    let trial = breaker.try_acquire().unwrap();
    let fallback = async { Ok::<_, BoxError>(7) }
        .guarded_by(&breaker)
        .fallback(|_| {
            assert!(is_refused(&breaker), "a fallback is outside");
            async { Ok(8) }
        });
    assert_eq!(now(fallback).unwrap(), 8);
    drop(trial);

    for (successes, panics) in [(2, false), (1, true)] {
        assert_eq!(
            slots_taken_by_listener(successes, panics),
            1,
            "a listener is outside"
        );
    }
}

/// How many slots a listener takes that asks for a permit when a trial ended, undecided.
fn slots_taken_by_listener(successes: u32, panics: bool) -> u32 {
    let taken = Arc::new(AtomicU32::new(0));
    let (counted, registry) = (taken.clone(), BreakerRegistry::new());
    let own = registry.clone();
    let settings = CircuitBreaker::builder()
        .half_open_calls(2)
        .success_threshold(successes)
        .on_event(move |event| {
            let Event::Recorded { outcome, .. } = event else {
                return;
            };
            if *outcome == Outcome::Ignored {
                return;
            }
            let breaker = own.get("b").unwrap();
            let permit = breaker.try_acquire().unwrap();
            counted.fetch_add(breaker.snapshot().in_flight.unwrap_or(0), Ordering::Relaxed);
            permit.record(Outcome::Ignored);
        });
    let breaker = registry.register("b", settings).unwrap();
    breaker.half_open();
    let call = std::panic::AssertUnwindSafe(|| {
        breaker.call(|| {
            if panics {
                panic!("down")
            } else {
                Ok::<_, BoxError>(())
            }
        })
    });
    assert_eq!(std::panic::catch_unwind(call).is_err(), panics);
    taken.load(Ordering::Relaxed)
}

type Answer2 = Result<i32, BoxError>;

#[test]
fn other_threads_and_spawned_tasks_are_outside() {
    let breaker = half_open();
    let answer = breaker.call(|| {
        let there = breaker.clone();
        let refused = std::thread::spawn(move || is_refused(&there))
            .join()
            .unwrap();
        Ok::<_, BoxError>(refused)
    });
    assert!(answer.unwrap());

    let breaker = half_open();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let there = breaker.clone();
    let outer = async {
        // A task of the same thread runs while the outer future waits.
        let task = tokio::spawn(async move { is_refused(&there) });
        Ok::<_, BoxError>(task.await?)
    };
    assert!(runtime.block_on(outer.guarded_by(&breaker)).unwrap());
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn trial_is_outside_between_its_polls() {
    let breaker = half_open();
    let outer = async {
        tokio::task::yield_now().await;
        seven(&breaker)
    };
    let mut outer = Box::pin(outer.guarded_by(&breaker));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    assert!(poll(outer.as_mut()).is_pending());
    assert!(is_refused(&breaker), "the outer future is not polled now");
    assert_eq!(runtime.block_on(outer).unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn joined_future_may_be_polled_anywhere() {
    let breaker = half_open();
    let (answer, asked) = tokio::sync::oneshot::channel::<Result<(), &str>>();
    let inner = async { asked.await.unwrap_or(Ok(())) }.guarded_by(breaker.clone());
    let mut inner = Box::pin(inner);
    let joined = breaker.call(|| {
        assert!(poll(inner.as_mut()).is_pending());
        Ok::<_, BoxError>(())
    });
    joined.unwrap();
    assert_eq!(breaker.state(), State::Closed);
    answer.send(Err("down")).unwrap();
    let result = std::thread::spawn(move || now(inner)).join().unwrap();
    assert_eq!(
        result.unwrap_err().into_inner(),
        Some("down"),
        "its own result is returned"
    );
    assert_eq!(breaker.failure_count(), 0, "it records nothing");
    assert_eq!(breaker.snapshot().totals.late, 0);

    let breaker = half_open();
    let mut inner = Box::pin(std::future::pending::<Result<(), BoxError>>().guarded_by(&breaker));
    let outer = breaker.call(|| {
        assert!(poll(inner.as_mut()).is_pending());
        Ok::<_, BoxError>(())
    });
    outer.unwrap();
    drop(inner);
    assert_eq!(breaker.snapshot().totals.cancelled, 0, "nor does its drop");
}

#[test]
fn joining_is_decided_at_admission() {
    // Made outside, first polled inside.
    let breaker = half_open();
    let inner = async { Ok::<_, BoxError>(7) }.guarded_by(&breaker);
    let outer = async { inner.await.map_err(BreakerError::flatten) }.guarded_by(&breaker);
    assert_eq!(now(outer).unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);

    // Made inside, first polled outside.
    let breaker = half_open();
    let mut made = None;
    breaker
        .call(|| {
            made = Some(Box::pin(
                async { Ok::<_, BoxError>(7) }.guarded_by(breaker.clone()),
            ));
            Ok::<_, BoxError>(())
        })
        .unwrap();
    breaker.half_open();
    assert_eq!(now(made.unwrap()).unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed, "it was a trial of its own");
}

#[test]
fn identity_not_name_decides() {
    let settings = || CircuitBreaker::builder().name("twins");
    let (one, other) = (settings().build().unwrap(), settings().build().unwrap());
    one.half_open();
    other.half_open();
    let taken = other.try_acquire().unwrap();
    let answer = one.call(|| Ok::<_, BoxError>(is_refused(&other)));
    assert!(answer.unwrap());
    drop(taken);
}

#[test]
fn interleaved_trials_of_two_circuits_join() {
    let (one, other) = (half_open(), half_open());
    let answer = one.call(|| {
        let inner = other.call(|| {
            let one = one
                .call(|| Ok::<_, BoxError>(1))
                .map_err(BreakerError::flatten)?;
            let other = other
                .call(|| Ok::<_, BoxError>(2))
                .map_err(BreakerError::flatten)?;
            Ok::<_, BoxError>(one + other)
        });
        inner.map_err(BreakerError::flatten)
    });
    assert_eq!(answer.unwrap(), 3);
    assert_eq!((one.state(), other.state()), (State::Closed, State::Closed));
    assert_eq!(one.snapshot().totals.success, Some(1));
    assert_eq!(other.snapshot().totals.success, Some(1));
}

#[test]
fn trial_of_an_ended_period_admits_nothing() {
    let breaker = half_open();
    let answer = breaker.call(|| {
        breaker.reset();
        breaker.half_open();
        // Another period: the call inside is a trial of its own.
        let inner = seven(&breaker);
        assert_eq!(breaker.state(), State::Closed);
        inner
    });
    assert_eq!(answer.unwrap(), 7);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.success, totals.late), (Some(1), 1));
}

#[test]
fn circuit_opened_meanwhile_refuses_inside() {
    let breaker = half_open();
    let answer = breaker.call(|| {
        breaker.trip();
        seven(&breaker)
    });
    assert!(answer.is_err());
}

#[test]
fn lapsed_trial_still_takes_calls_in() {
    let clock = ManualClock::new();
    let lease = Duration::from_secs(1);
    let breaker = CircuitBreaker::builder()
        .trial_timeout(lease)
        .clock(clock.clone());
    let breaker = breaker.build().unwrap();
    breaker.half_open();
    let answer = breaker.call(|| {
        clock.advance(lease);
        let there = breaker.clone();
        let next = std::thread::spawn(move || there.try_acquire().unwrap())
            .join()
            .unwrap();
        let inner = seven(&breaker);
        drop(next);
        inner
    });
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().totals.success, Some(1));
}

#[test]
fn held_permit_is_outside_until_it_runs() {
    let breaker = half_open();
    let permit = breaker.try_acquire().unwrap();
    assert!(
        is_refused(&breaker),
        "nothing says that this call belongs to the permit"
    );
    let answer = permit.call(|| seven(&breaker));
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn second_slot_stays_free_for_others() {
    let breaker = CircuitBreaker::builder()
        .half_open_calls(2)
        .build()
        .unwrap();
    breaker.half_open();
    let answer = breaker.call(|| {
        breaker
            .call(|| Ok::<_, BoxError>(()))
            .map_err(BreakerError::flatten)?;
        assert_eq!(
            breaker.snapshot().in_flight,
            Some(1),
            "a joined call takes no slot"
        );
        Ok::<_, BoxError>(())
    });
    answer.unwrap();
    assert_eq!(breaker.state(), State::HalfOpen, "one success of two");
}

#[test]
fn permit_of_another_trial_ends_inside_without_confusion() {
    let breaker = CircuitBreaker::builder()
        .half_open_calls(2)
        .build()
        .unwrap();
    breaker.half_open();
    let other = breaker.try_acquire().unwrap();
    let answer = breaker.call(|| {
        other.success();
        // Still inside the trial of the call.
        seven(&breaker)
    });
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().totals.success, Some(2));
}

#[test]
fn refusal_seen_in_poll_ready_does_not_bind() {
    let breaker = half_open();
    let service = service_fn(|()| async { Ok::<_, BoxError>(7) });
    let mut service = BreakerLayer::new(breaker.clone()).layer(service);
    let taken = breaker.try_acquire().unwrap();
    now(service.ready()).map(|_| ()).unwrap();
    drop(taken);
    let answer =
        now(async { breaker.call(|| now(service.call(())).map_err(BreakerError::flatten)) });
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn unready_service_is_not_called_inside() {
    struct NeverReady;
    impl Service<()> for NeverReady {
        type Response = u32;
        type Error = BoxError;
        type Future = std::future::Ready<Answer>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), BoxError>> {
            std::task::Poll::Pending
        }

        fn call(&mut self, (): ()) -> Self::Future {
            unreachable!("it is not ready")
        }
    }
    let breaker = half_open();
    let mut service = BreakerLayer::new(breaker.clone()).layer(NeverReady);
    let taken = breaker.try_acquire().unwrap();
    now(service.ready()).map(|_| ()).unwrap();
    drop(taken);
    let answer = breaker.call(|| now(service.call(())).map_err(BreakerError::flatten));
    assert!(answer.is_err());
}

#[test]
fn run_permit_dropped_is_cancelled() {
    let breaker = half_open();
    let permit = breaker.try_acquire().unwrap();
    let mut running = Box::pin(permit.run(std::future::pending::<Answer>()));
    assert!(poll(running.as_mut()).is_pending());
    assert!(is_refused(&breaker));
    drop(running);
    assert_eq!(breaker.snapshot().totals.cancelled, 1);
    let never_polled = breaker
        .try_acquire()
        .unwrap()
        .run(async { Ok::<_, BoxError>(7) });
    drop(never_polled);
    assert_eq!(breaker.snapshot().totals.cancelled, 2);
    assert_eq!(
        now(breaker
            .try_acquire()
            .unwrap()
            .run(async { Ok::<_, BoxError>(7) }))
        .unwrap(),
        7
    );
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn listener_of_a_command_inside_is_outside() {
    let registry = BreakerRegistry::new();
    let (own, refused) = (registry.clone(), Arc::new(AtomicU32::new(0)));
    let counted = refused.clone();
    let settings = CircuitBreaker::builder().on_event(move |event| {
        if matches!(event, Event::Configured { .. }) {
            let is_refused = is_refused(&own.get("b").unwrap());
            counted.fetch_add(u32::from(is_refused), Ordering::Relaxed);
        }
    });
    let breaker = registry.register("b", settings).unwrap();
    breaker.half_open();
    let answer = breaker.call(|| {
        breaker
            .configure(|settings| settings.failure_threshold(9))
            .unwrap();
        // Still inside, after the listener was told.
        seven(&breaker)
    });
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(refused.load(Ordering::Relaxed), 1);
    assert_eq!(breaker.state(), State::Closed);
}
