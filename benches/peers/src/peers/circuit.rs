//! `#[circuit]`, the same by hand, and the bare function. What it returns is the function's own error
//! type, so all of them have one that a refusal can become.

use super::{Blocking, Polled, Refusable, Setup};
use crate::job::{Failure, Job, Worked};
use breakerbox::prelude::*;
use std::sync::OnceLock;

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

/// Made once, by the first call; what `#[circuit]` keeps at its place.
fn kept(slot: &'static OnceLock<CircuitBreaker>, lean: bool) -> &'static CircuitBreaker {
    slot.get_or_init(|| {
        let settings = CircuitBreaker::builder().count_successes(!lean);
        settings.build().expect("settings that work")
    })
}

/// The bare functions, guarded by handles that are kept.
macro_rules! by_hand {
    ($sync:ident, $later:ident, $lean:literal) => {
        #[inline]
        fn $sync(work: impl FnOnce() -> Worked) -> Result<u64, ApiError> {
            static KEPT: OnceLock<CircuitBreaker> = OnceLock::new();
            let guarded = (|| bare_sync(work)).guarded_by(kept(&KEPT, $lean));
            guarded.flatten_err().call_once()
        }

        #[inline]
        async fn $later(job: Job) -> Result<u64, ApiError> {
            static KEPT: OnceLock<CircuitBreaker> = OnceLock::new();
            let guarded = bare(job).guarded_by(kept(&KEPT, $lean));
            guarded.flatten_err().await
        }
    };
}
by_hand!(plain_sync_by_hand, plain_by_hand, false);
by_hand!(lean_sync_by_hand, lean_by_hand, true);

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
functions!(PlainByHand, plain_sync_by_hand, plain_by_hand);
functions!(LeanByHand, lean_sync_by_hand, lean_by_hand);
