//! `poll_ready`: whom it asks, what it takes, and what the next call makes of it.

use crate::support::{Ask, Bench, RECOVERY, Readiness, Strict, ask, now, poll, poll_ready};
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerError, CircuitBreaker, Event, Refusal, State};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tower::{Layer, Service};

#[test]
fn a_closed_circuit_is_ready_when_the_service_is() {
    let mut bench = Bench::new();
    bench.script.is(Readiness::Pending);
    assert!(poll_ready(&mut bench.service).is_pending());
    bench.script.is(Readiness::Ready);
    assert!(matches!(ask(&mut bench.service, Ask::Answer(7)), Ok(7)));
    assert_eq!(bench.script.polled(), 2);
}

#[test]
fn an_open_circuit_is_ready_without_asking_the_service() {
    for readiness in [Readiness::Pending, Readiness::Fails, Readiness::Panics] {
        let mut bench = Bench::new();
        bench.script.is(readiness);
        bench.breaker.trip();
        for _ in 0..3 {
            assert!(matches!(
                poll_ready(&mut bench.service),
                Poll::Ready(Ok(()))
            ));
        }
        let error = now(bench.service.call(Ask::Answer(7))).unwrap_err();
        assert!(error.is_open());
        assert_eq!((bench.script.polled(), bench.script.called()), (0, 0));
        assert_eq!(bench.breaker.snapshot().totals.refused, 1);
    }
}

#[test]
fn a_forced_open_circuit_and_one_whose_trials_are_taken_are_ready_the_same_way() {
    let mut bench = Bench::new();
    bench.breaker.force_open();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    bench.breaker.half_open();
    let trial = bench.breaker.try_acquire().unwrap();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    let Err(BreakerError::Open(open)) = now(bench.service.call(Ask::Answer(7))) else {
        panic!("not refused");
    };
    assert_eq!(open.reason(), Refusal::TrialsTaken);
    assert_eq!((bench.script.polled(), bench.script.called()), (0, 0));
    trial.success();
    assert_eq!(bench.breaker.state(), State::Closed);
}

#[test]
fn the_call_after_it_refuses_whatever_the_state_is_by_then() {
    let mut bench = Bench::new();
    for become_well in [CircuitBreaker::reset, CircuitBreaker::half_open] {
        bench.breaker.trip_for(Duration::from_secs(5));
        assert!(matches!(
            poll_ready(&mut bench.service),
            Poll::Ready(Ok(()))
        ));
        become_well(&bench.breaker);
        let Err(BreakerError::Open(open)) = now(bench.service.call(Ask::Answer(7))) else {
            panic!("a service that was not polled ready was called");
        };
        // It tells of the moment in which it was decided.
        assert_eq!(open.reason(), Refusal::Open);
        assert_eq!(open.retry_after(), Some(Duration::from_secs(5)));
        assert_eq!(bench.script.called(), 0);
    }
    // It was no trial: the slot is free.
    assert_eq!(bench.breaker.snapshot().totals.refused, 2);
    assert!(matches!(ask(&mut bench.service, Ask::Answer(7)), Ok(7)));
    assert_eq!(bench.breaker.state(), State::Closed);
}

#[test]
fn the_call_after_it_refuses_also_where_the_service_was_ready_before() {
    let mut bench = Bench::new();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    bench.breaker.trip();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    bench.breaker.reset();
    assert!(
        now(bench.service.call(Ask::Answer(7)))
            .unwrap_err()
            .is_open()
    );
    assert_eq!(bench.script.called(), 0);
    assert!(matches!(ask(&mut bench.service, Ask::Answer(7)), Ok(7)));
}

#[test]
fn it_refuses_as_of_now_while_the_circuit_is_still_open() {
    let mut bench = Bench::new();
    bench.breaker.trip();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    bench.clock.advance(RECOVERY / 3);
    let error = now(bench.service.call(Ask::Answer(7))).unwrap_err();
    assert_eq!(error.retry_after(), Some(RECOVERY / 3 * 2));
}

