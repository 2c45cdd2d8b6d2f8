//! Trials that outlive their lease: calls that take longer than `trial_timeout`.

use crate::support::{Bench, RECOVERY, SECOND, now};
use breakerbox::prelude::*;
use breakerbox::{Backoff, Permit, TripRule, Window};
use std::collections::VecDeque;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

/// A half-open circuit whose calls begin every second and take `duration` seconds.
struct Traffic {
    bench: Bench,
    duration: u64,
    in_flight: VecDeque<(u64, Permit)>,
    second: u64,
}

impl Traffic {
    fn new(duration: u64, trials: u32, backoff: Backoff) -> Self {
        let bench = Bench::new(|b| {
            b.recovery_backoff(backoff)
                .trial_timeout(LEASE)
                .half_open_calls(trials)
        });
        bench.half_open();
        Self {
            bench,
            duration,
            in_flight: VecDeque::new(),
            second: 0,
        }
    }

    /// Ends the call that is over, and begins another one.
    fn tick(&mut self, end: impl Fn(Permit)) {
        let over = |(begun, _): &(u64, Permit)| self.second - begun == self.duration;
        if self.in_flight.front().is_some_and(over) {
            self.in_flight
                .pop_front()
                .into_iter()
                .for_each(|(_, permit)| end(permit));
        }
        if let Ok(permit) = self.bench.try_acquire() {
            self.in_flight.push_back((self.second, permit));
        }
        self.bench.clock.advance(SECOND);
        self.second += 1;
    }
}

#[test]
fn healthy_calls_of_any_duration_close() {
    for trials in [1, 2, 5] {
        for duration in [1, 29, 30, 31, 59, 60, 61, 600] {
            let mut traffic = Traffic::new(duration, trials, Backoff::constant(RECOVERY));
            while traffic.bench.state() == State::HalfOpen {
                traffic.tick(Permit::success);
                let limit = duration * u64::from(trials) + 2;
                assert!(traffic.second <= limit, "{trials} trials of {duration} s");
            }
            assert_eq!(traffic.bench.state(), State::Closed);
            let totals = traffic.bench.snapshot().totals;
            assert_eq!(totals.success, Some(trials.into()));
        }
    }
}

