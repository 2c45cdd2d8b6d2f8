//! Clocks whose coarse reading lags, clocks that show a wrong time, and the clock of tokio.
#![cfg(not(any(loom, shuttle, tsan)))]
#![allow(missing_docs)]

use breakerbox::clock::{Clock, ManualClock, TokioClock};
use breakerbox::prelude::*;
use futures_util::{StreamExt, stream};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use std::time::Duration;

/// The maximum lag that `Clock::recent` may have.
const LAG: Duration = Duration::from_millis(20);

struct Lagging(ManualClock);

impl Clock for Lagging {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn recent(&self) -> Duration {
        self.0.now().saturating_sub(LAG)
    }
}

fn lagging(rule: TripRule) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder().clock(Lagging(clock.clone()));
    let breaker = breaker.trip_rules([rule]).build();
    (breaker.expect("valid settings"), clock)
}

#[test]
fn lagging_clock_keeps_outcomes_in_short_window() {
    const MS: Duration = Duration::from_millis(1);
    let window = Window::time(3 * MS).buckets(3);
    let rule = TripRule::failure_rate(0.5).over(window).minimum_calls(2);
    let (breaker, clock) = lagging(rule);
    clock.advance(1_000 * MS + MS / 2);
    for _ in 0..50 {
        breaker.try_acquire().expect("a closed circuit").success();
    }
    breaker.try_acquire().expect("a closed circuit").failure();
    assert_eq!(breaker.snapshot().rules[0].recorded, 51);
    breaker.try_acquire().expect("a closed circuit").failure();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn lagging_clock_half_opens_at_deadline() {
    let (breaker, clock) = lagging(TripRule::consecutive_failures(1));
    breaker.try_acquire().expect("a closed circuit").failure();
    clock.advance(Duration::from_secs(30) - Duration::from_nanos(1));
    let open = breaker.try_acquire().expect_err("one nanosecond early");
    // `retry_after` uses the coarse reading, so it may be too long by the lag, and never too short.
    let left = open
        .retry_after()
        .expect("the circuit is open until a deadline");
    assert!(left >= Duration::from_nanos(1) && left <= LAG + Duration::from_nanos(1));
    clock.advance(Duration::from_nanos(1));
    breaker
        .try_acquire()
        .expect("the recovery timeout has elapsed")
        .success();
    assert_eq!(breaker.state(), State::Closed);
}

/// A clock that shows the time it was last set to.
#[derive(Clone, Default)]
struct Settable(Arc<AtomicU64>);

impl Settable {
    fn show(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos, Relaxed);
    }
}

