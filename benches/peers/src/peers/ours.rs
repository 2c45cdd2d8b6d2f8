//! breakerbox, twice: as it comes, and with the setting that suits the load.

use super::{Blocking, MINUTE, OPEN_FOR, Polled, Refusable, Rule, SECOND, Setup};
use crate::job::{Failure, Job, Worked};
use crate::through::{Inner, through};
use breakerbox::prelude::*;
use breakerbox::tower::{Breaker, BreakerLayer};
use tower::Layer;

/// As it comes.
pub struct Plain(pub CircuitBreaker);

/// Without what the load would pay for: the total of successes where nothing fails, the text of the
/// last failure where something does.
pub struct Lean(pub CircuitBreaker);

/// The tower service, as it comes.
pub struct PlainService(Breaker<Inner>);

/// The tower service with the breaker of [`Lean`].
pub struct LeanService(Breaker<Inner>);

pub fn settings(setup: Setup) -> BreakerBuilder {
    let builder = CircuitBreaker::builder().recovery_timeout(OPEN_FOR);
    let calls = Window::calls(100);
    match setup.rule {
        Rule::Consecutive => builder,
        Rule::CountWindow => builder.trip_when(TripRule::failure_rate(0.5).over(calls)),
        Rule::TimeWindow => {
            builder.trip_when(TripRule::failure_rate(0.5).over(Window::time(MINUTE)))
        }
        Rule::SlowCalls => {
            builder.trip_when(TripRule::slow_calls(0.5).slower_than(SECOND).over(calls))
        }
    }
}

pub fn lean(setup: Setup) -> BreakerBuilder {
    if setup.failing {
        settings(setup).capture_last_failure(false)
    } else {
        settings(setup).count_successes(false)
    }
}

impl Refusable for BreakerError<Failure> {
    fn is_refusal(&self) -> bool {
        self.is_open()
    }
}

macro_rules! ours {
    ($Ours:ident, $Service:ident, $settings:ident) => {
        impl Blocking for $Ours {
            type Error = BreakerError<Failure>;
            fn new(setup: Setup) -> Option<Self> {
                $settings(setup).build().ok().map(Self)
            }
            #[inline]
            fn call(&self, work: impl FnOnce() -> Worked) -> Result<u64, Self::Error> {
                self.0.call(work)
            }
        }

        impl Polled for $Ours {
            type Error = BreakerError<Failure>;
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
            ) -> impl Future<Output = Result<u64, Self::Error>> {
                job.guarded_by(&*caller)
            }
        }

        impl Polled for $Service {
            type Error = BreakerError<Failure>;
            type Caller = Breaker<Inner>;
            fn new(setup: Setup) -> Option<Self> {
                let breaker = $settings(setup).build().ok()?;
                Some(Self(BreakerLayer::new(breaker).layer(Inner)))
            }
            fn caller(&self) -> Breaker<Inner> {
                self.0.clone()
            }
            #[inline]
            fn call(
                caller: &mut Breaker<Inner>,
                job: Job,
            ) -> impl Future<Output = Result<u64, Self::Error>> {
                through(caller, job)
            }
        }
    };
}
ours!(Plain, PlainService, settings);
ours!(Lean, LeanService, lean);
