//! Callers: tasks and threads that use every kind of guarded call.

use crate::books::End;
use crate::site::{Answer, Before, Failure, Site, panic_quietly};
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
    sites: &'static [Site],
    /// A registry of small capacity, for an unbounded number of names.
    tenants: BreakerRegistry,
    tenant: AtomicU64,
    over: AtomicBool,
}

impl Load {
    pub(crate) fn new(sites: &'static [Site]) -> anyhow::Result<Self> {
        Ok(Self {
            sites,
            tenants: BreakerRegistry::builder().capacity(TENANTS).build()?,
            tenant: AtomicU64::new(0),
            over: AtomicBool::new(false),
        })
    }

    pub(crate) fn end(&self) {
        self.over.store(true, SeqCst);
    }

    fn site(&self) -> &'static Site {
        &self.sites[fastrand::usize(..self.sites.len())]
    }

    pub(crate) async fn call_from_a_task(self: Arc<Self>) {
        while !self.over.load(SeqCst) {
            let site = self.site();
            let before = site.before();
            let hasty = fastrand::u32(0..16) == 0;
            let call = tokio::spawn(call_async(site, before, hasty));
            if hasty {
                sleep(PAUSE).await;
                call.abort();
            }
            // The call was aborted or panicked. If it began, the dependency has counted it.
            let Ok(Some(Err(error))) = call.await else {
                continue;
            };
            if let Some(pause) = pause(site, &error) {
                sleep(pause).await;
            }
        }
    }

    pub(crate) fn call_from_a_thread(&self) {
        while !self.over.load(SeqCst) {
            self.call_a_tenant();
            let site = self.site();
            let before = site.before();
            let call = AssertUnwindSafe(|| call_now(site, before));
            let Ok(Err(error)) = catch_unwind(call) else {
                continue;
            };
            if let Some(pause) = pause(site, &error) {
                thread::sleep(pause);
            }
        }
    }

    fn call_a_tenant(&self) {
        let name = format!("tenant:{}", self.tenant.fetch_add(1, SeqCst));
        let fail = || Err::<(), _>("no such tenant");
        assert!(fail.with_breaker(&self.tenants, name).call().is_err());
    }
}

/// Counts what only the caller sees, and returns how long to wait before the next call.
fn pause(site: &Site, error: &Failure) -> Option<Duration> {
    match error {
        Failure::Circuit(BreakerError::Open(open)) => {
            site.books.refuse(open);
            Some(match open.reason() {
                Refusal::Open => open.retry_after().unwrap_or(PAUSE),
                _ => PAUSE,
            })
        }
        Failure::Circuit(BreakerError::TimedOut(_)) => {
            site.books.time_out();
            None
        }
        _ => None,
    }
}

/// Makes a call of a random kind. Returns `None` if the caller's timeout elapsed.
///
/// A `hasty` call may be aborted, and never uses the breaker's timeout: the dependency could not
/// distinguish the two.
async fn call_async(site: &'static Site, before: Before, hasty: bool) -> Option<Answer> {
    let breaker = &site.breaker;
    let answer = || site.answer(before, End::Cancelled);
    let given_up = match fastrand::u32(u32::from(hasty)..9) {
        0 => {
            let call = site.answer(before, End::Failure).guarded_by(breaker);
            Ok(call.timeout(LIMIT).flatten_err().await)
        }
        1 => {
            let call = answer().with_breaker(site.registry, site.name());
            timeout(LIMIT, call.flatten_err()).await
        }
        2 => timeout(LIMIT, answer().guarded_by(breaker).flatten_err()).await,
        3 => {
            let instead = async |open| Err(BreakerError::Open(open).into());
            timeout(LIMIT, answer().guarded_by(breaker).fallback(instead)).await
        }
        4 => {
            let function = (|before, end| site.answer(before, end)).guarded_by(breaker);
            timeout(LIMIT, function.flatten_err().call(before, End::Cancelled)).await
        }
        5 => timeout(LIMIT, decorated(site, before)).await,
        6 => timeout(LIMIT, with_permit(site, before)).await,
        7 => {
            let ready = async {
                let permit = breaker.until_ready().await;
                work_with(permit, site, before).await
            };
            timeout(LIMIT, ready).await
        }
        _ => {
            let judged = async {
                site.visit(before, End::Cancelled).end_as(End::Ignored);
                Ok::<_, Failure>(42)
            };
            let call = judged.guarded_by(breaker).classify(|_| panic_quietly());
            Ok(call.flatten_err().await)
        }
    };
    given_up.ok()
}

async fn with_permit(site: &'static Site, before: Before) -> Answer {
    let permit = site.breaker.try_acquire().map_err(BreakerError::Open)?;
    work_with(permit, site, before).await
}

/// Records the result with the permit. A panic and a cancellation both drop the permit.
async fn work_with(permit: Permit, site: &'static Site, before: Before) -> Answer {
    let result = site.answer_unguarded(before).await;
    permit.record_result(&result);
    result
}

fn call_now(site: &'static Site, before: Before) -> Answer {
    let breaker = &site.breaker;
    match fastrand::u32(0..5) {
        0 => breaker
            .call(|| site.answer_now(before))
            .map_err(BreakerError::flatten),
        1 => {
            let function = (|before| site.answer_now(before)).guarded_by(breaker);
            function.flatten_err().call(before)
        }
        2 => decorated_now(site, before),
        3 => {
            let permit = breaker.try_acquire().map_err(BreakerError::Open)?;
            // A dropped permit is a cancelled call.
            site.visit(before, End::Cancelled).end_as(End::Cancelled);
            drop(permit);
            Ok(42)
        }
        _ => {
            let judged = || {
                site.visit(before, End::Cancelled).end_as(End::Ignored);
                Err::<u64, _>(Failure::Down)
            };
            judged
                .guarded_by(breaker)
                .fail_if(|_: &Failure| -> bool { panic_quietly() })
                .flatten_err()
                .call()
        }
    }
}

#[circuit(name = site.name(), registry = site.registry)]
async fn decorated(site: &'static Site, before: Before) -> Answer {
    site.answer(before, End::Cancelled).await
}

#[circuit(name = site.name(), registry = site.registry)]
fn decorated_now(site: &'static Site, before: Before) -> Answer {
    site.answer_now(before)
}
