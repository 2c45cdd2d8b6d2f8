use crate::support::{Bench, SECOND};
use breakerbox::{Refusal, State};
use std::time::Duration;

#[test]
fn r18_a_disabled_breaker_passes_all_and_records_nothing() {
    let bench = Bench::new(|b| b);
    bench.disable();
    let before = bench.log.events();
    bench.succeeds();
    bench.fails_times(6);
    assert_eq!((bench.state(), bench.failure_count()), (State::Disabled, 0));
    let totals = bench.snapshot().totals;
    assert_eq!((totals.success, totals.failure, totals.refused), (Some(0), 0, 0));
    assert_eq!(bench.log.events(), before);
}

#[test]
fn r19_a_forced_circuit_stays_open_until_a_command() {
    let bench = Bench::new(|b| b);
    bench.force_open();
    for _ in 0..3 {
        let open = bench.refusal();
        assert_eq!((open.reason(), open.retry_after()), (Refusal::Forced, None));
        bench.clock.advance(Duration::MAX);
        assert_eq!(bench.state(), State::ForcedOpen);
    }
    bench.reset();
    bench.succeeds();
    let changes = [(State::Closed, State::ForcedOpen), (State::ForcedOpen, State::Closed)];
    assert_eq!(bench.log.changes(), changes);
}

#[test]
fn r24_a_second_trip_changes_nothing_but_a_new_deadline() {
    let bench = Bench::new(|b| b);
    bench.trip();
    bench.clock.advance(SECOND);
    bench.trip();
    assert_eq!(bench.open_remaining(), Some(4 * SECOND));
    bench.trip_for(60 * SECOND);
    assert_eq!(bench.open_remaining(), Some(60 * SECOND), "later than it was");
    bench.trip_for(2 * SECOND);
    assert_eq!(bench.open_remaining(), Some(2 * SECOND), "sooner than it was");
    bench.trip();
    assert_eq!(bench.refusal().retry_after(), Some(2 * SECOND));
    assert_eq!(bench.log.changes(), [(State::Closed, State::Open)]);
}
