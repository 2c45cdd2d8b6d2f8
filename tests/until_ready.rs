//! `until_ready`, which waits until the circuit admits a call.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::{JoinHandle, yield_now};

const RECOVERY: Duration = Duration::from_secs(30);

struct Fixture {
    breaker: CircuitBreaker,
    clock: ManualClock,
    admitted: Arc<AtomicUsize>,
}

impl Fixture {
    fn new() -> Self {
        let clock = ManualClock::new();
        let breaker = CircuitBreaker::builder()
            .clock(clock.clone())
            .build()
            .unwrap();
        Self {
            breaker,
            clock,
            admitted: Arc::default(),
        }
    }

    /// Spawns a task that waits for a permit and returns it.
    fn spawn_waiter(&self) -> JoinHandle<Permit> {
        let (breaker, admitted) = (self.breaker.clone(), self.admitted.clone());
        tokio::spawn(async move {
            let permit = breaker.until_ready().await;
            admitted.fetch_add(1, Ordering::SeqCst);
            permit
        })
    }

    /// Advances tokio's clock by a second, and returns how many tasks were admitted so far.
    ///
    /// The paused clock advances only once all tasks are idle.
    async fn count_admitted(&self) -> usize {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.admitted.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn waiters_of_ramping_circuit_are_admitted_one_after_another() {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder()
        .ramp_up(Duration::from_secs(20))
        .clock(clock.clone())
        .build()
        .unwrap();
    let fixture = Fixture {
        breaker,
        clock,
        admitted: Arc::default(),
    };
    fixture.breaker.half_open();
    fixture.breaker.until_ready().await.success();
    assert_eq!(fixture.breaker.snapshot().ramp_up_share, Some(0.1));

    let waiters: Vec<_> = (0..4).map(|_| fixture.spawn_waiter()).collect();
    for expected in 1..=3 {
        // The clock of the breaker stands still, and the first call of a twentieth is admitted.
        yield_now().await;
        let before = fixture.admitted.load(Ordering::SeqCst);
        assert!(before >= expected, "{before} of {expected}");
        fixture.clock.advance(Duration::from_secs(1));
        fixture.count_admitted().await;
    }
    fixture.clock.advance(Duration::from_secs(20));
    for waiter in waiters {
        waiter.await.unwrap().success();
    }
    assert_eq!(fixture.breaker.snapshot().totals.refused, 0);
}

#[tokio::test(start_paused = true)]
async fn e8_one_waiter_is_trial_others_follow() {
    let fixture = Fixture::new();
    fixture.breaker.trip();
    let trial = fixture.spawn_waiter();
    yield_now().await;
    let others = [fixture.spawn_waiter(), fixture.spawn_waiter()];
    assert_eq!(fixture.count_admitted().await, 0);
    fixture.clock.advance(RECOVERY);
    assert_eq!(fixture.count_admitted().await, 1);
    trial.await.unwrap().success();
    assert_eq!(fixture.count_admitted().await, 3);
    for other in others {
        other.await.unwrap().success();
    }
    let totals = fixture.breaker.snapshot().totals;
    assert_eq!((totals.success, totals.refused), (Some(3), 0));
}

#[tokio::test(start_paused = true)]
async fn e8_aborted_waiter_passes_wakeup_on() {
    let fixture = Fixture::new();
    fixture.breaker.trip();
    let first = fixture.spawn_waiter();
    yield_now().await;
    let second = fixture.spawn_waiter();
    assert_eq!(fixture.count_admitted().await, 0);
    first.abort();
    fixture.clock.advance(RECOVERY);
    assert_eq!(fixture.count_admitted().await, 1);
    second.await.unwrap().success();
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn dropped_trial_admits_next_waiter() {
    let fixture = Fixture::new();
    fixture.breaker.half_open();
    let first = fixture.spawn_waiter().await.unwrap();
    let second = fixture.spawn_waiter();
    assert_eq!(fixture.count_admitted().await, 1);
    drop(first);
    assert_eq!(fixture.count_admitted().await, 2);
    second.await.unwrap().failure();
    assert_eq!(fixture.breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn commands_and_settings_wake_waiters() {
    let fixture = Fixture::new();
    fixture.breaker.force_open();
    let waiter = fixture.spawn_waiter();
    assert_eq!(fixture.count_admitted().await, 0);
    fixture.breaker.reset();
    waiter.await.unwrap().success();

    fixture.breaker.force_open();
    let waiter = fixture.spawn_waiter();
    assert_eq!(fixture.count_admitted().await, 1);
    fixture
        .breaker
        .configure(|settings| settings.mode(Mode::Disabled))
        .unwrap();
    waiter.await.unwrap().success();
}

#[tokio::test(start_paused = true)]
async fn waiters_are_admitted_in_order() {
    let fixture = Fixture::new();
    fixture.breaker.force_open();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..100 {
        let (breaker, order) = (fixture.breaker.clone(), order.clone());
        tasks.push(tokio::spawn(async move {
            let permit = breaker.until_ready().await;
            order.lock().unwrap().push(number);
            permit.success();
        }));
        yield_now().await;
    }
    fixture.breaker.reset();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}
