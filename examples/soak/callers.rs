//! Callers: tasks and threads that use every kind of guarded call.

use crate::call_counts::Ending;
use crate::dependency::{Answer, Dependency, Failure, StateBefore, panic_quietly};
use breakerbox::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The time limit of a call.
pub(crate) const LIMIT: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_millis(1);
const TENANTS: usize = 1_000;

pub(crate) struct Load {
    dependencies: &'static [Dependency],
    /// A registry of small capacity, for an unbounded number of names.
    tenants: BreakerRegistry,
    tenant: AtomicU64,
    stopped: AtomicBool,
}

impl Load {
    pub(crate) fn new(dependencies: &'static [Dependency]) -> anyhow::Result<Self> {
        Ok(Self {
            dependencies,
            tenants: BreakerRegistry::builder().capacity(TENANTS).build()?,
            tenant: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        })
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, SeqCst);
    }

    fn dependency(&self) -> &'static Dependency {
        &self.dependencies[fastrand::usize(..self.dependencies.len())]
    }

    pub(crate) async fn call_from_task(self: Arc<Self>) {
        while !self.stopped.load(SeqCst) {
            let dependency = self.dependency();
            let before = dependency.before();
            let may_abort = fastrand::u32(0..16) == 0;
            let call = tokio::spawn(call_async(dependency, before, may_abort));
            if may_abort {
                sleep(PAUSE).await;
                call.abort();
            }
            // The call was aborted or panicked. If it began, the dependency has counted it.
            let Ok(Some(Err(error))) = call.await else {
                continue;
            };
            if let Some(pause) = pause(dependency, &error) {
                sleep(pause).await;
            }
        }
    }

    pub(crate) fn call_from_thread(&self) {
        while !self.stopped.load(SeqCst) {
            self.call_tenant();
            let dependency = self.dependency();
            let before = dependency.before();
            let call = AssertUnwindSafe(|| call_sync(dependency, before));
            let Ok(Err(error)) = catch_unwind(call) else {
                continue;
            };
            if let Some(pause) = pause(dependency, &error) {
                thread::sleep(pause);
            }
        }
    }

    fn call_tenant(&self) {
        let name = format!("tenant:{}", self.tenant.fetch_add(1, SeqCst));
        let fail = || Err::<(), _>("no such tenant");
        assert!(fail.with_breaker(&self.tenants, name).call().is_err());
    }
}

/// Counts what only the caller sees, and returns how long to wait before the next call.
fn pause(dependency: &Dependency, error: &Failure) -> Option<Duration> {
    match error {
        Failure::Circuit(BreakerError::Open(open)) => {
            dependency.counts.refuse(open);
            Some(match open.reason() {
                Refusal::Open => open.retry_after().unwrap_or(PAUSE),
                _ => PAUSE,
            })
        }
        Failure::Circuit(BreakerError::TimedOut(_)) => {
            dependency.counts.time_out();
            None
        }
        _ => None,
    }
}

/// Makes a call of a random kind. Returns `None` if the caller's timeout elapsed.
///
/// If `may_abort` is set, the call never uses the breaker's timeout: the dependency could not
/// distinguish an abort from a timeout.
async fn call_async(
    dependency: &'static Dependency,
    before: StateBefore,
    may_abort: bool,
) -> Option<Answer> {
    let breaker = &dependency.breaker;
    let answer = || dependency.answer(before, Ending::Cancelled);
    let result = match fastrand::u32(u32::from(may_abort)..9) {
        0 => {
            let call = dependency
                .answer(before, Ending::Failure)
                .guarded_by(breaker);
            Ok(call.timeout(LIMIT).flatten_err().await)
        }
        1 => {
            let call = answer().with_breaker(dependency.registry, dependency.name());
            timeout(LIMIT, call.flatten_err()).await
        }
        2 => timeout(LIMIT, answer().guarded_by(breaker).flatten_err()).await,
        3 => {
            let fallback = async |open| Err(BreakerError::Open(open).into());
            timeout(LIMIT, answer().guarded_by(breaker).fallback(fallback)).await
        }
        4 => {
            let function = (|before, end| dependency.answer(before, end)).guarded_by(breaker);
            timeout(
                LIMIT,
                function.flatten_err().call(before, Ending::Cancelled),
            )
            .await
        }
        5 => timeout(LIMIT, decorated(dependency, before)).await,
        6 => timeout(LIMIT, with_permit(dependency, before)).await,
        7 => {
            let ready = async {
                let permit = breaker.until_ready().await;
                work_with(permit, dependency, before).await
            };
            timeout(LIMIT, ready).await
        }
        _ => {
            let work = async {
                dependency
                    .begin_call(before, Ending::Cancelled)
                    .end_as(Ending::Ignored);
                Ok::<_, Failure>(42)
            };
            let call = work.guarded_by(breaker).classify(|_| panic_quietly());
            Ok(call.flatten_err().await)
        }
    };
    result.ok()
}

async fn with_permit(dependency: &'static Dependency, before: StateBefore) -> Answer {
    let permit = dependency
        .breaker
        .try_acquire()
        .map_err(BreakerError::Open)?;
    work_with(permit, dependency, before).await
}

/// Records the result with the permit. A panic and a cancellation both drop the permit.
async fn work_with(permit: Permit, dependency: &'static Dependency, before: StateBefore) -> Answer {
    let result = dependency.answer_unguarded(before).await;
    permit.record_result(&result);
    result
}

fn call_sync(dependency: &'static Dependency, before: StateBefore) -> Answer {
    let breaker = &dependency.breaker;
    match fastrand::u32(0..5) {
        0 => breaker
            .call(|| dependency.answer_sync(before))
            .map_err(BreakerError::flatten),
        1 => {
            let function = (|before| dependency.answer_sync(before)).guarded_by(breaker);
            function.flatten_err().call(before)
        }
        2 => decorated_sync(dependency, before),
        3 => {
            let permit = breaker.try_acquire().map_err(BreakerError::Open)?;
            // A dropped permit is a cancelled call.
            dependency
                .begin_call(before, Ending::Cancelled)
                .end_as(Ending::Cancelled);
            drop(permit);
            Ok(42)
        }
        _ => {
            let work = || {
                dependency
                    .begin_call(before, Ending::Cancelled)
                    .end_as(Ending::Ignored);
                Err::<u64, _>(Failure::Down)
            };
            work.guarded_by(breaker)
                .fail_if(|_: &Failure| -> bool { panic_quietly() })
                .flatten_err()
                .call()
        }
    }
}

#[circuit(name = dependency.name(), registry = dependency.registry)]
async fn decorated(dependency: &'static Dependency, before: StateBefore) -> Answer {
    dependency.answer(before, Ending::Cancelled).await
}

#[circuit(name = dependency.name(), registry = dependency.registry)]
fn decorated_sync(dependency: &'static Dependency, before: StateBefore) -> Answer {
    dependency.answer_sync(before)
}
