//! Healthy and refused calls allocate nothing, in every form of a call.
#![cfg(not(loom))]
#![allow(missing_docs)]

use allocation_counter::measure;
use breakerbox::prelude::*;
use futures_util::{Stream, stream};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const CALLS: u32 = 100;

/// Asserts that a repeated call allocates nothing. The first call is not measured, because it may
/// fill caches.
fn assert_no_allocation(form: &str, mut call: impl FnMut()) {
    call();
    let info = measure(|| (0..CALLS).for_each(|_| call()));
    assert_eq!(info.count_total, 0, "{form}: {info:?}");
}

fn healthy() -> CircuitBreaker {
    CircuitBreaker::builder()
        .build()
        .expect("the defaults are valid")
}

fn open() -> CircuitBreaker {
    let breaker = healthy();
    breaker.trip_for(Duration::from_secs(3600));
    breaker
}

fn forced_open() -> CircuitBreaker {
    let breaker = healthy();
    breaker.force_open();
    breaker
}

/// Creates a half-open breaker, and the permit that occupies its only slot.
fn half_open_without_slots() -> (CircuitBreaker, breakerbox::Permit) {
    let breaker = healthy();
    breaker.half_open();
    let trial = breaker.try_acquire().expect("the trial");
    (breaker, trial)
}

fn expect_ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

fn ready_call() -> Ready<Result<u32, Infallible>> {
    ready(Ok(7))
}

#[allow(clippy::unnecessary_wraps)]
fn double(number: u32) -> Result<u32, Infallible> {
    Ok(2 * number)
}

async fn double_async(number: u32) -> Result<u32, Infallible> {
    double(number)
}

/// Checks every form of a call by a handle, which is either `admitted` or refused.
fn check_every_form(state: &str, breaker: &CircuitBreaker, admitted: bool) {
    assert_no_allocation(&format!("{state}, future"), || {
        assert_eq!(
            expect_ready(ready_call().guarded_by(breaker)).is_ok(),
            admitted
        );
    });
    assert_no_allocation(&format!("{state}, future by an owned handle"), || {
        assert_eq!(
            expect_ready(ready_call().guarded_by(breaker.clone())).is_ok(),
            admitted
        );
    });
    assert_no_allocation(&format!("{state}, call_async"), || {
        assert_eq!(
            expect_ready(breaker.call_async(ready_call())).is_ok(),
            admitted
        );
    });
    assert_no_allocation(&format!("{state}, call"), || {
        assert_eq!(breaker.call(|| double(7)).is_ok(), admitted);
    });
    let guarded = double.guarded_by(breaker);
    assert_no_allocation(&format!("{state}, sync function"), || {
        assert_eq!(guarded.call(7).is_ok(), admitted);
    });
    let guarded = double_async.guarded_by(breaker);
    assert_no_allocation(&format!("{state}, async function"), || {
        assert_eq!(expect_ready(guarded.call(7)).is_ok(), admitted);
    });
    let guarded = double.guarded_by(breaker).fallback(double);
    assert_no_allocation(&format!("{state}, fallback"), || {
        assert_eq!(guarded.call(7), Ok(14));
    });
    assert_no_allocation(&format!("{state}, permit"), || {
        match breaker.try_acquire() {
            Ok(permit) => {
                assert!(admitted);
                permit.success();
            }
            Err(open) => {
                assert!(!admitted);
                drop(open);
            }
        }
    });
}

#[test]
fn healthy_call_allocates_nothing() {
    check_every_form("healthy", &healthy(), true);
}

/// The counts do not grow with the items.
const ITEMS: usize = 1_000;

fn consume(mut stream: impl Stream<Item: Sized> + Unpin) -> usize {
    let mut next = || Pin::new(&mut stream).poll_next(&mut Context::from_waker(Waker::noop()));
    std::iter::from_fn(|| match next() {
        Poll::Ready(item) => item,
        Poll::Pending => panic!("the stream is pending"),
    })
    .count()
}

fn ready_items() -> impl Stream<Item = Result<usize, Infallible>> + Unpin {
    stream::iter((0..ITEMS).map(Ok))
}

