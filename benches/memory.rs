//! Memory and creation time of a breaker. The bytes of one iteration are the bytes of one breaker.
#![allow(missing_docs)]

use breakerbox::prelude::*;
use divan::{AllocProfiler, Bencher};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn build(rule: TripRule) -> CircuitBreaker {
    let builder = CircuitBreaker::builder().trip_when(rule);
    builder.build().expect("valid settings")
}

#[divan::bench(sample_size = 100)]
fn default_rule() -> CircuitBreaker {
    let built = CircuitBreaker::builder().build();
    built.expect("the default settings are valid")
}

#[divan::bench(args = [10, 100, 10_000], sample_size = 100)]
fn window_of_calls(calls: u32) -> CircuitBreaker {
    build(TripRule::failure_rate(0.5).over(Window::calls(calls)))
}

#[divan::bench(args = [10, 60], sample_size = 100)]
fn window_of_time(buckets: u32) -> CircuitBreaker {
    let minute = Window::time(Duration::from_secs(60));
    build(TripRule::failure_rate(0.5).over(minute.buckets(buckets)))
}

/// Measures a breaker in a registry, which shares settings between breakers. Names are 12 bytes
/// long.
#[divan::bench(sample_size = 100)]
fn by_name(bencher: Bencher<'_, '_>) {
    let settings = BreakerRegistry::builder().capacity(10_000_000);
    let registry = settings.build().expect("valid settings");
    let mut count = 0_u64;
    let names = bencher.with_inputs(|| {
        count += 1;
        format!("user:{count:07}")
    });
    names.bench_local_refs(|name| drop(registry.breaker(name)));
}
