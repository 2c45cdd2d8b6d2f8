//! `poll_ready`: when it polls the service, and how it affects the next call.

use crate::support::{
    Fixture, RECOVERY, Readiness, StrictService, TestRequest, complete, poll, poll_ready, send,
};
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerBuilder, BreakerError, CircuitBreaker, Event, Refusal, State};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tower::{Layer, Service};

#[test]
fn closed_circuit_is_ready_with_service() {
    let mut fixture = Fixture::new();
    fixture.script.set_readiness(Readiness::Pending);
    assert!(poll_ready(&mut fixture.service).is_pending());
    fixture.script.set_readiness(Readiness::Ready);
    assert!(matches!(
        send(&mut fixture.service, TestRequest::Answer(7)),
        Ok(7)
    ));
    assert_eq!(fixture.script.polled(), 2);
}

#[test]
fn open_circuit_is_ready_without_polling_service() {
    for readiness in [Readiness::Pending, Readiness::Fails, Readiness::Panics] {
        let mut fixture = Fixture::new();
        fixture.script.set_readiness(readiness);
        fixture.breaker.trip();
        for _ in 0..3 {
            assert!(matches!(
                poll_ready(&mut fixture.service),
                Poll::Ready(Ok(()))
            ));
        }
        let error = complete(fixture.service.call(TestRequest::Answer(7))).unwrap_err();
        assert!(error.is_open());
        assert_eq!((fixture.script.polled(), fixture.script.called()), (0, 0));
        assert_eq!(fixture.breaker.snapshot().totals.refused, 1);
    }
}

