//! The guarded work: as little as possible, and opaque to the compiler.

use breakerbox::BreakerError;
use std::hint::{black_box, spin_loop};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use tokio::runtime::Runtime;

pub type Worked = Result<u64, Failure>;

/// A small error with a derived `Debug`.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("status {0}")]
pub struct Failure(u16);

/// What a function with `#[circuit]` returns for a refusal.
impl From<BreakerError> for Failure {
    fn from(_: BreakerError) -> Self {
        Self(503)
    }
}

/// The input that fails.
pub const FAILS: u64 = u64::MAX - 1;

/// The input of the `n`th call.
#[inline]
pub fn input(n: u64, failing: bool) -> u64 {
    if failing && n % 10 == 9 { FAILS } else { n }
}

#[inline]
pub fn work(input: u64) -> Worked {
    match black_box(input) {
        FAILS => Err(Failure(503)),
        n => Ok(n),
    }
}

/// The work as a future, which is ready at once.
pub struct Work(pub u64);

impl Future for Work {
    type Output = Worked;
    #[inline]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Worked> {
        Poll::Ready(work(self.0))
    }
}

/// The timer of tower-resilience, which sleeps when its lock is taken. All calls are made inside it.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

struct Signal(AtomicBool, Thread);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
        self.1.unpark();
    }
}

/// Runs a future inline on this thread. Only a peer that waits for a lock is ever pending. It spins for
/// a moment and then sleeps, as a lock does.
#[inline]
pub fn run<F: Future>(future: F) -> F::Output {
    let signal = Arc::new(Signal(AtomicBool::new(false), std::thread::current()));
    let waker = Waker::from(signal.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => wait(&signal.0),
        }
    }
}

#[cold]
fn wait(woken: &AtomicBool) {
    let woken = || woken.swap(false, Ordering::Acquire);
    for _ in 0..200 {
        if woken() {
            return;
        }
        spin_loop();
    }
    while !woken() {
        std::thread::park();
    }
}
