//! The same calls through `#[circuit]` and through a handle that is kept by hand; a program of its
//! own, which `main.rs` builds with optimizations and counts the instructions of.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::hint::black_box;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

#[derive(Debug)]
struct Error(#[allow(dead_code)] Option<BreakerError>);

impl From<BreakerError> for Error {
    fn from(error: BreakerError) -> Self {
        Self(Some(error))
    }
}

fn work(number: u64) -> Result<u64, Error> {
    if black_box(number) == u64::MAX {
        return Err(Error(None));
    }
    Ok(number)
}

fn kept() -> &'static CircuitBreaker {
    static KEPT: OnceLock<CircuitBreaker> = OnceLock::new();
    KEPT.get_or_init(|| BreakerRegistry::global().breaker("kept"))
}

#[inline(never)]
async fn by_hand(number: u64) -> Result<u64, Error> {
    let work = async move { work(number) };
    work.guarded_by(kept()).flatten_err().await
}

#[circuit(name = "kept")]
#[inline(never)]
async fn by_circuit(number: u64) -> Result<u64, Error> {
    work(number)
}

#[inline(never)]
fn sync_by_hand(number: u64) -> Result<u64, Error> {
    work.guarded_by(kept()).flatten_err().call(number)
}

#[circuit(name = "kept")]
#[inline(never)]
fn sync_by_circuit(number: u64) -> Result<u64, Error> {
    work(number)
}

fn now<F: Future>(future: F) -> F::Output {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(output) = polled else {
        panic!("it waits")
    };
    output
}

fn main() {
    // The kernel's clock page, which the system's clock looks for, is not there under valgrind.
    let registry = BreakerRegistry::builder().clock(ManualClock::new());
    let registry = registry.install().expect("nobody asked for it before");
    let mut arguments = std::env::args().skip(1);
    let form = arguments.next().expect("a form");
    let calls = arguments.next().expect("a number of calls");
    let calls = calls.parse::<u64>().expect("a number of calls");
    let call: fn(u64) -> Result<u64, Error> = match form.as_str() {
        "async by hand" => |number| now(by_hand(number)),
        "async by circuit" => |number| now(by_circuit(number)),
        "by hand" => sync_by_hand,
        "by circuit" => sync_by_circuit,
        other => panic!("no form: {other}"),
    };
    for number in 0..calls {
        call(number).expect("the circuit is closed");
    }
    let totals = registry.breaker("kept").snapshot().totals;
    assert_eq!(totals.success, Some(calls), "all of them went through it");
}
