//! Which calls join a trial, and which are outside of it.

use crate::support::{BoxError, complete, poll};
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::tower::BreakerLayer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tower::{Layer, Service, ServiceExt, service_fn};

type Answer = Result<u32, BoxError>;

fn half_open() -> CircuitBreaker {
    let breaker = CircuitBreaker::builder().build().expect("valid settings");
    breaker.half_open();
    breaker
}

/// Makes a guarded call that succeeds with 7, unless it is refused.
fn guarded_call(breaker: &CircuitBreaker) -> Answer {
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
    let counter = events.clone();
    let breaker = CircuitBreaker::builder()
        .expected_error::<std::io::Error>()
        .on_event(move |event| {
            let is_about_call = !matches!(event, Event::StateChanged { .. } | Event::Joined { .. });
            counter.fetch_add(u32::from(is_about_call), Ordering::Relaxed);
        })
        .build()
        .unwrap();
    breaker.half_open();
    let permit = breaker.try_acquire().unwrap();
    let answer = permit.call(|| {
        let before = events.load(Ordering::Relaxed);
        let _ = breaker.call(|| Err::<(), _>("a type that no rule knows"));
        let _ =
            complete(async { Err::<(), _>(std::io::Error::other("down")) }.guarded_by(&breaker));
        breaker
            .try_acquire()?
            .record(Outcome::TripFor(Duration::from_secs(60)));
        breaker.try_acquire()?.failure();
        drop(breaker.try_acquire()?);
        let classified = async { 503 }
            .guarded_by(&breaker)
            .classify_output(|_: &u32| unreachable!("a joined call is not classified"));
        assert_eq!(complete(classified)?, 503);
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
    assert_eq!(totals.joined, 6);
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
    // Unwinding has removed the mark of the trial.
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
        guarded_call(&breaker)
    });
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn classifier_fallback_and_listener_are_outside() {
    let breaker = half_open();
    let checked = async { Ok::<_, BoxError>(7) }
        .guarded_by(&breaker)
        .classify(|_: &Result<i32, BoxError>| {
            assert!(is_refused(&breaker), "a classifier is outside");
            Outcome::Success
        });
    complete(checked).unwrap();
    assert_eq!(breaker.state(), State::Closed);

    breaker.half_open();
    let failing = async { Err::<(), BoxError>("down".into()) }
        .guarded_by(&breaker)
        .fail_if(|_: &BoxError| is_refused(&breaker));
    assert!(complete(failing).is_err());
    assert_eq!(breaker.state(), State::Open, "a predicate is outside");

    breaker.half_open();
    let trial = breaker.try_acquire().unwrap();
    let fallback = async { Ok::<_, BoxError>(7) }
        .guarded_by(&breaker)
        .fallback(|_| {
            assert!(is_refused(&breaker), "a fallback is outside");
            async { Ok(8) }
        });
    assert_eq!(complete(fallback).unwrap(), 8);
    drop(trial);

    for (successes, panics) in [(2, false), (1, true)] {
        assert_eq!(
            slots_taken_by_listener(successes, panics),
            1,
            "a listener is outside"
        );
    }
}

/// Returns the slots in use when a listener acquires a permit, after a trial that did not decide the
/// half-open period.
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
        guarded_call(&breaker)
    };
    let mut outer = Box::pin(outer.guarded_by(&breaker));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    assert!(poll(outer.as_mut()).is_pending());
    assert!(
        is_refused(&breaker),
        "a call between two polls is outside the trial"
    );
    assert_eq!(runtime.block_on(outer).unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn joined_future_may_be_polled_anywhere() {
    let breaker = half_open();
    let (sender, receiver) = tokio::sync::oneshot::channel::<Result<(), &str>>();
    let inner = async { receiver.await.unwrap_or(Ok(())) }.guarded_by(breaker.clone());
    let mut inner = Box::pin(inner);
    let joined = breaker.call(|| {
        assert!(poll(inner.as_mut()).is_pending());
        Ok::<_, BoxError>(())
    });
    joined.unwrap();
    assert_eq!(breaker.state(), State::Closed);
    sender.send(Err("down")).unwrap();
    let result = std::thread::spawn(move || complete(inner)).join().unwrap();
    assert_eq!(
        result.unwrap_err().into_inner(),
        Some("down"),
        "the inner result is returned"
    );
    assert_eq!(
        breaker.failure_count(),
        0,
        "a joined future records nothing"
    );
    assert_eq!(breaker.snapshot().totals.late, 0);

    let breaker = half_open();
    let mut inner = Box::pin(std::future::pending::<Result<(), BoxError>>().guarded_by(&breaker));
    let outer = breaker.call(|| {
        assert!(poll(inner.as_mut()).is_pending());
        Ok::<_, BoxError>(())
    });
    outer.unwrap();
    drop(inner);
    assert_eq!(
        breaker.snapshot().totals.cancelled,
        0,
        "dropping a joined future records nothing"
    );
}

#[test]
fn joining_is_decided_at_admission() {
    // Created outside the trial, first polled inside.
    let breaker = half_open();
    let inner = async { Ok::<_, BoxError>(7) }.guarded_by(&breaker);
    let outer = async { inner.await.map_err(BreakerError::flatten) }.guarded_by(&breaker);
    assert_eq!(complete(outer).unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);

    // Created inside the trial, first polled outside.
    let breaker = half_open();
    let mut created = None;
    breaker
        .call(|| {
            created = Some(Box::pin(
                async { Ok::<_, BoxError>(7) }.guarded_by(breaker.clone()),
            ));
            Ok::<_, BoxError>(())
        })
        .unwrap();
    breaker.half_open();
    assert_eq!(complete(created.unwrap()).unwrap(), 7);
    assert_eq!(
        breaker.state(),
        State::Closed,
        "the future was a trial of its own"
    );
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
fn trial_of_ended_period_admits_nothing() {
    let breaker = half_open();
    let answer = breaker.call(|| {
        breaker.reset();
        breaker.half_open();
        // In the new half-open period, the nested call is a trial of its own.
        let inner = guarded_call(&breaker);
        assert_eq!(breaker.state(), State::Closed);
        inner
    });
    assert_eq!(answer.unwrap(), 7);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.success, totals.late), (Some(1), 1));
}

