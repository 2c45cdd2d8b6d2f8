//! Trials that outlive their lease: calls that take longer than `trial_timeout`.

use crate::support::{RECOVERY, SECOND, TestBreaker, expect_ready};
use breakerbox::prelude::*;
use breakerbox::{Backoff, Permit, TripRule, Window};
use std::collections::VecDeque;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

/// A half-open circuit under steady load: a call begins every second and takes `duration` seconds.
struct Traffic {
    breaker: TestBreaker,
    duration: u64,
    in_flight: VecDeque<(u64, Permit)>,
    second: u64,
}

impl Traffic {
    fn new(duration: u64, trials: u32, backoff: Backoff) -> Self {
        let breaker = TestBreaker::new(|b| {
            b.recovery_backoff(backoff)
                .trial_timeout(LEASE)
                .half_open_calls(trials)
        });
        breaker.half_open();
        Self {
            breaker,
            duration,
            in_flight: VecDeque::new(),
            second: 0,
        }
    }

    /// Ends the oldest call if it has run for `duration`, tries to begin another call, and advances
    /// the clock by a second.
    fn tick(&mut self, end: impl Fn(Permit)) {
        let over = |(begun, _): &(u64, Permit)| self.second - begun == self.duration;
        if self.in_flight.front().is_some_and(over) {
            self.in_flight
                .pop_front()
                .into_iter()
                .for_each(|(_, permit)| end(permit));
        }
        if let Ok(permit) = self.breaker.try_acquire() {
            self.in_flight.push_back((self.second, permit));
        }
        self.breaker.clock.advance(SECOND);
        self.second += 1;
    }
}

#[test]
fn healthy_calls_of_any_duration_close_circuit() {
    for trials in [1, 2, 5] {
        for duration in [1, 29, 30, 31, 59, 60, 61, 600] {
            let mut traffic = Traffic::new(duration, trials, Backoff::constant(RECOVERY));
            while traffic.breaker.state() == State::HalfOpen {
                traffic.tick(Permit::success);
                let limit = duration * u64::from(trials) + 2;
                assert!(traffic.second <= limit, "{trials} trials of {duration} s");
            }
            assert_eq!(traffic.breaker.state(), State::Closed);
            let totals = traffic.breaker.snapshot().totals;
            assert_eq!(totals.success, Some(trials.into()));
        }
    }
}

#[test]
fn failing_calls_of_any_duration_back_off() {
    for trials in [1, 3] {
        for duration in [1, 29, 30, 31, 90] {
            let backoff = Backoff::exponential(LEASE).max(Duration::from_secs(600));
            let mut traffic = Traffic::new(duration, trials, backoff);
            let mut openings = Vec::new();
            while openings.len() < 6 {
                let before = traffic.breaker.state();
                traffic.tick(Permit::failure);
                if before != State::Open && traffic.breaker.state() == State::Open {
                    openings.push(traffic.breaker.open_remaining().unwrap().as_secs() + 1);
                }
            }
            assert_eq!(
                openings,
                [30, 60, 120, 240, 480, 600],
                "calls of {duration} s"
            );
        }
    }
}

#[test]
fn expired_trial_success_closes_circuit() {
    let breaker = TestBreaker::new(|b| b.trial_timeout(LEASE));
    breaker.half_open();
    let before = breaker.acquire();
    breaker.clock.advance(LEASE);
    let next = breaker.acquire();
    breaker.clock.advance(SECOND);
    before.success();
    assert_eq!(breaker.state(), State::Closed);
    next.failure();
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.late, totals.failure),
        (Some(1), 1, 0)
    );
}

#[test]
fn expired_futures_decide_like_permits() {
    for failing in [false, true] {
        let breaker = TestBreaker::half_open(|b| b.trial_timeout(LEASE));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let call = async { receiver.await.unwrap_or(Ok::<(), &str>(())) };
        let mut call = Box::pin(call.guarded_by(&*breaker));
        assert!(crate::support::poll(call.as_mut()).is_pending());
        breaker.clock.advance(LEASE);
        let next = breaker.acquire();
        sender
            .send(if failing { Err("down") } else { Ok(()) })
            .unwrap();
        assert_eq!(expect_ready(call).is_err(), failing);
        let expected = if failing { State::Open } else { State::Closed };
        assert_eq!(breaker.state(), expected);
        assert_eq!(
            breaker.last_failure().is_some(),
            failing,
            "the failure text is kept"
        );
        drop(next);
    }
}

