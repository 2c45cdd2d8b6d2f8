//! The guarded work: as little as there can be, and nothing that the compiler sees through.

use std::fmt;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// What the guarded work returns.
pub type Worked = Result<u64, Failure>;

/// An error of the usual kind: a few bytes, with a derived `Debug`.
#[derive(Clone, Copy, Debug)]
pub struct Failure(pub u16);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.0)
    }
}

impl std::error::Error for Failure {}

/// A call to make: its number, or [`FAILS`]. A plain integer, since anything wider would be measured
/// too: moving it in and out of futures costs more than a breaker does.
pub type Order = u64;

/// The order that fails.
pub const FAILS: Order = u64::MAX;

/// The guarded work. The compiler does not know what was ordered.
#[inline]
pub fn work(order: Order) -> Worked {
    match black_box(order) {
        FAILS => Err(Failure(503)),
        n => Ok(n),
    }
}

/// Which of a thread's calls fail.
pub trait Load: 'static {
    /// Whether any does.
    const FAILING: bool;
    /// The `n`th call.
    fn order(n: u64) -> Order;
}

pub enum Healthy {}
pub enum OneInTen {}

impl Load for Healthy {
    const FAILING: bool = false;
    #[inline]
    fn order(n: u64) -> Order {
        n
    }
}

impl Load for OneInTen {
    const FAILING: bool = true;
    #[inline]
    fn order(n: u64) -> Order {
        if n % 10 == 9 { FAILS } else { n }
    }
}

/// The work as a future, ready at once.
#[must_use = "futures do nothing unless polled"]
pub struct Job(pub Order);

impl Future for Job {
    type Output = Worked;
    #[inline]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Worked> {
        Poll::Ready(work(self.0))
    }
}

/// The smallest executor, one for each thread. Nothing but a peer that waits for a lock is ever
/// pending; it is waited for as the locks of others do it: a short spin, then sleep.
pub struct Executor {
    signal: Arc<Signal>,
    waker: Waker,
}

struct Signal {
    woken: AtomicBool,
    thread: Thread,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Executor {
    pub fn new() -> Self {
        let signal = Arc::new(Signal {
            woken: AtomicBool::new(false),
            thread: std::thread::current(),
        });
        let waker = Waker::from(signal.clone());
        Self { signal, waker }
    }

    #[inline]
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let mut context = Context::from_waker(&self.waker);
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(output) => return output,
                Poll::Pending => self.wait(),
            }
        }
    }

    #[cold]
    fn wait(&self) {
        const SPINS: u32 = 200;
        let woken = || self.signal.woken.swap(false, Ordering::Acquire);
        for _ in 0..SPINS {
            if woken() {
                return;
            }
            std::hint::spin_loop();
        }
        while !woken() {
            std::thread::park();
        }
    }
}