#[test]
fn stream_allocates_nothing() {
    let breaker = healthy();
    assert_no_allocation("stream", || {
        assert_eq!(consume(ready_items().guarded_by(&breaker)), ITEMS);
    });
    assert_no_allocation("stream by an owned handle", || {
        assert_eq!(consume(ready_items().guarded_by(breaker.clone())), ITEMS);
    });
    assert_no_allocation("classified stream", || {
        let guarded = ready_items().guarded_by(&breaker);
        let guarded = guarded.classify_item(|_| Outcome::Success).success_after(7);
        assert_eq!(consume(guarded), ITEMS);
    });
    let (open, (half_open, _trial)) = (open(), half_open_without_slots());
    for refusing in [open, half_open] {
        assert_no_allocation("refused stream", || {
            assert_eq!(consume(ready_items().guarded_by(&refusing)), 1);
        });
    }
    let registry = BreakerRegistry::new();
    assert_no_allocation("stream by name", || {
        assert_eq!(consume(ready_items().with_breaker(&registry, "db")), ITEMS);
    });
}

/// The timer is the one allocation of a stream.
#[test]
fn idle_timeout_allocates_once_per_stream() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let breaker = healthy();
    let limit = Duration::from_secs(1);
    let ready = || {
        assert_eq!(
            consume(ready_items().guarded_by(&breaker).idle_timeout(limit)),
            ITEMS
        );
    };
    ready();
    assert_eq!(measure(ready).count_total, 1);

    // Every other poll finds nothing ready, and starts the time.
    let mut polls = 0;
    let waits = stream::poll_fn(move |_| {
        polls += 1;
        match polls % 2 {
            0 => Poll::Ready(Some(Ok::<_, Infallible>(polls))),
            _ => Poll::Pending,
        }
    });
    let mut waits = waits.guarded_by(&breaker).idle_timeout(limit);
    let mut poll = || Pin::new(&mut waits).poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending() && poll().is_ready());
    let info =
        measure(|| (0..ITEMS).for_each(|_| assert!(poll().is_pending() && poll().is_ready())));
    assert_eq!(info.count_total, 0, "{info:?}");
}

#[test]
fn dropped_or_ignored_call_allocates_nothing() {
    let breaker = healthy();
    assert_no_allocation("dropped permit", || drop(breaker.try_acquire()));
    assert_no_allocation("unpolled future", || {
        drop(ready_call().guarded_by(&breaker));
    });
    assert_no_allocation("ignored", || {
        breaker
            .try_acquire()
            .expect("a closed circuit")
            .record(Outcome::Ignored);
    });
}

#[test]
fn refused_call_allocates_nothing() {
    check_every_form("open", &open(), false);
    check_every_form("forced open", &forced_open(), false);
    let (breaker, trial) = half_open_without_slots();
    check_every_form("trials taken", &breaker, false);
    trial.success();
}

#[test]
fn first_ready_allocates_only_for_refusals() {
    let (first, second) = (healthy(), healthy());
    assert_no_allocation("first of two", || {
        let (index, permit) = first_ready([&first, &second]).expect("a healthy breaker");
        assert_eq!(index, 0);
        permit.success();
    });
    let registry = BreakerRegistry::new();
    assert_no_allocation("first of two, by name", || {
        let (_, permit) = registry.first_ready(["a", "b"]).expect("a healthy breaker");
        permit.success();
    });
    let open = open();
    let skip = || drop(first_ready([&open, &second]).expect("a healthy breaker"));
    skip();
    // The list of refusals, for the error that is not needed in the end.
    assert_eq!(measure(skip).count_total, 1);
}

#[test]
fn inner_refusal_allocates_nothing() {
    let (inner, middle, outer) = (open(), healthy(), healthy());
    assert_no_allocation("typed refusal", || {
        let call = || middle.call(|| inner.call(|| Err::<(), _>("no")));
        assert!(outer.call(call).is_err_and(|error| error.is_open()));
    });
    assert!(outer.snapshot().totals.ignored > 0);
}

#[test]
fn call_of_disabled_breaker_allocates_nothing() {
    let breaker = healthy();
    breaker.disable();
    check_every_form("disabled", &breaker, true);
}

