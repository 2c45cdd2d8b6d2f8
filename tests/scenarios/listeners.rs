//! Listeners that call breakers or panic.

use crate::support::{Bench, Fault, Log};
use breakerbox::{CircuitBreaker, Event, State};
use std::sync::{Arc, OnceLock};

#[test]
fn g23_listener_may_read_state_and_trip_breakers() {
    let other = Bench::new(|b| b);
    let seen = Log::default();
    let own: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let listener = {
        let (own, other, log) = (own.clone(), CircuitBreaker::clone(&other), seen.listener());
        move |event: &Event| {
            log(event);
            let own = own.get().expect("set before the first event");
            assert_ne!(own.snapshot().state, State::Disabled);
            other.trip();
            // From inside an event of its own: delivered after this event.
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
    let bench = Bench::new(|b| b.failure_threshold(1).on_event(listener));
    own.set(CircuitBreaker::clone(&bench))
        .expect("the first to set it");
    bench.fails();
    assert_eq!(
        (other.state(), bench.state()),
        (State::Open, State::HalfOpen)
    );
    let changes = [(State::Closed, State::Open), (State::Open, State::HalfOpen)];
    assert_eq!(seen.changes(), changes);
    assert_eq!(bench.log.changes(), changes);
}

#[test]
fn g23_listener_panic_is_contained() {
    let bench = Bench::new(|b| {
        b.failure_threshold(1).on_event(|event| {
            assert!(
                !matches!(event, Event::StateChanged { .. }),
                "a listener broke"
            );
        })
    });
    let result = bench.call(|| Err::<(), _>(Fault));
    assert_eq!(result.expect_err("its own error").into_inner(), Some(Fault));
    bench.reset();
    bench.succeeds();
    let changes = [(State::Closed, State::Open), (State::Open, State::Closed)];
    assert_eq!(bench.log.changes(), changes);
    let panicked = |event: &Event| matches!(event, Event::ListenerPanicked { message, .. } if message.contains("a listener broke"));
    assert_eq!(bench.log.count(panicked), 2);
}
