//! Half-open circuits: a trial holds its slot until its body ends.

use crate::support::{BrokenOff, Fixture, RECOVERY, Step, data, is_ended, poll_frame};
use breakerbox::{BreakerError, State};
use std::sync::{Arc, Mutex};

#[test]
fn trial_holds_slot_until_body_ends() {
    let fixture = Fixture::new();
    fixture.half_open();
    let mut body = fixture.body([Step::Data("a")]);
    assert!(fixture.breaker.try_acquire().is_err());
    data(&mut body);
    assert!(fixture.breaker.try_acquire().is_err());
    assert_eq!(fixture.breaker.state(), State::HalfOpen);
    assert!(is_ended(&mut body));
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[test]
fn failing_body_of_trial_reopens_circuit() {
    let fixture = Fixture::new();
    fixture.half_open();
    let mut body = fixture.body([Step::Data("a"), Step::Error]);
    data(&mut body);
    let _ = poll_frame(&mut body);
    assert_eq!(fixture.breaker.state(), State::Open);
    assert_eq!(fixture.events(), ["Open", "HalfOpen", "Open"]);
}

#[test]
fn dropped_body_of_trial_frees_slot() {
    let fixture = Fixture::new();
    fixture.half_open();
    let mut body = fixture.body([Step::Data("a"), Step::Data("b")]);
    data(&mut body);
    assert!(fixture.breaker.try_acquire().is_err());
    drop(body);
    let permit = fixture.breaker.try_acquire().unwrap();
    permit.success();
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[test]
fn slot_is_given_away_when_lease_expires() {
    let fixture = Fixture::new();
    fixture.half_open();
    let mut body = fixture.body([Step::Data("a"), Step::Error]);
    data(&mut body);
    fixture.clock.advance(RECOVERY);
    let second = fixture.breaker.try_acquire().unwrap();
    assert!(fixture.breaker.try_acquire().is_err());
    // The body still decides while the half-open period lasts.
    let _ = poll_frame(&mut body);
    assert_eq!(fixture.breaker.state(), State::Open);
    second.success();
    assert_eq!(fixture.breaker.state(), State::Open);
}

#[test]
fn body_of_earlier_state_is_late() {
    let fixture = Fixture::new();
    let mut body = fixture.body([Step::Error]);
    fixture.half_open();
    let _ = poll_frame(&mut body);
    assert_eq!(fixture.breaker.state(), State::HalfOpen);
    assert_eq!(fixture.breaker.snapshot().totals.late, 1);
}

/// A body may make guarded calls of its own circuit, for example to fetch the next page.
#[test]
fn calls_made_by_body_join_trial() {
    let fixture = Fixture::new();
    fixture.half_open();
    let results = Arc::new(Mutex::new(Vec::new()));
    let call = {
        let (breaker, results) = (fixture.breaker.clone(), results.clone());
        move || {
            let result = breaker.call(|| Err::<(), _>(BrokenOff));
            let joined = matches!(result, Err(BreakerError::Inner(BrokenOff)));
            results.lock().unwrap().push(joined);
        }
    };
    let mut body = fixture.body([
        Step::Run(Box::new(call.clone())),
        Step::Data("a"),
        Step::Run(Box::new(call.clone())),
    ]);
    data(&mut body);
    // Between two polls, the thread is outside the trial.
    call();
    assert!(is_ended(&mut body));
    assert_eq!(*results.lock().unwrap(), [true, false, true]);
    assert_eq!(fixture.breaker.state(), State::Closed);
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
}
