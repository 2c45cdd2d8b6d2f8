//! The guarded work: as little as possible, and opaque to the compiler.

use breakerbox::BreakerError;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

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
