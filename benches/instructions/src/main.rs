//! Loops of calls whose instructions are counted by `.ci/instructions`.
//!
//! Without arguments, the program lists the names of the loops. With a name and a number, it makes
//! this number of calls.

use breakerbox::fleet::Port;
use breakerbox::prelude::*;
use breakerbox::tower::BreakerLayer;
use std::fmt;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower::{Layer, Service, ServiceExt, service_fn};

/// A typical error.
#[derive(Debug)]
struct Failure {
    #[allow(dead_code)]
    status: u16,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed")
    }
}

/// Required by functions with `#[circuit]`.
impl From<BreakerError> for Failure {
    fn from(_: BreakerError) -> Self {
        Self { status: 503 }
    }
}

/// The input for which the work fails.
const FAILS: u64 = u64::MAX;

/// Minimal work that the compiler cannot optimize away.
#[inline]
fn work(input: u64) -> Result<u64, Failure> {
    match black_box(input) {
        FAILS => Err(Failure { status: 503 }),
        n => Ok(n),
    }
}

/// The work as a future that is ready immediately.
struct Work(u64);

impl Future for Work {
    type Output = Result<u64, Failure>;
    #[inline]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(work(self.0))
    }
}

async fn async_work(input: u64) -> Result<u64, Failure> {
    work(input)
}

#[circuit]
async fn decorated_later(input: u64) -> Result<u64, Failure> {
    work(input)
}

#[circuit]
fn decorated(input: u64) -> Result<u64, Failure> {
    work(input)
}

#[inline]
fn poll<F: Future>(future: F) {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => drop(black_box(output)),
        Poll::Pending => unreachable!("the work is ready at once"),
    }
}

fn one_in_ten(n: u64) -> u64 {
    if n % 10 == 9 { FAILS } else { n }
}

fn build(settings: BreakerBuilder) -> CircuitBreaker {
    settings.build().expect("valid settings")
}

const HOUR: Duration = Duration::from_secs(3600);

fn healthy() -> CircuitBreaker {
    build(CircuitBreaker::builder())
}

fn lean() -> CircuitBreaker {
    build(CircuitBreaker::builder().count_successes(false))
}

/// Returns a breaker with a listener and a subscriber for changes, and the listener of `tracing`.
fn listened() -> CircuitBreaker {
    let breaker = build(CircuitBreaker::builder().on_change(|_| {}));
    breakerbox::tracing::install_for(&breaker);
    std::mem::forget(breaker.subscribe_changes());
    breaker
}

/// Returns a breaker of a registry with a port of a fleet.
fn shared() -> CircuitBreaker {
    let registry = BreakerRegistry::new();
    std::mem::forget(Port::attach(&registry, |change| {
        drop(black_box(change.clone()));
    }));
    let breaker = registry.breaker("users-api");
    // Keeps the registry, and so the port, for the whole run.
    std::mem::forget(registry);
    breaker
}

fn open() -> CircuitBreaker {
    let breaker = healthy();
    breaker.trip_for(HOUR);
    breaker
}

/// Opens the breaker of a function with `#[circuit]`.
fn tripped(function: &str) -> CircuitBreaker {
    let breaker = BreakerRegistry::global().breaker(function);
    breaker.trip_for(HOUR);
    breaker
}

fn ruled(window: Window) -> CircuitBreaker {
    build(CircuitBreaker::builder().trip_when(TripRule::failure_rate(0.5).over(window)))
}

fn calls_window() -> CircuitBreaker {
    ruled(Window::calls(100))
}

fn time_window() -> CircuitBreaker {
    ruled(Window::time(Duration::from_secs(60)))
}

/// Makes the given number of calls. The setup before the loop must not depend on the number.
type Loop = fn(u64);

