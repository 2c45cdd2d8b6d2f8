//! `#[circuit]`, the same by hand, and the bare function. What it returns is the function's own error
//! type, so all of them have one that a refusal can become.

use super::{Blocking, Polled, Refusable, Setup, ours};
use crate::job::{Failure, Job, Worked};
use breakerbox::prelude::*;

/// An error of the usual kind, for a function behind a breaker.
#[derive(Debug)]
pub enum ApiError {
    Failed(#[allow(dead_code)] Failure),
    Circuit(BreakerError),
}

impl From<Failure> for ApiError {
    #[inline]
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<BreakerError> for ApiError {
    fn from(error: BreakerError) -> Self {
        Self::Circuit(error)
    }
}

impl Refusable for ApiError {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Circuit(error) if error.is_open())
    }
}

#[inline]
async fn bare(job: Job) -> Result<u64, ApiError> {
    Ok(job.await?)
}

#[circuit]
#[inline]
async fn plain(job: Job) -> Result<u64, ApiError> {
    Ok(job.await?)
}

#[circuit(builder = |builder| builder.count_successes(false))]
#[inline]
async fn lean(job: Job) -> Result<u64, ApiError> {
    Ok(job.await?)
}

#[inline]
fn bare_sync(work: impl FnOnce() -> Worked) -> Result<u64, ApiError> {
    Ok(work()?)
}

#[circuit]
#[inline]
fn plain_sync(work: impl FnOnce() -> Worked) -> Result<u64, ApiError> {
    Ok(work()?)
}

#[circuit(builder = |builder| builder.count_successes(false))]
#[inline]
fn lean_sync(work: impl FnOnce() -> Worked) -> Result<u64, ApiError> {
    Ok(work()?)
}

/// Functions, which have their breaker, if any, with them.
macro_rules! functions {
    ($Name:ident, $sync:ident, $later:ident) => {
        pub struct $Name;

        impl Blocking for $Name {
            type Error = ApiError;
            fn new(_: Setup) -> Option<Self> {
                Some(Self)
            }
            #[inline]
            fn call(&self, work: impl FnOnce() -> Worked) -> Result<u64, ApiError> {
                $sync(work)
            }
        }

        impl Polled for $Name {
            type Error = ApiError;
            type Caller = ();
            fn new(_: Setup) -> Option<Self> {
                Some(Self)
            }
            fn caller(&self) {}
            #[inline]
            fn call((): &mut (), job: Job) -> impl Future<Output = Result<u64, ApiError>> {
                $later(job)
            }
        }
    };
}
functions!(Bare, bare_sync, bare);
functions!(Plain, plain_sync, plain);
functions!(Lean, lean_sync, lean);

/// The bare function, guarded by a handle that is kept.
macro_rules! by_hand {
    ($Name:ident, $settings:path) => {
        pub struct $Name(CircuitBreaker);

        impl Blocking for $Name {
            type Error = ApiError;
            fn new(setup: Setup) -> Option<Self> {
                $settings(setup).build().ok().map(Self)
            }
            #[inline]
            fn call(&self, work: impl FnOnce() -> Worked) -> Result<u64, ApiError> {
                let guarded = (|| bare_sync(work)).guarded_by(&self.0);
                guarded.flatten_err().call_once()
            }
        }

        impl Polled for $Name {
            type Error = ApiError;
            type Caller = CircuitBreaker;
            fn new(setup: Setup) -> Option<Self> {
                $settings(setup).build().ok().map(Self)
            }
            fn caller(&self) -> CircuitBreaker {
                self.0.clone()
            }
            #[inline]
            fn call(
                caller: &mut CircuitBreaker,
                job: Job,
            ) -> impl Future<Output = Result<u64, ApiError>> {
                bare(job).guarded_by(&*caller).flatten_err()
            }
        }
    };
}
by_hand!(PlainByHand, ours::settings);
by_hand!(LeanByHand, ours::lean);