#[test]
fn failing_calls_of_any_duration_reopen_and_back_off() {
    for trials in [1, 3] {
        for duration in [1, 29, 30, 31, 90] {
            let backoff = Backoff::exponential(LEASE).max(Duration::from_secs(600));
            let mut traffic = Traffic::new(duration, trials, backoff);
            let mut openings = Vec::new();
            while openings.len() < 6 {
                let before = traffic.bench.state();
                traffic.tick(Permit::failure);
                if before != State::Open && traffic.bench.state() == State::Open {
                    openings.push(traffic.bench.open_remaining().unwrap().as_secs() + 1);
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
fn each_call_taken_over_by_next_closes() {
    let bench = Bench::new(|b| b.trial_timeout(LEASE));
    bench.half_open();
    let before = bench.begin();
    bench.clock.advance(LEASE);
    let next = bench.begin();
    bench.clock.advance(SECOND);
    before.success();
    assert_eq!(bench.state(), State::Closed);
    next.failure();
    let totals = bench.snapshot().totals;
    assert_eq!(
        (totals.success, totals.late, totals.failure),
        (Some(1), 1, 0)
    );
}

#[test]
fn lapsed_futures_decide_like_permits() {
    for failing in [false, true] {
        let bench = Bench::half_open(|b| b.trial_timeout(LEASE));
        let (answer, asked) = tokio::sync::oneshot::channel();
        let call = async { asked.await.unwrap_or(Ok::<(), &str>(())) };
        let mut call = Box::pin(call.guarded_by(&*bench));
        assert!(crate::support::poll(call.as_mut()).is_pending());
        bench.clock.advance(LEASE);
        let next = bench.begin();
        answer
            .send(if failing { Err("down") } else { Ok(()) })
            .unwrap();
        assert_eq!(now(call).is_err(), failing);
        let expected = if failing { State::Open } else { State::Closed };
        assert_eq!(bench.state(), expected);
        assert_eq!(bench.last_failure().is_some(), failing, "its text is kept");
        drop(next);
    }
}

#[test]
fn lapsed_calls_decide_while_calls_run() {
    let bench = Bench::half_open(|b| b.trial_timeout(LEASE));
    let result = bench.call(|| {
        bench.clock.advance(LEASE);
        // On a thread of its own, since calls inside the trial join it.
        let other = std::thread::scope(|scope| scope.spawn(|| bench.begin()).join());
        drop(other);
        Ok::<_, &str>(())
    });
    assert!(result.is_ok());
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn lapsed_trial_frees_no_slot() {
    for end in [
        |permit: Permit| drop(permit),
        |permit: Permit| permit.record(Outcome::Ignored),
    ] {
        let bench = Bench::half_open(|b| b.trial_timeout(SECOND));
        let lapsed = bench.begin();
        bench.clock.advance(SECOND);
        let next = bench.begin();
        assert_eq!(bench.snapshot().in_flight, Some(1));
        end(lapsed);
        assert_eq!(bench.snapshot().in_flight, Some(1));
        assert_eq!(
            bench.refusal().retry_after(),
            Some(SECOND),
            "no lease is renewed"
        );
        let totals = bench.snapshot().totals;
        assert_eq!(totals.ignored + totals.cancelled, 1, "it was not late");
        next.success();
        assert_eq!(bench.state(), State::Closed);
    }
}

#[test]
fn lapsed_verdict_takes_one_of_the_calls() {
    let bench = Bench::half_open(|b| {
        b.half_open_calls(3)
            .success_threshold(2)
            .trial_timeout(SECOND)
    });
    let lapsed = [bench.begin(), bench.begin(), bench.begin()];
    bench.clock.advance(SECOND);
    let next = [bench.begin(), bench.begin(), bench.begin()];
    bench.refusal();
    let [first, second, third] = lapsed;
    first.success();
    bench.refusal();
    second.failure();
    assert_eq!(bench.state(), State::HalfOpen);
    third.success();
    assert_eq!(bench.state(), State::Closed);
    next.into_iter().for_each(Permit::failure);
    assert_eq!(bench.snapshot().totals.late, 3);
}

#[test]
fn lapsed_and_running_verdicts_count_in_order() {
    let bench = Bench::half_open(|b| b.half_open_calls(2).trial_timeout(SECOND));
    let lapsed = [bench.begin(), bench.begin()];
    bench.clock.advance(SECOND);
    let running = bench.begin();
    running.success();
    assert_eq!(bench.state(), State::HalfOpen);
    let [first, second] = lapsed;
    first.failure();
    assert_eq!(bench.state(), State::Open);
    second.success();
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.snapshot().totals.late, 1);
}

#[test]
fn trials_of_many_leases_decide() {
    let bench = Bench::half_open(|b| b.trial_timeout(SECOND));
    let permits: Vec<_> = (0..1_000)
        .map(|_| {
            let permit = bench.begin();
            bench.clock.advance(SECOND);
            permit
        })
        .collect();
    let mut permits = permits.into_iter();
    permits.next().unwrap().success();
    assert_eq!(bench.state(), State::Closed);
    permits.for_each(Permit::failure);
    assert_eq!((bench.state(), bench.failure_count()), (State::Closed, 0));
    assert_eq!(bench.snapshot().totals.late, 999);
}

#[test]
fn verdicts_after_the_period_are_late() {
    let lapse = || {
        let bench = Bench::half_open(|b| b.trial_timeout(SECOND));
        let lapsed = bench.begin();
        bench.clock.advance(SECOND);
        (bench, lapsed)
    };
    let endings: [fn(Permit); 4] = [
        Permit::success,
        Permit::failure,
        |permit| permit.record(Outcome::TripFor(SECOND)),
        |permit| drop(permit),
    ];
    for end in endings {
        let (bench, lapsed) = lapse();
        bench.begin().success();
        end(lapsed);
        assert_eq!((bench.state(), bench.failure_count()), (State::Closed, 0));
        assert_eq!(bench.snapshot().totals.late, 1);

        let (bench, lapsed) = lapse();
        bench.begin().failure();
        bench.clock.advance(RECOVERY);
        let next_period = bench.begin();
        end(lapsed);
        assert_eq!(bench.state(), State::HalfOpen, "another half-open period");
        assert_eq!(bench.snapshot().totals.late, 1);
        next_period.success();
        assert_eq!(bench.state(), State::Closed);

        let (bench, lapsed) = lapse();
        bench.reset();
        bench.half_open();
        end(lapsed);
        assert_eq!(bench.state(), State::HalfOpen, "a period of a command");
        assert_eq!(bench.snapshot().totals.late, 1);
    }
}

#[test]
fn lapsed_slow_success_is_a_failed_trial() {
    let rule = TripRule::slow_calls(0.5)
        .slower_than(SECOND)
        .over(Window::calls(10));
    let bench = Bench::half_open(|b| b.trip_when(rule).trial_timeout(SECOND));
    let lapsed = bench.begin();
    bench.clock.advance(2 * SECOND);
    let next = bench.begin();
    lapsed.success();
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.snapshot().totals.slow, 1);
    drop(next);
}

#[test]
fn lapsed_hint_reopens_for_its_time() {
    let bench = Bench::half_open(|b| b.trial_timeout(SECOND));
    let lapsed = bench.begin();
    bench.clock.advance(SECOND);
    let next = bench.begin();
    lapsed.record(Outcome::TripFor(60 * SECOND));
    assert_eq!(bench.open_remaining(), Some(60 * SECOND));
    drop(next);
}

#[test]
fn lapsed_panic_and_timeout_are_failures() {
    let bench = Bench::half_open(|b| b.trial_timeout(SECOND));
    let lapsed = bench.begin();
    bench.clock.advance(SECOND);
    let next = bench.begin();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        lapsed.call(|| -> Result<(), &str> { panic!("the guarded code") })
    }));
    assert!(panicked.is_err());
    assert_eq!(bench.state(), State::Open);
    drop(next);
}

#[test]
fn cancelled_after_makes_lapsed_drop_a_failure() {
    let bench = Bench::half_open(|b| b.trial_timeout(SECOND).cancelled_after(2 * SECOND));
    let lapsed = bench.begin();
    bench.clock.advance(2 * SECOND);
    let next = bench.begin();
    drop(lapsed);
    assert_eq!(bench.state(), State::Open);
    drop(next);
}

#[test]
fn lapses_send_one_event_per_period() {
    let bench = Bench::half_open(|b| b.half_open_calls(2).trial_timeout(SECOND));
    let outlived = |bench: &Bench| {
        let events = bench.log.events().into_iter();
        let lapses = events.filter_map(|event| match event {
            Event::TrialsOutlived { lease, trials, .. } => Some((lease, trials)),
            _ => None,
        });
        lapses.collect::<Vec<_>>()
    };
    let mut held = vec![bench.begin(), bench.begin()];
    for _ in 0..3 {
        bench.clock.advance(SECOND);
        held.push(bench.begin());
    }
    assert_eq!(outlived(&bench), [(SECOND, 2)]);
    held.into_iter().for_each(Permit::failure);
    assert_eq!(bench.state(), State::Open);
    bench.clock.advance(RECOVERY);
    let first = bench.begin();
    bench.clock.advance(SECOND);
    let second = bench.begin();
    assert_eq!(outlived(&bench), [(SECOND, 2), (SECOND, 1)]);
    drop((first, second));
}

#[test]
fn settings_changed_meanwhile_leave_lapsed_trials_their_verdict() {
    let bench = Bench::half_open(|b| b.trial_timeout(SECOND));
    let lapsed = bench.begin();
    bench.clock.advance(SECOND);
    let next = bench.begin();
    bench
        .configure(|settings| settings.half_open_calls(5).failure_threshold(1))
        .unwrap();
    lapsed.success();
    assert_eq!(bench.state(), State::Closed);
    drop(next);
}

#[test]
fn in_flight_counts_slots_under_slow_call_rules() {
    let rule = TripRule::slow_calls(0.5)
        .slower_than(SECOND)
        .over(Window::calls(10));
    let bench = Bench::new(|b| b.trip_when(rule).half_open_calls(2).trial_timeout(SECOND));
    let before = bench.begin();
    assert_eq!(bench.snapshot().in_flight, Some(1));
    bench.half_open();
    let lapsed = bench.begin();
    bench.clock.advance(SECOND);
    let next = bench.begin();
    assert_eq!(
        bench.snapshot().in_flight,
        Some(1),
        "the slot that is taken"
    );
    drop((before, lapsed, next));
}