#[test]
fn a_circuit_that_recovers_after_it_was_polled_is_called_at_the_next_poll() {
    let mut bench = Bench::new();
    bench.breaker.trip();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    bench.clock.advance(RECOVERY);
    // The same service polled again: now the inner one is asked.
    assert!(matches!(ask(&mut bench.service, Ask::Answer(7)), Ok(7)));
    assert_eq!(bench.breaker.state(), State::Closed);
}

#[test]
fn a_circuit_that_opens_after_it_was_polled_refuses_and_leaves_the_service_ready() {
    let mut bench = Bench::new();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    bench.breaker.trip();
    assert!(
        now(bench.service.call(Ask::Answer(7)))
            .unwrap_err()
            .is_open()
    );
    assert_eq!(bench.script.called(), 0);
    bench.breaker.reset();
    assert!(matches!(now(bench.service.call(Ask::Answer(7))), Ok(7)));
}

#[test]
fn it_takes_no_trial() {
    let mut bench = Bench::new();
    bench.half_open();
    let mut others = [bench.service.clone(), bench.service.clone()];
    for service in &mut others {
        assert!(matches!(poll_ready(service), Poll::Ready(Ok(()))));
    }
    assert_eq!(bench.script.polled(), 2);
    // Neither of the two keeps anybody from the trial, or the one of them from it that calls first.
    assert!(matches!(ask(&mut bench.service, Ask::Answer(7)), Ok(7)));
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.snapshot().totals.cancelled, 0);
}

#[test]
fn a_clone_is_not_ready_because_its_original_is() {
    let mut bench = Bench::new();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    let mut clone = bench.service.clone();
    // Ready without asking, and closed again before the call: the inner clone was never polled.
    bench.breaker.trip();
    assert!(matches!(poll_ready(&mut clone), Poll::Ready(Ok(()))));
    bench.breaker.reset();
    assert!(now(clone.call(Ask::Answer(7))).unwrap_err().is_open());
    assert!(matches!(now(bench.service.call(Ask::Answer(7))), Ok(7)));
}

#[test]
fn a_clone_does_not_refuse_because_its_original_must() {
    let mut bench = Bench::new();
    bench.breaker.trip();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    let mut clone = bench.service.clone();
    bench.breaker.reset();
    assert!(matches!(ask(&mut clone, Ask::Answer(7)), Ok(7)));
}

#[test]
fn a_call_without_it_panics_rather_than_call_the_service() {
    let bench = Bench::new();
    let mut service = bench.service;
    assert!(matches!(ask(&mut service, Ask::Answer(7)), Ok(7)));
    let mut ready = service.clone();
    assert!(matches!(poll_ready(&mut ready), Poll::Ready(Ok(()))));
    for mut service in [service.clone(), ready.clone(), service] {
        let call = AssertUnwindSafe(|| drop(service.call(Ask::Answer(7))));
        let payload = catch_unwind(call).unwrap_err();
        let message = payload.downcast_ref::<&str>().unwrap();
        assert!(message.contains("poll_ready"), "{message}");
    }
    assert_eq!(bench.script.called(), 1);
    assert_eq!(bench.breaker.snapshot().totals.failure, 0);
}

#[test]
fn an_error_of_it_passes_and_counts() {
    let mut bench = Bench::new();
    bench.script.is(Readiness::Fails);
    let Poll::Ready(Err(BreakerError::Inner(_))) = poll_ready(&mut bench.service) else {
        panic!("the error does not pass");
    };
    assert_eq!(bench.breaker.state(), State::Open);
    assert_eq!(bench.breaker.last_failure().as_deref(), Some("Fault"));
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
}

#[test]
fn an_error_of_it_is_judged_as_a_call_that_ended_in_it() {
    let (strict, script) = Strict::new();
    script.is(Readiness::Fails);
    let breaker = CircuitBreaker::builder().build().unwrap();
    let layer = BreakerLayer::new(breaker.clone());
    let mut service = layer
        .fail_if(|_: &crate::support::Fault| false)
        .layer(strict);
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Err(_))));
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.success, totals.failure), (Some(1), 0));
}

