//! Ramp-up: after the trials, a closed circuit admits a growing share of the calls.

use crate::support::{Fault, SECOND, TestBreaker, expect_ready, ms};
use breakerbox::prelude::*;
use breakerbox::{Backoff, Event, TripRule, Window};
use std::time::Duration;

const RAMP_UP: Duration = Duration::from_secs(20);

/// Creates a breaker that has just begun to ramp up.
fn ramping_up(settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> TestBreaker {
    let breaker = TestBreaker::half_open(|b| settings(b.ramp_up(RAMP_UP)));
    breaker.succeed();
    assert_eq!(share(&breaker), Some(0.1));
    breaker
}

fn share(breaker: &CircuitBreaker) -> Option<f64> {
    breaker.snapshot().ramp_up_share
}

/// Makes `calls` calls that succeed if they are admitted. Returns how many were admitted.
fn admitted(breaker: &CircuitBreaker, calls: u32) -> u32 {
    let admitted = |_: &u32| breaker.call(|| Ok::<_, Fault>(())).is_ok();
    u32::try_from((0..calls).filter(admitted).count()).expect("few calls")
}

#[test]
fn e30_share_grows_from_tenth_to_all() {
    let breaker = ramping_up(|b| b);
    let mut each_quarter = [0_u32; 4];
    for call in 0..2_000 {
        each_quarter[call / 500] += admitted(&breaker, 1);
        breaker.clock.advance(ms(10));
    }
    // The shares in the middle of each quarter: 21.25 %, 43.75 %, 66.25 % and 88.75 %.
    for (found, exact) in each_quarter.iter().zip([106_u32, 219, 331, 444]) {
        assert!(found.abs_diff(exact) <= 10, "{each_quarter:?}");
    }
    assert_eq!(admitted(&breaker, 100), 100, "the ramp-up is over");
    assert_eq!(share(&breaker), None);
    let totals = breaker.snapshot().totals;
    let during = each_quarter.iter().sum::<u32>();
    assert_eq!(totals.success, Some(u64::from(during) + 101));
    assert_eq!(totals.refused, 2_000 - u64::from(during));
}

#[test]
fn e31_light_traffic_is_not_refused() {
    let breaker = ramping_up(|b| b);
    for _ in 0..25 {
        breaker.succeed();
        breaker.clock.advance(SECOND);
    }
    // Two calls in each twentieth: the first of each is admitted.
    let breaker = ramping_up(|b| b);
    for _ in 0..20 {
        breaker.succeed();
        breaker.clock.advance(ms(500));
        let _ = breaker.try_acquire();
        breaker.clock.advance(ms(500));
    }
}

#[test]
fn e32_refusal_describes_ramp_up() {
    for (length, retry_after) in [(RAMP_UP, SECOND), (60 * SECOND, SECOND), (SECOND, ms(50))] {
        let breaker = TestBreaker::half_open(|b| b.ramp_up(length));
        breaker.succeed();
        breaker.succeed();
        let refused = breaker.expect_refusal();
        assert_eq!(refused.reason(), Refusal::RampingUp);
        assert_eq!(refused.state(), State::Closed);
        assert_eq!(refused.retry_after(), Some(retry_after));
        let text = "circuit \"unnamed\" is ramping up and admits only some calls";
        assert_eq!(refused.to_string(), text);
    }
}

#[test]
fn e33_refusal_counts_failures_since_last_success() {
    for window in [None, Some(Window::calls(100))] {
        let breaker = ramping_up(|b| match window {
            None => b.failure_threshold(9),
            Some(window) => b.trip_when(TripRule::failures(9).over(window)),
        });
        breaker.fail();
        let refused = breaker.expect_refusal();
        assert_eq!(refused.failure_count(), 1);
        assert_eq!(refused.last_failure().as_deref(), Some("Fault"));
        breaker.clock.advance(SECOND);
        breaker.succeed();
        assert_eq!(breaker.expect_refusal().failure_count(), 0);
    }
}

#[test]
fn e34_only_successful_trials_begin_ramp_up() {
    let breaker = TestBreaker::new(|b| b.ramp_up(RAMP_UP));
    assert_eq!(share(&breaker), None, "a new circuit");
    breaker.trip();
    breaker.reset();
    assert_eq!(share(&breaker), None, "closed by a command");
    assert_eq!(admitted(&breaker, 50), 50);
    breaker.half_open();
    breaker.succeed();
    assert_eq!(
        share(&breaker),
        Some(0.1),
        "trials that a command requested"
    );
}

#[test]
fn e35_breaker_in_other_mode_does_not_ramp_up() {
    for mode in [Mode::MetricsOnly, Mode::Disabled, Mode::ForcedOpen] {
        let breaker = TestBreaker::new(|b| b.ramp_up(RAMP_UP).mode(mode));
        breaker.half_open();
        breaker.succeed();
        assert_eq!(share(&breaker), None, "{mode:?}");
        assert_eq!(admitted(&breaker, 50), 50, "{mode:?}");
    }
}

#[test]
fn e36_every_command_ends_ramp_up() {
    let commands: [fn(&CircuitBreaker); 7] = [
        CircuitBreaker::trip,
        |breaker| breaker.trip_for(SECOND),
        CircuitBreaker::half_open,
        CircuitBreaker::force_open,
        CircuitBreaker::disable,
        CircuitBreaker::metrics_only,
        CircuitBreaker::reset,
    ];
    for command in commands {
        let breaker = ramping_up(|b| b);
        command(&breaker);
        assert_eq!(share(&breaker), None, "{:?}", breaker.state());
        breaker.reset();
        assert_eq!(share(&breaker), None);
        assert_eq!(admitted(&breaker, 50), 50);
    }
}

#[test]
fn e37_command_for_other_state_keeps_ramp_up() {
    let breaker = ramping_up(|b| b);
    assert_eq!(breaker.if_state(State::Open).reset(), Err(State::Closed));
    assert_eq!(share(&breaker), Some(0.1));
    assert_eq!(breaker.if_state(State::Closed).reset(), Ok(()));
    assert_eq!(share(&breaker), None);
}

#[test]
fn e38_change_of_mode_ends_ramp_up() {
    let breaker = ramping_up(|b| b);
    breaker.configure(|b| b.mode(Mode::MetricsOnly)).unwrap();
    breaker.configure(|b| b.mode(Mode::Enforcing)).unwrap();
    assert_eq!((breaker.state(), share(&breaker)), (State::Closed, None));
    assert_eq!(admitted(&breaker, 50), 50);
}

#[test]
fn e39_settings_without_ramp_up_end_it() {
    let breaker = ramping_up(|b| b);
    breaker
        .configure(|b| b.half_open_calls(2).failure_threshold(7))
        .unwrap();
    assert_eq!(
        share(&breaker),
        Some(0.1),
        "other settings keep the ramp-up"
    );

    breaker.configure(|b| b.ramp_up(2 * SECOND)).unwrap();
    breaker.clock.advance(10 * SECOND);
    assert_eq!(share(&breaker), Some(0.55), "and so does another length");

    breaker.configure(BreakerBuilder::inherit).unwrap();
    assert_eq!(share(&breaker), None);
    assert_eq!(admitted(&breaker, 50), 50);
    breaker.configure(|b| b.ramp_up(RAMP_UP)).unwrap();
    assert_eq!(share(&breaker), None, "it begins with the next recovery");
}

#[test]
fn e40_rules_open_ramping_circuit() {
    let breaker = ramping_up(|b| b.failure_threshold(2));
    breaker.fail();
    breaker.expect_refusal();
    breaker.clock.advance(SECOND);
    breaker.fail();
    assert_eq!((breaker.state(), share(&breaker)), (State::Open, None));

    breaker.clock.advance(10 * SECOND);
    breaker.succeed();
    assert_eq!(share(&breaker), Some(0.1), "the next ramp-up begins anew");
    breaker.succeed();
    assert_eq!(breaker.expect_refusal().reason(), Refusal::RampingUp);
}

#[test]
fn e41_reopening_continues_backoff() {
    let backoff = Backoff::exponential(5 * SECOND);
    let breaker = ramping_up(|b| b.recovery_backoff(backoff).failure_threshold(1));
    breaker.fail();
    assert_eq!(breaker.open_remaining(), Some(10 * SECOND));
}

#[test]
fn e42_refused_calls_enter_no_window() {
    let rule = TripRule::failure_rate(0.9)
        .over(Window::calls(100))
        .minimum_calls(1);
    let breaker = ramping_up(|b| b.trip_rules([rule]));
    let admitted = admitted(&breaker, 40);
    assert_eq!(admitted, 5, "the first call, and one in ten");
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.rules[0].recorded, admitted);
    assert_eq!(snapshot.totals.refused, 35);
    // The calls of the ramp-up count after its end.
    breaker.clock.advance(RAMP_UP);
    breaker.succeed();
    assert_eq!(breaker.snapshot().rules[0].recorded, admitted + 1);
}

