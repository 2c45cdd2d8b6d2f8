//! Nothing is allocated on a call that is healthy or refused, whatever the way in.
#![cfg(not(loom))]
#![allow(missing_docs)]

use allocation_counter::measure;
use breakerbox::prelude::*;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const CALLS: u32 = 100;

/// The first calls may fill caches of the thread; those after them allocate nothing.
fn allocates_nothing(way: &str, mut call: impl FnMut()) {
    call();
    let info = measure(|| (0..CALLS).for_each(|_| call()));
    assert_eq!(info.count_total, 0, "{way}: {info:?}");
}

fn healthy() -> CircuitBreaker {
    CircuitBreaker::builder()
        .build()
        .expect("the defaults work")
}

fn open() -> CircuitBreaker {
    let breaker = healthy();
    breaker.trip_for(Duration::from_secs(3600));
    breaker
}

fn forced() -> CircuitBreaker {
    let breaker = healthy();
    breaker.force_open();
    breaker
}

/// Half-open with its trial running; the permit keeps it so.
fn taken() -> (CircuitBreaker, breakerbox::Permit) {
    let breaker = healthy();
    breaker.half_open();
    let trial = breaker.try_acquire().expect("the trial");
    (breaker, trial)
}

fn poll<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("these futures are ready at once"),
    }
}

fn work() -> Ready<Result<u32, Infallible>> {
    ready(Ok(7))
}

#[allow(clippy::unnecessary_wraps)]
fn double(number: u32) -> Result<u32, Infallible> {
    Ok(2 * number)
}

async fn double_later(number: u32) -> Result<u32, Infallible> {
    double(number)
}

/// Every way into a breaker by a handle; `passes` or is refused.
fn every_way_in(state: &str, breaker: &CircuitBreaker, passes: bool) {
    allocates_nothing(&format!("{state}, future"), || {
        assert_eq!(poll(work().guarded_by(breaker)).is_ok(), passes);
    });
    allocates_nothing(&format!("{state}, future by an owned handle"), || {
        assert_eq!(poll(work().guarded_by(breaker.clone())).is_ok(), passes);
    });
    allocates_nothing(&format!("{state}, call_async"), || {
        assert_eq!(poll(breaker.call_async(work())).is_ok(), passes);
    });
    allocates_nothing(&format!("{state}, call"), || {
        assert_eq!(breaker.call(|| double(7)).is_ok(), passes);
    });
    let guarded = double.guarded_by(breaker);
    allocates_nothing(&format!("{state}, sync function"), || {
        assert_eq!(guarded.call(7).is_ok(), passes);
    });
    let guarded = double_later.guarded_by(breaker);
    allocates_nothing(&format!("{state}, async function"), || {
        assert_eq!(poll(guarded.call(7)).is_ok(), passes);
    });
    let guarded = double.guarded_by(breaker).fallback(double);
    allocates_nothing(&format!("{state}, fallback"), || {
        assert_eq!(guarded.call(7), Ok(14));
    });
    allocates_nothing(&format!("{state}, permit"), || {
        match breaker.try_acquire() {
            Ok(permit) => {
                assert!(passes);
                permit.success();
            }
            Err(open) => {
                assert!(!passes);
                drop(open);
            }
        }
    });
}

#[test]
fn a_healthy_call() {
    every_way_in("healthy", &healthy(), true);
}

#[test]
fn a_healthy_call_that_is_dropped_or_ignored() {
    let breaker = healthy();
    allocates_nothing("dropped permit", || drop(breaker.try_acquire()));
    allocates_nothing("unpolled future", || drop(work().guarded_by(&breaker)));
    allocates_nothing("ignored", || {
        breaker
            .try_acquire()
            .expect("a closed circuit")
            .record(Outcome::Ignored);
    });
}

#[test]
fn a_refused_call() {
    every_way_in("open", &open(), false);
    every_way_in("forced open", &forced(), false);
    let (breaker, trial) = taken();
    every_way_in("trials taken", &breaker, false);
    trial.success();
}

#[test]
fn refusal_of_an_inner_breaker() {
    let (inner, middle, outer) = (open(), healthy(), healthy());
    allocates_nothing("typed refusal", || {
        let call = || middle.call(|| inner.call(|| Err::<(), _>("no")));
        assert!(outer.call(call).is_err_and(|error| error.is_open()));
    });
    assert!(outer.snapshot().totals.ignored > 0);
}

#[test]
fn a_call_that_passes_a_disabled_breaker() {
    let breaker = healthy();
    breaker.disable();
    every_way_in("disabled", &breaker, true);
}

