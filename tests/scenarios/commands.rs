//! Commands: `disable`, `force_open` and `trip`.

use crate::support::{SECOND, TestBreaker};
use breakerbox::{Refusal, State};
use std::time::Duration;

#[test]
fn r18_disabled_breaker_records_nothing() {
    let breaker = TestBreaker::new(|b| b);
    breaker.disable();
    let before = breaker.log.events();
    breaker.succeed();
    breaker.fail_times(6);
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (State::Disabled, 0)
    );
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.refused),
        (Some(0), 0, 0)
    );
    assert_eq!(breaker.log.events(), before);
}

#[test]
fn r19_forced_open_lasts_until_a_command() {
    let breaker = TestBreaker::new(|b| b);
    breaker.force_open();
    for _ in 0..3 {
        let open = breaker.expect_refusal();
        assert_eq!((open.reason(), open.retry_after()), (Refusal::Forced, None));
        breaker.clock.advance(Duration::MAX);
        assert_eq!(breaker.state(), State::ForcedOpen);
    }
    breaker.reset();
    breaker.succeed();
    let changes = [
        (State::Closed, State::ForcedOpen),
        (State::ForcedOpen, State::Closed),
    ];
    assert_eq!(breaker.log.changes(), changes);
}

#[test]
fn r24_repeated_trip_sends_one_event() {
    let breaker = TestBreaker::new(|b| b);
    breaker.trip();
    breaker.clock.advance(SECOND);
    breaker.trip();
    assert_eq!(breaker.open_remaining(), Some(4 * SECOND));
    breaker.trip_for(60 * SECOND);
    assert_eq!(
        breaker.open_remaining(),
        Some(60 * SECOND),
        "a later deadline"
    );
    breaker.trip_for(2 * SECOND);
    assert_eq!(
        breaker.open_remaining(),
        Some(2 * SECOND),
        "an earlier deadline"
    );
    breaker.trip();
    assert_eq!(breaker.expect_refusal().retry_after(), Some(2 * SECOND));
    assert_eq!(breaker.log.changes(), [(State::Closed, State::Open)]);
}
