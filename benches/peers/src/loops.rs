//! Loops of calls. The guarded work is minimal, but opaque to the compiler.

use crate::case::{Call, Case};
use breakerbox::BreakerError;
use std::hint::{black_box, spin_loop};
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt};

/// Makes one call for each input, and returns whether the last call succeeded.
pub type CallLoop = Box<dyn FnMut(&[u64]) -> bool + Send>;

/// The input for which the work fails.
pub const FAILS: u64 = u64::MAX - 1;

/// The runtime in which all calls are made. tower-resilience needs its timer, because it sleeps
/// while its lock is taken.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// A small error with a derived `Debug`.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("status {0}")]
pub struct Failure(u16);

/// Required by functions with `#[circuit]`.
impl From<BreakerError> for Failure {
    fn from(_: BreakerError) -> Self {
        Self(503)
    }
}

#[inline]
pub fn work(input: u64) -> Result<u64, Failure> {
    match black_box(input) {
        FAILS => Err(Failure(503)),
        n => Ok(n),
    }
}

/// The work as a future that is ready immediately.
pub struct Work(u64);

#[inline]
pub fn async_work(input: u64) -> Work {
    Work(input)
}

impl Future for Work {
    type Output = Result<u64, Failure>;
    #[inline]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(work(self.0))
    }
}

/// Leaks a breaker, so that all threads can borrow it.
pub fn leak<T>(breaker: T) -> &'static T {
    Box::leak(Box::new(breaker))
}

/// Returns loops over a function of the input. The compiler can inline the function.
pub fn sync_calls<T, E>(
    call: impl FnMut(u64) -> Result<T, E> + Clone + Send + 'static,
) -> Vec<CallLoop> {
    loops(call, |call, inputs| {
        let calls = inputs.iter().map(|&input| black_box(call(input)).is_ok());
        calls.fold(true, |_, succeeded| succeeded)
    })
}

/// Returns loops over a function that takes the input and returns a guarded future.
pub fn async_calls<F: Future<Output = Result<T, E>>, T, E>(
    call: impl FnMut(u64) -> F + Clone + Send + 'static,
) -> Vec<CallLoop> {
    loops(call, |call, inputs| {
        run(async {
            let mut succeeded = true;
            for &input in inputs {
                succeeded = black_box(call(input).await).is_ok();
            }
            succeeded
        })
    })
}

/// Returns loops over a tower service, of which each thread has a clone. If the case says so, each
/// call has a clone of its own.
pub fn service_calls<S: Service<u64> + Clone + Send + 'static>(
    case: &Case,
    service: S,
) -> Vec<CallLoop> {
    if case.call == Call::ClonedService {
        return async_calls(move |input| service.clone().oneshot(input));
    }
    loops(service, |service, inputs| {
        run(async {
            let mut succeeded = true;
            for &input in inputs {
                succeeded = black_box(ready_call(service, input).await).is_ok();
            }
            succeeded
        })
    })
}

#[inline]
async fn ready_call<S: Service<u64>>(service: &mut S, n: u64) -> Result<S::Response, S::Error> {
    service.ready().await?.call(n).await
}

fn loops<C: Clone + Send + 'static>(
    call: C,
    run: impl Fn(&mut C, &[u64]) -> bool + Copy + Send + 'static,
) -> Vec<CallLoop> {
    let new_loop = |mut call: C| -> CallLoop { Box::new(move |inputs| run(&mut call, inputs)) };
    vec![new_loop(call.clone()), new_loop(call)]
}

/// Runs a future on this thread by polling it repeatedly.
///
/// Futures are pending only if a peer waits for a lock. The thread then spins instead of sleeping.
#[inline]
fn run<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => spin_loop(),
        }
    }
}