#[test]
fn expired_sync_call_closes_circuit() {
    let breaker = TestBreaker::half_open(|b| b.trial_timeout(LEASE));
    let result = breaker.call(|| {
        breaker.clock.advance(LEASE);
        // A separate thread, because a call inside the trial would join the trial.
        let other = std::thread::scope(|scope| scope.spawn(|| breaker.acquire()).join());
        drop(other);
        Ok::<_, &str>(())
    });
    assert!(result.is_ok());
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn expired_trial_frees_no_slot() {
    for end in [
        |permit: Permit| drop(permit),
        |permit: Permit| permit.record(Outcome::Ignored),
    ] {
        let breaker = TestBreaker::half_open(|b| b.trial_timeout(SECOND));
        let expired = breaker.acquire();
        breaker.clock.advance(SECOND);
        let next = breaker.acquire();
        assert_eq!(breaker.snapshot().in_flight, Some(1));
        end(expired);
        assert_eq!(breaker.snapshot().in_flight, Some(1));
        assert_eq!(
            breaker.expect_refusal().retry_after(),
            Some(SECOND),
            "the lease is not renewed"
        );
        let totals = breaker.snapshot().totals;
        assert_eq!(
            totals.ignored + totals.cancelled,
            1,
            "the outcome is not late"
        );
        next.success();
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn expired_outcomes_count_toward_success_threshold() {
    let breaker = TestBreaker::half_open(|b| {
        b.half_open_calls(3)
            .success_threshold(2)
            .trial_timeout(SECOND)
    });
    let expired = [breaker.acquire(), breaker.acquire(), breaker.acquire()];
    breaker.clock.advance(SECOND);
    let next = [breaker.acquire(), breaker.acquire(), breaker.acquire()];
    breaker.expect_refusal();
    let [first, second, third] = expired;
    first.success();
    breaker.expect_refusal();
    second.failure();
    assert_eq!(breaker.state(), State::HalfOpen);
    third.success();
    assert_eq!(breaker.state(), State::Closed);
    next.into_iter().for_each(Permit::failure);
    assert_eq!(breaker.snapshot().totals.late, 3);
}

#[test]
fn expired_and_running_outcomes_count_in_order() {
    let breaker = TestBreaker::half_open(|b| b.half_open_calls(2).trial_timeout(SECOND));
    let expired = [breaker.acquire(), breaker.acquire()];
    breaker.clock.advance(SECOND);
    let running = breaker.acquire();
    running.success();
    assert_eq!(breaker.state(), State::HalfOpen);
    let [first, second] = expired;
    first.failure();
    assert_eq!(breaker.state(), State::Open);
    second.success();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().totals.late, 1);
}

#[test]
fn first_of_many_expired_trials_decides() {
    let breaker = TestBreaker::half_open(|b| b.trial_timeout(SECOND));
    let permits: Vec<_> = (0..1_000)
        .map(|_| {
            let permit = breaker.acquire();
            breaker.clock.advance(SECOND);
            permit
        })
        .collect();
    let mut permits = permits.into_iter();
    permits.next().unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
    permits.for_each(Permit::failure);
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (State::Closed, 0)
    );
    assert_eq!(breaker.snapshot().totals.late, 999);
}

#[test]
fn outcomes_after_half_open_period_are_late() {
    let expire_trial = || {
        let breaker = TestBreaker::half_open(|b| b.trial_timeout(SECOND));
        let expired = breaker.acquire();
        breaker.clock.advance(SECOND);
        (breaker, expired)
    };
    let endings: [fn(Permit); 4] = [
        Permit::success,
        Permit::failure,
        |permit| permit.record(Outcome::TripFor(SECOND)),
        |permit| drop(permit),
    ];
    for end in endings {
        let (breaker, expired) = expire_trial();
        breaker.acquire().success();
        end(expired);
        assert_eq!(
            (breaker.state(), breaker.failure_count()),
            (State::Closed, 0)
        );
        assert_eq!(breaker.snapshot().totals.late, 1);

        let (breaker, expired) = expire_trial();
        breaker.acquire().failure();
        breaker.clock.advance(RECOVERY);
        let next_period = breaker.acquire();
        end(expired);
        assert_eq!(breaker.state(), State::HalfOpen, "another half-open period");
        assert_eq!(breaker.snapshot().totals.late, 1);
        next_period.success();
        assert_eq!(breaker.state(), State::Closed);

        let (breaker, expired) = expire_trial();
        breaker.reset();
        breaker.half_open();
        end(expired);
        assert_eq!(
            breaker.state(),
            State::HalfOpen,
            "a period begun by a command"
        );
        assert_eq!(breaker.snapshot().totals.late, 1);
    }
}

#[test]
fn expired_slow_success_fails_trial() {
    let rule = TripRule::slow_calls(0.5)
        .slower_than(SECOND)
        .over(Window::calls(10));
    let breaker = TestBreaker::half_open(|b| b.trip_when(rule).trial_timeout(SECOND));
    let expired = breaker.acquire();
    breaker.clock.advance(2 * SECOND);
    let next = breaker.acquire();
    expired.success();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().totals.slow, 1);
    drop(next);
}