const LOOPS: &[(&str, Loop)] = &[
    ("bare future", |calls| {
        (0..calls).for_each(|n| poll(Work(n)));
    }),
    ("healthy future", |calls| future(&healthy(), calls)),
    ("healthy future, lean", |calls| future(&lean(), calls)),
    ("healthy call", |calls| call(&healthy(), calls)),
    ("healthy call, lean", |calls| call(&lean(), calls)),
    ("healthy call, listener for changes", |calls| {
        call(&listened(), calls);
    }),
    ("healthy call, fleet", |calls| call(&shared(), calls)),
    ("healthy function", |calls| {
        let breaker = healthy();
        let guarded = work.guarded_by(&breaker);
        (0..calls).for_each(|n| drop(black_box(guarded.call(n))));
    }),
    ("healthy async function", |calls| {
        let breaker = healthy();
        let guarded = async_work.guarded_by(&breaker);
        (0..calls).for_each(|n| poll(guarded.call(n)));
    }),
    ("healthy #[circuit]", |calls| {
        (0..calls).for_each(|n| drop(black_box(decorated(n))));
    }),
    ("healthy async #[circuit]", |calls| {
        (0..calls).for_each(|n| poll(decorated_later(n)));
    }),
    ("healthy permit", |calls| permit(&healthy(), calls)),
    ("healthy by name", |calls| {
        let registry = BreakerRegistry::new();
        (0..calls).for_each(|n| poll(Work(n).with_breaker(&registry, black_box("users-api"))));
    }),
    // Each service has a future of its own, so that no code is shared, and all of it can be inlined.
    ("bare service, cloned", |calls| {
        cloned_service(&service_fn(async |n| work(n)), calls);
    }),
    ("healthy service", |calls| {
        let guarded = guard_layer().layer(service_fn(async |n| work(n)));
        service(guarded, calls);
    }),
    ("healthy service, cloned", |calls| {
        let guarded = guard_layer().layer(service_fn(async |n| work(n)));
        cloned_service(&guarded, calls);
    }),
    ("refused future", |calls| future(&open(), calls)),
    ("refused call", |calls| call(&open(), calls)),
    ("refused call, listener for changes", |calls| {
        let breaker = listened();
        breaker.trip_for(HOUR);
        call(&breaker, calls);
    }),
    ("refused call, fleet", |calls| {
        let breaker = shared();
        breaker.trip_for(HOUR);
        call(&breaker, calls);
    }),
    ("refused #[circuit]", |calls| {
        let breaker = tripped("decorated");
        (0..calls).for_each(|n| drop(black_box(decorated(n))));
        assert_eq!(breaker.snapshot().totals.refused, calls);
    }),
    ("refused async #[circuit]", |calls| {
        let breaker = tripped("decorated_later");
        (0..calls).for_each(|n| poll(decorated_later(n)));
        assert_eq!(breaker.snapshot().totals.refused, calls);
    }),
    ("refused permit", |calls| permit(&open(), calls)),
    ("one in ten fails, call", |calls| failing(&healthy(), calls)),
    ("one in ten fails, not captured", |calls| {
        let settings = CircuitBreaker::builder().capture_last_failure(false);
        failing(&build(settings), calls);
    }),
    ("window of calls, healthy", |calls| {
        call(&calls_window(), calls);
    }),
    ("window of calls, one in ten fails", |calls| {
        failing(&calls_window(), calls);
    }),
    ("window of time, healthy", |calls| {
        call(&time_window(), calls);
    }),
    ("window of time, one in ten fails", |calls| {
        failing(&time_window(), calls);
    }),
];

fn future(breaker: &CircuitBreaker, calls: u64) {
    (0..calls).for_each(|n| poll(Work(n).guarded_by(breaker)));
}

fn call(breaker: &CircuitBreaker, calls: u64) {
    (0..calls).for_each(|n| drop(black_box(breaker.call(|| work(n)))));
}

fn failing(breaker: &CircuitBreaker, calls: u64) {
    (0..calls).for_each(|n| drop(black_box(breaker.call(|| work(one_in_ten(n))))));
    assert_eq!(breaker.state(), State::Closed);
}

fn guard_layer() -> BreakerLayer {
    BreakerLayer::new(healthy())
}

fn service(mut service: impl Service<u64>, calls: u64) {
    (0..calls).for_each(|n| {
        poll(async {
            match service.ready().await {
                Ok(ready) => ready.call(n).await,
                Err(error) => Err(error),
            }
        });
    });
}

/// Clones the service for each call, as routers do.
fn cloned_service(service: &(impl Service<u64> + Clone), calls: u64) {
    (0..calls).for_each(|n| poll(service.clone().oneshot(n)));
}

fn permit(breaker: &CircuitBreaker, calls: u64) {
    for _ in 0..calls {
        if let Ok(permit) = black_box(breaker.try_acquire()) {
            permit.success();
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => LOOPS.iter().for_each(|(name, _)| println!("{name}")),
        [wanted, calls] => {
            let found = LOOPS.iter().find(|(name, _)| name == wanted);
            let (Some((_, run)), Ok(calls)) = (found, calls.parse()) else {
                eprintln!("no such loop, or no number: {wanted:?} {calls:?}");
                return ExitCode::FAILURE;
            };
            run(calls);
        }
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}