#[test]
fn refusing_circuits_are_ready_without_polling_service() {
    let mut fixture = Fixture::new();
    fixture.breaker.force_open();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    fixture.breaker.half_open();
    let trial = fixture.breaker.try_acquire().unwrap();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    let Err(BreakerError::Open(open)) = complete(fixture.service.call(TestRequest::Answer(7)))
    else {
        panic!("not refused");
    };
    assert_eq!(open.reason(), Refusal::TrialsTaken);
    assert_eq!((fixture.script.polled(), fixture.script.called()), (0, 0));
    trial.success();
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[test]
fn ramping_circuit_is_ready_with_service() {
    let mut fixture = Fixture::new();
    let ramp_up = |settings: BreakerBuilder| settings.ramp_up(Duration::from_secs(20));
    fixture.breaker.configure(ramp_up).unwrap();
    fixture.breaker.half_open();
    fixture.breaker.try_acquire().unwrap().success();
    let mut reasons = Vec::new();
    for _ in 0..3 {
        assert!(matches!(
            poll_ready(&mut fixture.service),
            Poll::Ready(Ok(()))
        ));
        match complete(fixture.service.call(TestRequest::Answer(7))) {
            Ok(answer) => assert_eq!(answer, 7),
            Err(BreakerError::Open(open)) => reasons.push(open.reason()),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(reasons, [Refusal::RampingUp; 2]);
    assert_eq!((fixture.script.polled(), fixture.script.called()), (3, 1));
}

#[test]
fn call_refuses_as_poll_ready_decided() {
    let mut fixture = Fixture::new();
    for recover in [CircuitBreaker::reset, CircuitBreaker::half_open] {
        fixture.breaker.trip_for(Duration::from_secs(5));
        assert!(matches!(
            poll_ready(&mut fixture.service),
            Poll::Ready(Ok(()))
        ));
        recover(&fixture.breaker);
        let Err(BreakerError::Open(open)) = complete(fixture.service.call(TestRequest::Answer(7)))
        else {
            panic!("a service that was not polled ready was called");
        };
        // The refusal has the reason and the time that `poll_ready` saw.
        assert_eq!(open.reason(), Refusal::Open);
        assert_eq!(open.retry_after(), Some(Duration::from_secs(5)));
        assert_eq!(fixture.script.called(), 0);
    }
    // The refused call was not a trial, so the slot is free.
    assert_eq!(fixture.breaker.snapshot().totals.refused, 2);
    assert!(matches!(
        send(&mut fixture.service, TestRequest::Answer(7)),
        Ok(7)
    ));
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[test]
fn refusal_replaces_earlier_readiness() {
    let mut fixture = Fixture::new();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    fixture.breaker.trip();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    fixture.breaker.reset();
    assert!(
        complete(fixture.service.call(TestRequest::Answer(7)))
            .unwrap_err()
            .is_open()
    );
    assert_eq!(fixture.script.called(), 0);
    assert!(matches!(
        send(&mut fixture.service, TestRequest::Answer(7)),
        Ok(7)
    ));
}

#[test]
fn refusal_reports_time_remaining_at_call() {
    let mut fixture = Fixture::new();
    fixture.breaker.trip();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    fixture.clock.advance(RECOVERY / 3);
    let error = complete(fixture.service.call(TestRequest::Answer(7))).unwrap_err();
    assert_eq!(error.retry_after(), Some(RECOVERY / 3 * 2));
}

#[test]
fn next_poll_ready_sees_recovery() {
    let mut fixture = Fixture::new();
    fixture.breaker.trip();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    fixture.clock.advance(RECOVERY);
    // Polling the same service again polls the inner service.
    assert!(matches!(
        send(&mut fixture.service, TestRequest::Answer(7)),
        Ok(7)
    ));
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[test]
fn circuit_opened_after_poll_keeps_service_ready() {
    let mut fixture = Fixture::new();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    fixture.breaker.trip();
    assert!(
        complete(fixture.service.call(TestRequest::Answer(7)))
            .unwrap_err()
            .is_open()
    );
    assert_eq!(fixture.script.called(), 0);
    fixture.breaker.reset();
    assert!(matches!(
        complete(fixture.service.call(TestRequest::Answer(7))),
        Ok(7)
    ));
}

#[test]
fn poll_ready_takes_no_slot() {
    let mut fixture = Fixture::new();
    fixture.half_open();
    let mut others = [fixture.service.clone(), fixture.service.clone()];
    for service in &mut others {
        assert!(matches!(poll_ready(service), Poll::Ready(Ok(()))));
    }
    assert_eq!(fixture.script.polled(), 2);
    // Two services are ready for the only slot. Neither of them keeps another service from taking it.
    assert!(matches!(
        send(&mut fixture.service, TestRequest::Answer(7)),
        Ok(7)
    ));
    assert_eq!(fixture.breaker.state(), State::Closed);
    assert_eq!(fixture.breaker.snapshot().totals.cancelled, 0);
}

#[test]
fn clone_does_not_inherit_readiness() {
    let mut fixture = Fixture::new();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    let mut clone = fixture.service.clone();
    // The inner service of the clone was never polled, although the circuit is closed at the call.
    fixture.breaker.trip();
    assert!(matches!(poll_ready(&mut clone), Poll::Ready(Ok(()))));
    fixture.breaker.reset();
    assert!(
        complete(clone.call(TestRequest::Answer(7)))
            .unwrap_err()
            .is_open()
    );
    assert!(matches!(
        complete(fixture.service.call(TestRequest::Answer(7))),
        Ok(7)
    ));
}

#[test]
fn clone_does_not_inherit_refusal() {
    let mut fixture = Fixture::new();
    fixture.breaker.trip();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    let mut clone = fixture.service.clone();
    fixture.breaker.reset();
    assert!(matches!(send(&mut clone, TestRequest::Answer(7)), Ok(7)));
}

#[test]
fn call_without_poll_ready_panics() {
    let fixture = Fixture::new();
    let mut service = fixture.service;
    assert!(matches!(send(&mut service, TestRequest::Answer(7)), Ok(7)));
    let mut ready = service.clone();
    assert!(matches!(poll_ready(&mut ready), Poll::Ready(Ok(()))));
    for mut service in [service.clone(), ready.clone(), service] {
        let call = AssertUnwindSafe(|| drop(service.call(TestRequest::Answer(7))));
        let payload = catch_unwind(call).unwrap_err();
        let message = payload.downcast_ref::<&str>().unwrap();
        assert!(message.contains("poll_ready"), "{message}");
    }
    assert_eq!(fixture.script.called(), 1);
    assert_eq!(fixture.breaker.snapshot().totals.failure, 0);
}

#[test]
fn poll_ready_error_is_returned_and_counted() {
    let mut fixture = Fixture::new();
    fixture.script.set_readiness(Readiness::Fails);
    let Poll::Ready(Err(BreakerError::Inner(_))) = poll_ready(&mut fixture.service) else {
        panic!("the error was not returned");
    };
    assert_eq!(fixture.breaker.state(), State::Open);
    assert_eq!(fixture.breaker.last_failure().as_deref(), Some("Fault"));
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
}

#[test]
fn poll_ready_error_is_classified_like_call() {
    let (strict, script) = StrictService::new();
    script.set_readiness(Readiness::Fails);
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
fn service_is_not_called_after_failed_poll_ready() {
    for readiness in [Readiness::Fails, Readiness::Pending] {
        let mut fixture = Fixture::new();
        fixture.breaker.disable();
        assert!(matches!(
            poll_ready(&mut fixture.service),
            Poll::Ready(Ok(()))
        ));
        fixture.script.set_readiness(readiness);
        assert!(!matches!(
            poll_ready(&mut fixture.service),
            Poll::Ready(Ok(()))
        ));
        let call = AssertUnwindSafe(|| drop(fixture.service.call(TestRequest::Answer(7))));
        let payload = catch_unwind(call).unwrap_err();
        let message = payload.downcast_ref::<&str>().unwrap();
        assert!(message.contains("poll_ready"), "{message}");
    }
}

#[test]
fn poll_ready_error_fails_trial_but_pending_does_not() {
    let mut fixture = Fixture::new();
    fixture.half_open();
    fixture.script.set_readiness(Readiness::Fails);
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Err(_))
    ));
    assert_eq!(fixture.breaker.state(), State::Open);
    assert_eq!(fixture.breaker.snapshot().totals.refused, 0);

    // A pending `poll_ready` records nothing.
    fixture.clock.advance(RECOVERY);
    fixture.script.set_readiness(Readiness::Pending);
    assert!(poll_ready(&mut fixture.service).is_pending());
    assert_eq!(fixture.breaker.state(), State::HalfOpen);
    assert_eq!(fixture.breaker.snapshot().totals.cancelled, 0);
}

#[test]
fn poll_ready_panic_is_failure() {
    let mut fixture = Fixture::new();
    fixture.script.set_readiness(Readiness::Panics);
    let polled = catch_unwind(AssertUnwindSafe(|| {
        poll_ready(&mut fixture.service).is_ready()
    }));
    assert!(polled.is_err());
    assert_eq!(fixture.breaker.state(), State::Open);
    assert_eq!(fixture.breaker.last_failure().as_deref(), Some("panicked"));
}

#[test]
fn poll_ready_records_no_refusal() {
    let mut fixture = Fixture::new();
    let mut events = fixture.breaker.subscribe();
    fixture.breaker.trip();
    assert!(matches!(
        events.try_next(),
        Some(Event::StateChanged { .. })
    ));
    for _ in 0..100 {
        assert!(matches!(
            poll_ready(&mut fixture.service),
            Poll::Ready(Ok(()))
        ));
    }
    assert_eq!(fixture.breaker.snapshot().totals.refused, 0);
    assert!(events.try_next().is_none());
    let mut call = pin!(fixture.service.call(TestRequest::Answer(7)));
    // The refusal is reported in `call`, not in `poll_ready`.
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
fn disabled_and_metrics_only_are_ready_with_service() {
    for command in [CircuitBreaker::disable, CircuitBreaker::metrics_only] {
        let mut fixture = Fixture::new();
        command(&fixture.breaker);
        fixture.script.set_readiness(Readiness::Pending);
        assert!(poll_ready(&mut fixture.service).is_pending());
        fixture.script.set_readiness(Readiness::Ready);
        assert!(matches!(
            send(&mut fixture.service, TestRequest::Fail),
            Err(BreakerError::Inner(_))
        ));
        assert!(matches!(
            send(&mut fixture.service, TestRequest::Answer(7)),
            Ok(7)
        ));
    }
}

#[test]
fn subscriber_added_after_poll_ready_receives_refusal() {
    let mut fixture = Fixture::new();
    fixture.breaker.force_open();
    assert!(poll_ready(&mut fixture.service).is_ready());
    fixture.breaker.reset();
    let mut events = fixture.breaker.subscribe();
    drop(fixture.service.call(TestRequest::Answer(7)));
    assert_eq!(fixture.breaker.snapshot().totals.refused, 1);
    let refusals = std::iter::from_fn(|| events.try_next())
        .filter(|event| matches!(event, Event::Refused { .. }))
        .count();
    assert_eq!(refusals, 1);
}
