//! The choice among three breakers, next to a permit of one breaker.
#![allow(missing_docs)]

use breakerbox::prelude::*;
use divan::Bencher;
use std::time::Duration;

/// The number of calls per sample.
const CALLS: u32 = 10_000;

const HOUR: Duration = Duration::from_secs(3600);
const NAMES: [&str; 3] = ["eu", "us", "asia"];

fn main() {
    divan::main();
}

/// Returns a registry with three breakers, of which the first `open` are open.
fn providers(open: usize) -> (BreakerRegistry, [CircuitBreaker; 3]) {
    let registry = BreakerRegistry::new();
    let providers = NAMES.map(|name| registry.breaker(name));
    for provider in &providers[..open] {
        provider.trip_for(HOUR);
    }
    (registry, providers)
}

#[divan::bench(threads = [1, 2], sample_size = CALLS)]
fn permit(bencher: Bencher<'_, '_>) {
    let (_, [breaker, ..]) = providers(0);
    bencher.bench(|| breaker.try_acquire().map(Permit::success));
}

#[divan::bench(args = [0, 1, 2, 3], threads = [1, 2], sample_size = CALLS)]
fn first_of_three(bencher: Bencher<'_, '_>, open: usize) {
    let (_, providers) = providers(open);
    bencher.bench(|| first_ready(&providers).map(|(_, permit)| permit.success()));
}

#[divan::bench(args = [0, 1, 2, 3], threads = [1, 2], sample_size = CALLS)]
fn first_of_three_by_name(bencher: Bencher<'_, '_>, open: usize) {
    let (registry, _providers) = providers(open);
    bencher.bench(|| {
        registry
            .first_ready(NAMES)
            .map(|(_, permit)| permit.success())
    });
}