#[test]
fn healthy_call_by_name_allocates_nothing() {
    let registry = BreakerRegistry::new();
    assert_no_allocation("future by name", || {
        assert!(expect_ready(ready_call().with_breaker(&registry, "users-api")).is_ok());
    });
    assert_no_allocation("sync function by name", || {
        assert!(double.with_breaker(&registry, "users-api").call(7).is_ok());
    });
    assert_no_allocation("async function by name", || {
        let guarded = double_async.with_breaker(&registry, "users-api");
        assert!(expect_ready(guarded.call(7)).is_ok());
    });
    assert_no_allocation("handle by name", || drop(registry.breaker("users-api")));
}

#[test]
fn refused_call_by_name_allocates_nothing() {
    let registry = BreakerRegistry::new();
    registry
        .breaker("users-api")
        .trip_for(Duration::from_secs(3600));
    assert_no_allocation("refused by name", || {
        assert!(expect_ready(ready_call().with_breaker(&registry, "users-api")).is_err());
    });
}

/// Checks the counter itself: the first failure of a breaker allocates its text.
#[test]
fn first_failure_allocates() {
    let breaker = healthy();
    let info = measure(|| drop(breaker.call(|| Err::<(), _>("no"))));
    assert!(info.count_total > 0);
}

#[cfg(feature = "macros")]
mod circuit_functions {
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
    async fn double_async(number: u32) -> Result<u32, Error> {
        Ok(2 * number)
    }

    struct Client<T>(T);

    impl<T: Clone> Client<T> {
        #[circuit]
        fn get(&self) -> Result<T, Error> {
            Ok(self.0.clone())
        }
    }

    fn check_functions(state: &str, admitted: bool) {
        assert_no_allocation(&format!("{state}, sync #[circuit]"), || {
            assert_eq!(double(7).is_ok(), admitted);
        });
        assert_no_allocation(&format!("{state}, async #[circuit]"), || {
            assert_eq!(expect_ready(double_async(7)).is_ok(), admitted);
        });
    }

    #[test]
    fn circuit_function_allocates_nothing() {
        check_functions("healthy", true);
        for name in ["allocations-sync", "allocations-async"] {
            let breaker = BreakerRegistry::global().breaker(name);
            breaker.trip_for(Duration::from_secs(3600));
        }
        check_functions("open", false);
    }

    #[test]
    fn generic_circuit_method_allocates_nothing() {
        assert_no_allocation("two types of one method", || {
            assert!(Client(7_u8).get().is_ok());
            assert!(Client(7_u16).get().is_ok());
        });
    }
}

/// A handle table keeps both names of a pair.
#[test]
fn alternating_names_allocate_nothing() {
    let registry = BreakerRegistry::new();
    for pair in 0..64 {
        let names = [format!("users {pair}"), format!("orders {pair}")];
        let call = || {
            for name in &names {
                let _ = expect_ready(ready_call().with_breaker(&registry, name));
            }
        };
        call();
        let info = measure(|| (0..10).for_each(|_| call()));
        assert_eq!(info.count_total, 0, "pair {pair}: {info:?}");
    }
}

/// The first refusal of each breaker allocates. Later refusals must not, even with many breakers.
#[test]
fn refusals_of_many_breakers_allocate_once_each() {
    let breakers: Vec<_> = (0..300).map(|_| forced_open()).collect();
    let refused = |breaker: &CircuitBreaker| drop(breaker.try_acquire().expect_err("it is open"));
    breakers.iter().for_each(refused);
    let info = measure(|| breakers.iter().for_each(refused));
    assert_eq!(info.count_total, 0, "{info:?}");
}

/// Refusals that exist at the same time must not allocate more than consecutive ones.
#[test]
fn refusals_held_together_allocate_nothing() {
    let breaker = forced_open();
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

#[test]
fn recorded_calls_allocate_nothing() {
    let registry = BreakerRegistry::new();
    let _recording = registry.record_calls(|call| {
        std::hint::black_box(call);
    });
    let breaker = registry.breaker("users");
    assert_no_allocation("recorded success", || {
        assert!(breaker.call(|| double(1)).is_ok());
    });
    assert_no_allocation("recorded failure", || {
        assert!(breaker.call(|| Err::<(), _>("down")).is_err());
        assert!(breaker.call(|| double(1)).is_ok());
    });
    breaker.force_open();
    assert_no_allocation("recorded refusal", || {
        assert!(breaker.try_acquire().is_err());
    });
}
