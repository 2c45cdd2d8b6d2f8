//! breakerbox with default settings, and the reference for each case.

use crate::case::{Call, Case, Rule};
use crate::loops::{
    CallLoop, FAILS, Failure, async_calls, async_work, leak, service_calls, sync_calls, work,
};
use crate::peers::{MINUTE, OPEN_FOR};
use breakerbox::prelude::*;
use breakerbox::tower::BreakerLayer;
use std::hint::black_box;
use std::sync::LazyLock;
use tower::{Layer, service_fn};

/// Returns loops of unguarded calls. For `#[circuit]`, the reference is a function with a
/// hand-written guard.
pub fn reference(case: &Case) -> Vec<CallLoop> {
    static BREAKER: LazyLock<CircuitBreaker> =
        LazyLock::new(|| BreakerRegistry::global().breaker("by hand"));
    match case.call {
        Call::Sync => sync_calls(work),
        Call::Async => async_calls(async_work),
        Call::Permit => Vec::new(),
        Call::Service | Call::ClonedService => service_calls(case, service_fn(async_work)),
        Call::ByName(count) => {
            let mut names = names(count);
            async_calls(move |input| {
                black_box(names.next());
                async_work(input)
            })
        }
        Call::Circuit => sync_calls(|input| {
            let guarded = (|| work(input)).guarded_by(&*BREAKER);
            guarded.flatten_err().call_once()
        }),
        Call::AsyncCircuit => async_calls(async |input| {
            let guarded = async { async_work(input).await }.guarded_by(&*BREAKER);
            guarded.flatten_err().await
        }),
    }
}

pub fn guarded(case: &Case) -> Vec<CallLoop> {
    let half = TripRule::failure_rate(0.5);
    let builder = CircuitBreaker::builder().recovery_timeout(OPEN_FOR);
    let builder = match case.rule {
        Rule::Consecutive => builder,
        Rule::Calls => builder.trip_when(half.over(Window::calls(100))),
        Rule::Time => builder.trip_when(half.over(Window::time(MINUTE))),
    };
    let breaker = leak(builder.build().expect("valid settings"));
    match case.call {
        Call::Sync => sync_calls(|input| breaker.call(|| work(input))),
        Call::Async => async_calls(move |input| async_work(input).guarded_by(breaker)),
        Call::Permit => sync_calls(|input| {
            if let Ok(permit) = black_box(breaker.try_acquire()) {
                match input {
                    FAILS => permit.failure(),
                    _ => permit.success(),
                }
                Ok(())
            } else {
                Err(())
            }
        }),
        Call::Service | Call::ClonedService => {
            let layer = BreakerLayer::new(breaker.clone());
            service_calls(case, layer.layer(service_fn(async_work)))
        }
        Call::ByName(count) => {
            let (registry, mut names) = (leak(BreakerRegistry::new()), names(count));
            async_calls(move |input| {
                let name = black_box(names.next().unwrap_or_default());
                async_work(input).with_breaker(registry, name)
            })
        }
        Call::Circuit => sync_calls(decorated),
        Call::AsyncCircuit => async_calls(decorated_async),
    }
}

/// Cycles through `count` names.
fn names(count: usize) -> impl Iterator<Item = &'static str> + Clone + Send {
    let names: Vec<String> = (0..count).map(|n| format!("tenant:{n:04}")).collect();
    leak(names).iter().map(String::as_str).cycle()
}

#[circuit]
#[inline]
fn decorated(input: u64) -> Result<u64, Failure> {
    work(input)
}

#[circuit]
#[inline]
async fn decorated_async(input: u64) -> Result<u64, Failure> {
    async_work(input).await
}