#[test]
fn a_service_that_failed_to_become_ready_is_not_called() {
    for readiness in [Readiness::Fails, Readiness::Pending] {
        let mut bench = Bench::new();
        bench.breaker.disable();
        assert!(matches!(
            poll_ready(&mut bench.service),
            Poll::Ready(Ok(()))
        ));
        bench.script.is(readiness);
        assert!(!matches!(
            poll_ready(&mut bench.service),
            Poll::Ready(Ok(()))
        ));
        let call = AssertUnwindSafe(|| drop(bench.service.call(Ask::Answer(7))));
        let payload = catch_unwind(call).unwrap_err();
        let message = payload.downcast_ref::<&str>().unwrap();
        assert!(message.contains("poll_ready"), "{message}");
    }
}

#[test]
fn an_error_of_it_is_a_failed_trial_where_there_is_a_slot_and_nothing_where_there_is_none() {
    let mut bench = Bench::new();
    bench.half_open();
    bench.script.is(Readiness::Fails);
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Err(_))
    ));
    assert_eq!(bench.breaker.state(), State::Open);
    assert_eq!(bench.breaker.snapshot().totals.refused, 0);

    // Pending is no outcome.
    bench.clock.advance(RECOVERY);
    bench.script.is(Readiness::Pending);
    assert!(poll_ready(&mut bench.service).is_pending());
    assert_eq!(bench.breaker.state(), State::HalfOpen);
    assert_eq!(bench.breaker.snapshot().totals.cancelled, 0);
}

#[test]
fn a_panic_of_it_counts() {
    let mut bench = Bench::new();
    bench.script.is(Readiness::Panics);
    let polled = catch_unwind(AssertUnwindSafe(|| {
        poll_ready(&mut bench.service).is_ready()
    }));
    assert!(polled.is_err());
    assert_eq!(bench.breaker.state(), State::Open);
    assert_eq!(bench.breaker.last_failure().as_deref(), Some("panicked"));
}

#[test]
fn looking_counts_for_nothing() {
    let mut bench = Bench::new();
    let mut events = bench.breaker.subscribe();
    bench.breaker.trip();
    assert!(matches!(
        events.try_next(),
        Some(Event::StateChanged { .. })
    ));
    for _ in 0..100 {
        assert!(matches!(
            poll_ready(&mut bench.service),
            Poll::Ready(Ok(()))
        ));
    }
    assert_eq!(bench.breaker.snapshot().totals.refused, 0);
    assert!(events.try_next().is_none());
    let mut call = pin!(bench.service.call(Ask::Answer(7)));
    // The refusal was decided, and told, in `call`.
    assert!(matches!(
        events.try_next(),
        Some(Event::Refused {
            reason: Refusal::Open,
            ..
        })
    ));
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(_))));
    assert!(events.try_next().is_none());
}

#[test]
fn breakers_that_refuse_nothing_are_as_ready_as_the_service() {
    for command in [CircuitBreaker::disable, CircuitBreaker::metrics_only] {
        let mut bench = Bench::new();
        command(&bench.breaker);
        bench.script.is(Readiness::Pending);
        assert!(poll_ready(&mut bench.service).is_pending());
        bench.script.is(Readiness::Ready);
        assert!(matches!(
            ask(&mut bench.service, Ask::Fail),
            Err(BreakerError::Inner(_))
        ));
        assert!(matches!(ask(&mut bench.service, Ask::Answer(7)), Ok(7)));
    }
}

#[test]
fn who_came_to_listen_since_a_refusal_was_seen_hears_of_it() {
    let mut bench = Bench::new();
    bench.breaker.force_open();
    assert!(poll_ready(&mut bench.service).is_ready());
    bench.breaker.reset();
    let mut events = bench.breaker.subscribe();
    drop(bench.service.call(Ask::Answer(7)));
    assert_eq!(bench.breaker.snapshot().totals.refused, 1);
    let told = std::iter::from_fn(|| events.try_next())
        .filter(|event| matches!(event, Event::Refused { .. }))
        .count();
    assert_eq!(told, 1);
}