#[test]
fn circuit_tripped_inside_trial_refuses() {
    let breaker = half_open();
    let answer = breaker.call(|| {
        breaker.trip();
        guarded_call(&breaker)
    });
    assert!(answer.is_err());
}

#[test]
fn lapsed_trial_still_admits_nested_calls() {
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
        let inner = guarded_call(&breaker);
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
        "a call next to a held permit is outside the trial"
    );
    let answer = permit.call(|| guarded_call(&breaker));
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn joined_call_takes_no_slot() {
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
fn permit_of_other_trial_may_end_inside() {
    let breaker = CircuitBreaker::builder()
        .half_open_calls(2)
        .build()
        .unwrap();
    breaker.half_open();
    let other = breaker.try_acquire().unwrap();
    let answer = breaker.call(|| {
        other.success();
        // The call is still inside its own trial.
        guarded_call(&breaker)
    });
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().totals.success, Some(2));
}

#[test]
fn refusal_in_poll_ready_does_not_bind_joined_call() {
    let breaker = half_open();
    let service = service_fn(|()| async { Ok::<_, BoxError>(7) });
    let mut service = BreakerLayer::new(breaker.clone()).layer(service);
    let taken = breaker.try_acquire().unwrap();
    complete(service.ready()).map(|_| ()).unwrap();
    drop(taken);
    let answer = complete(async {
        breaker.call(|| complete(service.call(())).map_err(BreakerError::flatten))
    });
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
            unreachable!("the service is not ready")
        }
    }
    let breaker = half_open();
    let mut service = BreakerLayer::new(breaker.clone()).layer(NeverReady);
    let taken = breaker.try_acquire().unwrap();
    complete(service.ready()).map(|_| ()).unwrap();
    drop(taken);
    let answer = breaker.call(|| complete(service.call(())).map_err(BreakerError::flatten));
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
        complete(
            breaker
                .try_acquire()
                .unwrap()
                .run(async { Ok::<_, BoxError>(7) })
        )
        .unwrap(),
        7
    );
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn listener_called_inside_trial_is_outside() {
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
        // The call is still inside the trial after the listener has returned.
        guarded_call(&breaker)
    });
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(refused.load(Ordering::Relaxed), 1);
    assert_eq!(breaker.state(), State::Closed);
}