impl Clock for Settable {
    fn now(&self) -> Duration {
        match self.0.load(Relaxed) {
            u64::MAX => Duration::MAX,
            nanos => Duration::from_nanos(nanos),
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Wrong times: above the maximum of a clock, the maximum, and nearer ones.
fn wrong_times() -> [Duration; 6] {
    let maximum = Duration::from_nanos(i64::MAX.unsigned_abs());
    [
        Duration::MAX,
        maximum + Duration::from_nanos(1),
        maximum,
        100 * YEAR,
        2 * YEAR,
        3_600 * SECOND,
    ]
}

/// A breaker whose clock shows a thousand seconds.
fn settable_breaker() -> (CircuitBreaker, Settable) {
    let clock = Settable::default();
    clock.show(1_000 * SECOND);
    let builder = CircuitBreaker::builder().failure_threshold(1);
    let breaker = builder.clock(clock.clone()).build().unwrap();
    (breaker, clock)
}

/// Shows `time` for one reading of the breaker, and the correct time for the next one.
fn show_briefly(breaker: &CircuitBreaker, clock: &Settable, time: Duration) {
    let correct = clock.now();
    clock.show(time);
    let _ = breaker.snapshot();
    clock.show(correct);
    let _ = breaker.snapshot();
}

fn advance(clock: &Settable, time: Duration) {
    clock.show(clock.now() + time);
}

fn fail(breaker: &CircuitBreaker) {
    breaker
        .try_acquire()
        .expect("the call is admitted")
        .failure();
}

fn assert_recovers(breaker: &CircuitBreaker, clock: &Settable) {
    advance(clock, 30 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.try_acquire().expect("a trial").success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn wrong_time_before_trip_does_not_delay_recovery() {
    for time in wrong_times() {
        let (breaker, clock) = settable_breaker();
        show_briefly(&breaker, &clock, time);
        fail(&breaker);
        assert_eq!(breaker.open_remaining(), Some(30 * SECOND), "{time:?}");
        assert_recovers(&breaker, &clock);
    }
}

#[test]
fn wrong_time_at_trip_does_not_delay_recovery() {
    for time in wrong_times() {
        let (breaker, clock) = settable_breaker();
        let correct = clock.now();
        clock.show(time);
        fail(&breaker);
        clock.show(correct);
        assert_eq!(breaker.open_remaining(), Some(30 * SECOND), "{time:?}");
        assert_recovers(&breaker, &clock);
    }
}

#[test]
fn wrong_time_while_open_does_not_delay_recovery() {
    for time in wrong_times() {
        let (breaker, clock) = settable_breaker();
        fail(&breaker);
        show_briefly(&breaker, &clock, time);
        assert_recovers(&breaker, &clock);
        fail(&breaker);
        assert_eq!(breaker.open_remaining(), Some(30 * SECOND), "{time:?}");
        assert_recovers(&breaker, &clock);
    }
}

#[test]
fn wrong_time_during_trial_does_not_extend_lease() {
    for time in wrong_times() {
        let (breaker, clock) = settable_breaker();
        breaker.half_open();
        let hung = breaker.try_acquire().expect("a trial");
        show_briefly(&breaker, &clock, time);
        // The lease must have expired after its 30 seconds.
        advance(&clock, 30 * SECOND);
        breaker.try_acquire().expect("the slot is free").success();
        assert_eq!(breaker.state(), State::Closed, "{time:?}");
        drop(hung);
    }
}

#[test]
fn clock_reset_to_zero_does_not_delay_recovery() {
    let (breaker, clock) = settable_breaker();
    fail(&breaker);
    advance(&clock, 10 * SECOND);
    assert_eq!(breaker.open_remaining(), Some(20 * SECOND));
    clock.show(Duration::ZERO);
    assert_eq!(breaker.open_remaining(), Some(20 * SECOND));
    advance(&clock, 20 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn repeated_wrong_times_do_not_delay_recovery() {
    let (breaker, clock) = settable_breaker();
    for time in wrong_times().into_iter().skip(4).cycle().take(50) {
        fail(&breaker);
        show_briefly(&breaker, &clock, time);
        assert_recovers(&breaker, &clock);
    }
}

/// Every second reading is wrong, so there are never two wrong readings in a row.
#[test]
fn alternating_wrong_readings_are_ignored() {
    struct Flickering(ManualClock, AtomicU64, Duration);
    impl Clock for Flickering {
        fn now(&self) -> Duration {
            let wrong = self.1.fetch_add(1, Relaxed) % 2 == 1;
            if wrong { self.2 } else { self.0.now() }
        }
    }
    for time in wrong_times().into_iter().take(5).chain([Duration::ZERO]) {
        let manual = ManualClock::new();
        manual.advance(1_000 * SECOND);
        let clock = Flickering(manual.clone(), AtomicU64::new(0), time);
        let builder = CircuitBreaker::builder().failure_threshold(1);
        let breaker = builder.clock(clock).build().unwrap();
        for _ in 0..100 {
            fail(&breaker);
            manual.advance(29 * SECOND);
            // Two readings, because one of them is wrong.
            let _ = (breaker.snapshot(), breaker.snapshot());
            assert_eq!(breaker.state(), State::Open, "{time:?}");
            manual.advance(SECOND);
            let _ = (breaker.snapshot(), breaker.snapshot());
            assert_eq!(breaker.state(), State::HalfOpen, "{time:?}");
            breaker.try_acquire().expect("a trial").success();
        }
    }
}

#[test]
fn manual_clock_stops_at_maximum_time() {
    let clock = ManualClock::new();
    let maximum = Duration::from_nanos(i64::MAX.unsigned_abs());
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), maximum);
    clock.advance(SECOND);
    assert_eq!(clock.now(), maximum);
    let breaker = CircuitBreaker::builder().clock(clock.clone()).build();
    let breaker = breaker.unwrap();
    breaker.trip();
    assert_eq!(breaker.open_remaining(), Some(30 * SECOND));
}

/// A clock whose next reading can be wrong.
#[derive(Clone, Default)]
struct Glitching {
    manual: ManualClock,
    wrong: Arc<Mutex<Option<Duration>>>,
}

impl Glitching {
    fn new() -> Self {
        let clock = Self::default();
        clock.manual.advance(1_000 * SECOND);
        clock
    }

    /// Makes the next reading wrong.
    fn glitch(&self, time: Duration) {
        *self.wrong.lock().unwrap() = Some(time);
    }

    /// Makes the next reading after each of these seconds wrong, and runs `read` at each.
    fn glitch_each_second(&self, seconds: u32, time: Duration, mut read: impl FnMut()) {
        for _ in 0..seconds {
            self.manual.advance(SECOND);
            self.glitch(time);
            read();
        }
    }
}

impl Clock for Glitching {
    fn now(&self) -> Duration {
        let wrong = self.wrong.lock().unwrap().take();
        wrong.unwrap_or_else(|| self.manual.now())
    }
}

/// Times that are ignored if a single reading shows them. The last one is behind.
fn ignored_times() -> impl Iterator<Item = Duration> {
    wrong_times().into_iter().take(5).chain([Duration::ZERO])
}

/// Makes a call that succeeds if it is admitted.
fn call(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Ok::<_, std::fmt::Error>(()));
}

fn glitching(settings: BreakerBuilder) -> (CircuitBreaker, Glitching) {
    let clock = Glitching::new();
    let breaker = settings.clock(clock.clone()).build().unwrap();
    (breaker, clock)
}

#[test]
fn wrong_readings_evict_no_idle_breaker() {
    for time in ignored_times() {
        let clock = Glitching::new();
        let registry = BreakerRegistry::builder().idle_timeout(60 * SECOND);
        let registry = registry.clock(clock.clone()).build().unwrap();
        let is_kept = |name: &str| registry.iter().any(|breaker| breaker.name() == name);
        registry.breaker("users");
        let mut others = 0;
        clock.glitch_each_second(59, time, || {
            others += 1;
            registry.breaker(format!("other {others}"));
        });
        assert!(is_kept("users"), "{time:?}");
        clock.glitch_each_second(60, time, || {
            others += 1;
            registry.breaker(format!("other {others}"));
        });
        assert!(!is_kept("users"), "{time:?}");
    }
}

#[test]
fn wrong_readings_do_not_move_ramp_up() {
    for time in ignored_times() {
        let settings = CircuitBreaker::builder().ramp_up(100 * SECOND);
        let (breaker, clock) = glitching(settings);
        breaker.half_open();
        breaker.try_acquire().expect("a trial").success();
        let share = || breaker.snapshot().ramp_up_share;
        assert_eq!(share(), Some(0.1), "{time:?}");
        clock.glitch_each_second(50, time, || call(&breaker));
        let half = share().expect("the circuit ramps up");
        assert!((half - 0.55).abs() < 1e-9, "{time:?}: {half}");
        clock.glitch_each_second(50, time, || call(&breaker));
        assert_eq!(share(), None, "{time:?}");
    }
}

#[test]
fn wrong_readings_keep_outcomes_in_window() {
    for time in ignored_times() {
        let rule = TripRule::failures(3).over(Window::time(60 * SECOND));
        let settings = CircuitBreaker::builder().trip_rules([rule]);
        let (breaker, clock) = glitching(settings);
        let failed = || breaker.snapshot().rules[0].failed;
        fail(&breaker);
        clock.glitch_each_second(50, time, || drop(breaker.snapshot()));
        assert_eq!(failed(), 1, "{time:?}");
        fail(&breaker);
        clock.glitch_each_second(11, time, || drop(breaker.snapshot()));
        assert_eq!(failed(), 1, "the first one has expired: {time:?}");
    }
}

#[test]
fn wrong_readings_do_not_change_backoff() {
    for time in ignored_times() {
        let backoff = Backoff::exponential(10 * SECOND).max(80 * SECOND);
        let settings = CircuitBreaker::builder().failure_threshold(1);
        let settings = settings.recovery_backoff(backoff);
        let (breaker, clock) = glitching(settings.reset_backoff_after(30 * SECOND));
        for delay in [10, 20, 40, 80] {
            fail(&breaker);
            assert_eq!(breaker.open_remaining(), Some(delay * SECOND), "{time:?}");
            clock.glitch_each_second(delay, time, || drop(breaker.snapshot()));
            breaker.try_acquire().expect("a trial").success();
            clock.glitch_each_second(29, time, || drop(breaker.snapshot()));
        }
        clock.glitch_each_second(1, time, || drop(breaker.snapshot()));
        fail(&breaker);
        assert_eq!(breaker.open_remaining(), Some(10 * SECOND), "{time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_readings_admit_no_waiter_early() {
    for time in ignored_times() {
        let (breaker, clock) = glitching(CircuitBreaker::builder());
        breaker.trip();
        let mut waiter = pin!(breaker.until_ready());
        for _ in 0..29 {
            clock.manual.advance(SECOND);
            clock.glitch(time);
            let limited = tokio::time::timeout(SECOND, waiter.as_mut()).await;
            assert!(limited.is_err(), "{time:?}");
        }
        // A wait is lengthened by up to 1 %.
        clock.manual.advance(2 * SECOND);
        waiter.await.success();
        assert_eq!(breaker.state(), State::Closed, "{time:?}");
    }
}

/// A stalled stream times out on the clock of tokio, so the clock of the breaker does not matter.
#[tokio::test(start_paused = true)]
async fn wrong_readings_do_not_move_idle_timeout() {
    for time in ignored_times() {
        let (breaker, clock) = glitching(CircuitBreaker::builder().failure_threshold(1));
        let stalled = stream::pending::<Result<(), std::fmt::Error>>().guarded_by(&breaker);
        let mut stalled = pin!(stalled.idle_timeout(30 * SECOND));
        for _ in 0..29 {
            clock.glitch(time);
            let next = tokio::time::timeout(SECOND, stalled.next()).await;
            assert!(next.is_err(), "{time:?}");
        }
        clock.glitch(time);
        let last = stalled.next().await.expect("the timeout has elapsed");
        assert!(last.is_err_and(|error| error.is_timed_out()), "{time:?}");
        assert_eq!(breaker.state(), State::Open, "{time:?}");
        assert_eq!(breaker.open_remaining(), Some(30 * SECOND), "{time:?}");
    }
}

// `TokioClock`. These tests do not depend on the feature `test-util`, which replaces another clock.

fn with_tokio_clock() -> BreakerRegistry {
    let registry = BreakerRegistry::builder().clock(TokioClock::new());
    registry.build().unwrap()
}

#[test]
fn tokio_clock_has_auto_traits() {
    fn assert_traits<T: Clock + Copy + Default + std::fmt::Debug + Unpin>() {}
    fn assert_unwind_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    assert_traits::<TokioClock>();
    assert_unwind_safe::<TokioClock>();
}

#[tokio::test(start_paused = true)]
async fn tokio_clock_moves_only_with_paused_time() {
    let clock = TokioClock::new();
    let (copy, begin) = (clock, clock.now());
    assert_eq!(copy.now(), begin);
    tokio::time::advance(30 * SECOND).await;
    assert_eq!(copy.now().checked_sub(begin).unwrap(), 30 * SECOND);
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(clock.now().checked_sub(begin).unwrap(), 35 * SECOND);
    assert_eq!(clock.recent(), clock.now());
}

#[tokio::test(start_paused = true)]
async fn registry_with_tokio_clock_follows_paused_time() {
    let registry = with_tokio_clock();
    let users = registry.breaker("users");
    users.trip();
    tokio::time::advance(Duration::from_millis(29_999)).await;
    assert_eq!(users.open_remaining(), Some(Duration::from_millis(1)));
    assert_eq!(users.state(), State::Open);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(users.state(), State::HalfOpen);
    let trial = async { Ok::<_, std::fmt::Error>(()) };
    trial.guarded_by(&users).await.unwrap();
    assert_eq!(users.state(), State::Closed);
}

/// The timer of the waiter and the deadline of the circuit follow the same time.
#[tokio::test(start_paused = true)]
async fn waiter_with_tokio_clock_needs_no_real_time() {
    let begin = tokio::time::Instant::now();
    let users = with_tokio_clock().breaker("users");
    users.trip();
    users.until_ready().await.success();
    let waited = begin.elapsed();
    assert!(waited >= 30 * SECOND && waited < 31 * SECOND, "{waited:?}");
    assert_eq!(users.state(), State::Closed);
}

#[test]
fn tokio_clock_works_outside_runtime() {
    let clock = TokioClock::default();
    let begin = clock.now();
    assert!(clock.now() >= begin);
    let users = with_tokio_clock().breaker("users");
    users.trip();
    let left = users.open_remaining().expect("the circuit is open");
    assert!(left <= 30 * SECOND);
}

/// Each runtime has its own paused time, which is behind that of an earlier runtime.
#[test]
fn tokio_clock_continues_in_another_runtime() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    let users = with_tokio_clock().breaker("users");
    runtime().block_on(async {
        tokio::time::advance(3_600 * SECOND).await;
        users.trip();
    });
    runtime().block_on(async {
        assert_eq!(users.state(), State::Open);
        tokio::time::advance(29 * SECOND).await;
        assert_eq!(users.state(), State::Open);
        tokio::time::advance(2 * SECOND).await;
        assert_eq!(users.state(), State::HalfOpen);
    });
}

/// Without the feature `test-util`, the time of tokio does not affect the default clock.
#[cfg(not(feature = "test-util"))]
#[tokio::test(start_paused = true)]
async fn default_clock_ignores_paused_time() {
    let (default, tokio) = (BreakerRegistry::new(), with_tokio_clock());
    let breakers = [&default, &tokio].map(|registry| registry.breaker("users"));
    breakers.iter().for_each(CircuitBreaker::trip);
    tokio::time::advance(3_600 * SECOND).await;
    let states = breakers.each_ref().map(CircuitBreaker::state);
    assert_eq!(states, [State::Open, State::HalfOpen]);
}
