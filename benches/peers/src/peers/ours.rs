//! breakerbox with its default settings, and the calls that it is compared with.

use super::{Kind, Load, Loops, MINUTE, OPEN_FOR, Rule, loops, through};
use crate::work::{Work, Worked, work};
use breakerbox::prelude::*;
use breakerbox::tower::BreakerLayer;
use std::hint::black_box;
use std::iter::Cycle;
use std::slice::Iter;
use std::sync::LazyLock;
use tower::{Layer, service_fn};

/// A bare call, or for `#[circuit]` a function with a hand-written guard.
pub fn reference(load: Load) -> Loops {
    loops! { load,
        Sync: () => [|_none, input| work(input)],
        Async: () => [async |_none, work| work],
        Service: service_fn(|work: Work| work) => [async |service, work| through(service, work)],
        OneName: names(1) => [async |names, work| { black_box(names.next()); work }],
        ThousandNames: names(1000) => [async |names, work| { black_box(names.next()); work }],
        Circuit: () => [|_none, input| by_hand(input)],
        AsyncCircuit: () => [async |_none, work| by_hand_async(work.0)],
    }
}

pub fn loops(load: Load) -> Loops {
    let half = TripRule::failure_rate(0.5);
    let builder = CircuitBreaker::builder().recovery_timeout(OPEN_FOR);
    let builder = match load.rule {
        Rule::Consecutive => builder,
        Rule::Calls => builder.trip_when(half.over(Window::calls(100))),
        Rule::Time => builder.trip_when(half.over(Window::time(MINUTE))),
    };
    let breaker = builder.build().expect("valid settings");
    let service = BreakerLayer::new(breaker.clone()).layer(service_fn(|work: Work| work));
    let (one, thousand) = [1, 1000]
        .map(|count| (BreakerRegistry::new(), names(count)))
        .into();
    loops! { load,
        Sync: breaker => [|breaker, input| breaker.call(|| work(input))],
        Async: breaker => [async |breaker, work| work.guarded_by(&*breaker)],
        Permit: breaker => [|breaker, _input| {
            if let Ok(permit) = black_box(breaker.try_acquire()) {
                permit.success();
                Ok(())
            } else {
                Err(())
            }
        }],
        Service: service => [async |service, work| through(service, work)],
        OneName: one => [async |own, work| work.with_breaker(&own.0, black_box(own.1.next().map_or("", |name| name)))],
        ThousandNames: thousand => [async |own, work| work.with_breaker(&own.0, black_box(own.1.next().map_or("", |name| name)))],
        Circuit: () => [|_none, input| decorated(input)],
        AsyncCircuit: () => [async |_none, work| decorated_async(work.0)],
    }
}

/// Names in turn.
fn names(count: usize) -> Cycle<Iter<'static, String>> {
    let names: Vec<String> = (0..count).map(|n| format!("tenant:{n:04}")).collect();
    names.leak().iter().cycle()
}

#[circuit]
#[inline]
fn decorated(input: u64) -> Worked {
    work(input)
}

#[circuit]
#[inline]
async fn decorated_async(input: u64) -> Worked {
    Work(input).await
}

static BY_HAND: LazyLock<CircuitBreaker> =
    LazyLock::new(|| BreakerRegistry::global().breaker("by hand"));

#[inline]
fn by_hand(input: u64) -> Worked {
    let guarded = (|| work(input)).guarded_by(&*BY_HAND);
    guarded.flatten_err().call_once()
}

#[inline]
async fn by_hand_async(input: u64) -> Worked {
    let guarded = async { Work(input).await }.guarded_by(&*BY_HAND);
    guarded.flatten_err().await
}