#[test]
fn a_healthy_call_by_name() {
    let registry = BreakerRegistry::new();
    allocates_nothing("future by name", || {
        assert!(poll(work().with_breaker(&registry, "users-api")).is_ok());
    });
    allocates_nothing("sync function by name", || {
        assert!(double.with_breaker(&registry, "users-api").call(7).is_ok());
    });
    allocates_nothing("async function by name", || {
        let guarded = double_later.with_breaker(&registry, "users-api");
        assert!(poll(guarded.call(7)).is_ok());
    });
    allocates_nothing("handle by name", || drop(registry.breaker("users-api")));
}

#[test]
fn a_refused_call_by_name() {
    let registry = BreakerRegistry::new();
    registry
        .breaker("users-api")
        .trip_for(Duration::from_secs(3600));
    allocates_nothing("refused by name", || {
        assert!(poll(work().with_breaker(&registry, "users-api")).is_err());
    });
}

/// The counter counts: a failure whose text is kept, the first of its breaker, does allocate.
#[test]
fn what_must_allocate_is_seen() {
    let breaker = healthy();
    let info = measure(|| drop(breaker.call(|| Err::<(), _>("no"))));
    assert!(info.count_total > 0);
}

#[cfg(feature = "macros")]
mod decorated {
    use super::*;

    #[derive(Debug)]
    enum Error {
        Refused,
    }

    impl From<BreakerError> for Error {
        fn from(_: BreakerError) -> Self {
            Self::Refused
        }
    }

    #[circuit(name = "allocations-sync")]
    #[allow(clippy::unnecessary_wraps)]
    fn double(number: u32) -> Result<u32, Error> {
        Ok(2 * number)
    }

    #[circuit(name = "allocations-async")]
    async fn double_later(number: u32) -> Result<u32, Error> {
        Ok(2 * number)
    }

    struct Client<T>(T);

    impl<T: Clone> Client<T> {
        #[circuit]
        fn get(&self) -> Result<T, Error> {
            Ok(self.0.clone())
        }
    }

    fn every_function(state: &str, passes: bool) {
        allocates_nothing(&format!("{state}, sync #[circuit]"), || {
            assert_eq!(double(7).is_ok(), passes);
        });
        allocates_nothing(&format!("{state}, async #[circuit]"), || {
            assert_eq!(poll(double_later(7)).is_ok(), passes);
        });
    }

    #[test]
    fn calls_of_decorated_functions() {
        every_function("healthy", true);
        for name in ["allocations-sync", "allocations-async"] {
            let breaker = BreakerRegistry::global().breaker(name);
            breaker.trip_for(Duration::from_secs(3600));
        }
        every_function("open", false);
    }

    #[test]
    fn calls_of_a_generic_method() {
        allocates_nothing("two types of one method", || {
            assert!(Client(7_u8).get().is_ok());
            assert!(Client(7_u16).get().is_ok());
        });
    }
}

/// Names share the slots of a thread's table by chance; most of them have one each.
#[test]
fn calls_of_two_names_that_take_turns() {
    const PAIRS: usize = 64;
    let registry = BreakerRegistry::new();
    let apart = (0..PAIRS).filter(|pair| {
        let names = [format!("users {pair}"), format!("orders {pair}")];
        let call = || {
            for name in &names {
                let _ = poll(work().with_breaker(&registry, name));
            }
        };
        call();
        measure(|| (0..10).for_each(|_| call())).count_total == 0
    });
    assert!(apart.count() >= PAIRS * 7 / 8);
}

/// The first refusal of each breaker allocates; no later one does, however many breakers refuse.
#[test]
fn refusals_of_many_breakers_allocate_once_each() {
    let breakers: Vec<_> = (0..300).map(|_| forced()).collect();
    let refused = |breaker: &CircuitBreaker| drop(breaker.try_acquire().expect_err("it is open"));
    breakers.iter().for_each(refused);
    let info = measure(|| breakers.iter().for_each(refused));
    assert_eq!(info.count_total, 0, "{info:?}");
}

/// Errors that live at the same time allocate no more than errors that live one after another.
#[test]
fn refusals_held_together_allocate_nothing() {
    let breaker = forced();
    let refuse = || breaker.try_acquire().expect_err("it is open");
    let mut held = Vec::with_capacity(200);
    held.push(refuse());
    let info = measure(|| {
        for _ in 0..50 {
            let open = refuse();
            held.push(open.clone());
            held.push(open);
        }
    });
    assert_eq!(info.count_total, 0, "{info:?}");
}