#[test]
fn expired_hint_reopens_for_its_duration() {
    let breaker = TestBreaker::half_open(|b| b.trial_timeout(SECOND));
    let expired = breaker.acquire();
    breaker.clock.advance(SECOND);
    let next = breaker.acquire();
    expired.record(Outcome::TripFor(60 * SECOND));
    assert_eq!(breaker.open_remaining(), Some(60 * SECOND));
    drop(next);
}

#[test]
fn expired_panic_is_a_failure() {
    let breaker = TestBreaker::half_open(|b| b.trial_timeout(SECOND));
    let expired = breaker.acquire();
    breaker.clock.advance(SECOND);
    let next = breaker.acquire();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        expired.call(|| -> Result<(), &str> { panic!("guarded code panicked") })
    }));
    assert!(panicked.is_err());
    assert_eq!(breaker.state(), State::Open);
    drop(next);
}

#[test]
fn expired_drop_after_cancelled_after_fails() {
    let breaker = TestBreaker::half_open(|b| b.trial_timeout(SECOND).cancelled_after(2 * SECOND));
    let expired = breaker.acquire();
    breaker.clock.advance(2 * SECOND);
    let next = breaker.acquire();
    drop(expired);
    assert_eq!(breaker.state(), State::Open);
    drop(next);
}

#[test]
fn lease_expiry_sends_one_event_per_period() {
    let breaker = TestBreaker::half_open(|b| b.half_open_calls(2).trial_timeout(SECOND));
    let outlived = |breaker: &TestBreaker| {
        let events = breaker.log.events().into_iter();
        let expiries = events.filter_map(|event| match event {
            Event::TrialsOutlived { lease, trials, .. } => Some((lease, trials)),
            _ => None,
        });
        expiries.collect::<Vec<_>>()
    };
    let mut held = vec![breaker.acquire(), breaker.acquire()];
    for _ in 0..3 {
        breaker.clock.advance(SECOND);
        held.push(breaker.acquire());
    }
    assert_eq!(outlived(&breaker), [(SECOND, 2)]);
    held.into_iter().for_each(Permit::failure);
    assert_eq!(breaker.state(), State::Open);
    breaker.clock.advance(RECOVERY);
    let first = breaker.acquire();
    breaker.clock.advance(SECOND);
    let second = breaker.acquire();
    assert_eq!(outlived(&breaker), [(SECOND, 2), (SECOND, 1)]);
    drop((first, second));
}

#[test]
fn expired_trial_decides_after_configure() {
    let breaker = TestBreaker::half_open(|b| b.trial_timeout(SECOND));
    let expired = breaker.acquire();
    breaker.clock.advance(SECOND);
    let next = breaker.acquire();
    breaker
        .configure(|settings| settings.half_open_calls(5).failure_threshold(1))
        .unwrap();
    expired.success();
    assert_eq!(breaker.state(), State::Closed);
    drop(next);
}

#[test]
fn in_flight_counts_only_taken_slots() {
    let rule = TripRule::slow_calls(0.5)
        .slower_than(SECOND)
        .over(Window::calls(10));
    let breaker = TestBreaker::new(|b| b.trip_when(rule).half_open_calls(2).trial_timeout(SECOND));
    let before = breaker.acquire();
    assert_eq!(breaker.snapshot().in_flight, Some(1));
    breaker.half_open();
    let expired = breaker.acquire();
    breaker.clock.advance(SECOND);
    let next = breaker.acquire();
    assert_eq!(breaker.snapshot().in_flight, Some(1), "one slot is taken");
    drop((before, expired, next));
}