#[test]
fn e43_call_from_ramp_up_counts_after_its_end() {
    let breaker = ramping_up(|b| b.failure_threshold(1));
    let call = breaker.acquire();
    breaker.clock.advance(RAMP_UP);
    breaker.succeed();
    call.failure();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().totals.late, 0);
}

#[test]
fn e44_ramping_circuit_is_ready() {
    let breaker = ramping_up(|b| b);
    breaker.succeed();
    expect_ready(breaker.ready());
    assert_eq!(breaker.expect_refusal().reason(), Refusal::RampingUp);
    expect_ready(breaker.ready());
}

#[test]
fn e45_timed_calls_ramp_up() {
    let breaker = ramping_up(|b| b.cancelled_after(SECOND).failure_threshold(1));
    let call = breaker.acquire();
    breaker.expect_refusal();
    breaker.clock.advance(SECOND);
    drop(call);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn e46_event_shows_share_of_each_twentieth() {
    let breaker = ramping_up(|b| b);
    for _ in 0..7 {
        admitted(&breaker, 3);
        breaker.clock.advance(ms(3_000));
    }
    admitted(&breaker, 3);
    let share = |event| match event {
        Event::RampingUp { breaker, share, .. } => {
            assert_eq!(&*breaker, "unnamed");
            Some(share)
        }
        _ => None,
    };
    let events = breaker.log.events();
    let shares: Vec<f64> = events.into_iter().filter_map(share).collect();
    let exact = [0.1, 0.235, 0.37, 0.505, 0.64, 0.775, 0.91, 1.0];
    assert_eq!(shares.len(), exact.len(), "{shares:?}");
    for (found, exact) in shares.iter().zip(exact) {
        assert!((found - exact).abs() < 1e-9, "{shares:?}");
    }
}

#[test]
fn e47_snapshot_displays_share() {
    let breaker = ramping_up(|b| b);
    breaker.clock.advance(SECOND);
    let text = breaker.snapshot().to_string();
    assert!(
        text.contains("\n  ramp-up   14.5% of the calls\n"),
        "{text}"
    );
}

#[test]
fn e48_ramp_up_outside_range_is_rejected() {
    let year = Duration::from_secs(366 * 86_400);
    for length in [
        Duration::ZERO,
        Duration::from_nanos(999_999),
        year + ms(1),
        Duration::MAX,
    ] {
        let error = CircuitBreaker::builder()
            .ramp_up(length)
            .build()
            .unwrap_err();
        assert_eq!(error.field(), "ramp_up");
        assert!(
            error.to_string().ends_with("must be 1ms to 366 days"),
            "{error}"
        );
    }
    for length in [ms(1), year] {
        let breaker = CircuitBreaker::builder().ramp_up(length).build().unwrap();
        assert_eq!(breaker.config().ramp_up(), Some(length));
    }
}

#[test]
fn e49_longest_ramp_up_admits_first_calls() {
    let year = Duration::from_secs(366 * 86_400);
    let breaker = TestBreaker::half_open(|b| b.ramp_up(year));
    breaker.succeed();
    assert_eq!(admitted(&breaker, 20), 3);
    breaker.clock.advance(year.saturating_sub(ms(1)));
    assert_eq!(admitted(&breaker, 1_000), 1_000);
    breaker.clock.advance(ms(1));
    assert_eq!((admitted(&breaker, 1), share(&breaker)), (1, None));
}

#[test]
fn e50_joined_and_outlived_calls_are_visible() {
    let breaker = TestBreaker::new(|b| b.half_open_calls(3).trial_timeout(SECOND));
    breaker.half_open();
    let nested = breaker.acquire().call(|| {
        breaker.succeed();
        breaker.call(|| Err::<(), _>(Fault)).map_err(drop)
    });
    assert!(nested.is_err());
    assert_eq!(breaker.state(), State::Open, "the trial failed");
    assert_eq!(breaker.snapshot().totals.joined, 2);
    assert_eq!(
        breaker
            .log
            .count(|event| matches!(event, Event::Joined { .. })),
        2
    );

    breaker.half_open();
    let trials = [breaker.acquire(), breaker.acquire()];
    breaker.clock.advance(SECOND);
    let next = breaker.acquire();
    breaker.clock.advance(SECOND);
    let last = breaker.acquire();
    let totals = breaker.snapshot().totals;
    assert_eq!(totals.outlived, 3);
    let text = totals.to_string();
    assert!(
        text.contains("2 joined a trial, 3 outlived their lease"),
        "{text}"
    );
    drop((trials, next, last));
}
