//! Listeners that call breakers or panic.

use crate::support::{Fault, Log, TestBreaker};
use breakerbox::{CircuitBreaker, Event, State};
use std::sync::{Arc, OnceLock};

#[test]
fn g23_listener_can_read_state_and_trip_breakers() {
    let other = TestBreaker::new(|b| b);
    let seen = Log::default();
    let own: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let listener = {
        let (own, other, log) = (own.clone(), CircuitBreaker::clone(&other), seen.listener());
        move |event: &Event| {
            log(event);
            let own = own.get().expect("set before the first event");
            assert_ne!(own.snapshot().state, State::Disabled);
            other.trip();
            // A state change from within a listener is delivered after the current event.
            if matches!(
                event,
                Event::StateChanged {
                    to: State::Open,
                    ..
                }
            ) {
                own.half_open();
            }
        }
    };
    let breaker = TestBreaker::new(|b| b.failure_threshold(1).on_event(listener));
    own.set(CircuitBreaker::clone(&breaker))
        .expect("set only once");
    breaker.fail();
    assert_eq!(
        (other.state(), breaker.state()),
        (State::Open, State::HalfOpen)
    );
    let changes = [(State::Closed, State::Open), (State::Open, State::HalfOpen)];
    assert_eq!(seen.changes(), changes);
    assert_eq!(breaker.log.changes(), changes);
}

#[test]
fn g23_listener_panic_is_contained() {
    let breaker = TestBreaker::new(|b| {
        b.failure_threshold(1).on_event(|event| {
            assert!(
                !matches!(event, Event::StateChanged { .. }),
                "the listener panicked"
            );
        })
    });
    let result = breaker.call(|| Err::<(), _>(Fault));
    assert_eq!(
        result.expect_err("the call's own error").into_inner(),
        Some(Fault)
    );
    breaker.reset();
    breaker.succeed();
    let changes = [(State::Closed, State::Open), (State::Open, State::Closed)];
    assert_eq!(breaker.log.changes(), changes);
    let panicked = |event: &Event| matches!(event, Event::ListenerPanicked { message, .. } if message.contains("the listener panicked"));
    assert_eq!(breaker.log.count(panicked), 2);
}
