//! `until_ready`: waiting instead of being refused.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::{JoinHandle, yield_now};

const RECOVERY: Duration = Duration::from_secs(30);

struct Bench {
    breaker: CircuitBreaker,
    clock: ManualClock,
    admitted: Arc<AtomicUsize>,
}

impl Bench {
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

    /// A task that waits, and keeps what it got until it is told how the call went.
    fn waiter(&self) -> JoinHandle<Permit> {
        let (breaker, admitted) = (self.breaker.clone(), self.admitted.clone());
        tokio::spawn(async move {
            let permit = breaker.until_ready().await;
            admitted.fetch_add(1, Ordering::SeqCst);
            permit
        })
    }

    /// Lets all tasks go as far as they can, and a second of tokio's time pass.
    async fn settle(&self) -> usize {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.admitted.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn e8_one_is_let_in_and_the_others_when_it_closed() {
    let bench = Bench::new();
    bench.breaker.trip();
    let trial = bench.waiter();
    yield_now().await;
    let others = [bench.waiter(), bench.waiter()];
    assert_eq!(bench.settle().await, 0);
    bench.clock.advance(RECOVERY);
    assert_eq!(bench.settle().await, 1);
    trial.await.unwrap().success();
    assert_eq!(bench.settle().await, 3);
    for other in others {
        other.await.unwrap().success();
    }
    let totals = bench.breaker.snapshot().totals;
    assert_eq!((totals.success, totals.refused), (Some(3), 0));
}

#[tokio::test(start_paused = true)]
async fn e8_dropping_a_waiter_loses_nothing() {
    let bench = Bench::new();
    bench.breaker.trip();
    let first = bench.waiter();
    yield_now().await;
    let second = bench.waiter();
    assert_eq!(bench.settle().await, 0);
    first.abort();
    bench.clock.advance(RECOVERY);
    assert_eq!(bench.settle().await, 1);
    second.await.unwrap().success();
    assert_eq!(bench.breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_dropped_makes_way_for_the_next() {
    let bench = Bench::new();
    bench.breaker.half_open();
    let first = bench.waiter().await.unwrap();
    let second = bench.waiter();
    assert_eq!(bench.settle().await, 1);
    drop(first);
    assert_eq!(bench.settle().await, 2);
    second.await.unwrap().failure();
    assert_eq!(bench.breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn commands_and_settings_wake_those_who_wait() {
    let bench = Bench::new();
    bench.breaker.force_open();
    let waiter = bench.waiter();
    assert_eq!(bench.settle().await, 0);
    bench.breaker.reset();
    waiter.await.unwrap().success();

    bench.breaker.force_open();
    let waiter = bench.waiter();
    assert_eq!(bench.settle().await, 1);
    bench
        .breaker
        .configure(|settings| settings.mode(Mode::Disabled))
        .unwrap();
    waiter.await.unwrap().success();
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_let_in_in_the_order_of_coming() {
    let bench = Bench::new();
    bench.breaker.force_open();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut crowd = Vec::new();
    for number in 0..100 {
        let (breaker, order) = (bench.breaker.clone(), order.clone());
        crowd.push(tokio::spawn(async move {
            let permit = breaker.until_ready().await;
            order.lock().unwrap().push(number);
            permit.success();
        }));
        yield_now().await;
    }
    bench.breaker.reset();
    for waiter in crowd {
        waiter.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}
