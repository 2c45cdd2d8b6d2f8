//! Lookup, creation, eviction and iteration.
#![allow(missing_docs)]

use breakerbox::prelude::*;
use divan::Bencher;
use std::cell::Cell;

fn main() {
    divan::main();
}

const NAMES: [usize; 3] = [1, 100, 10_000];

/// Large enough that two threads overlap during nearly the whole sample.
const LOOKUPS: u32 = 10_000;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("tenant:{n:05}")).collect()
}

fn filled(names: &[String]) -> BreakerRegistry {
    let registry = BreakerRegistry::new();
    for name in names {
        registry.breaker(name);
    }
    assert_eq!(registry.len(), names.len());
    registry
}

/// Returns the next name for this thread.
fn next(names: &[String]) -> &str {
    thread_local!(static TURN: Cell<usize> = const { Cell::new(0) });
    let turn = TURN.get();
    TURN.set(turn + 1);
    &names[turn % names.len()]
}

#[divan::bench(args = NAMES, threads = [1, 2], sample_size = LOOKUPS)]
fn breaker(bencher: Bencher<'_, '_>, count: usize) {
    let names = names(count);
    let registry = filled(&names);
    let lookups = bencher.with_inputs(|| next(&names));
    lookups.bench_values(|name| registry.breaker(name));
}

#[divan::bench(args = NAMES, threads = [1, 2], sample_size = LOOKUPS)]
fn get(bencher: Bencher<'_, '_>, count: usize) {
    let names = names(count);
    let registry = filled(&names);
    let lookups = bencher.with_inputs(|| next(&names));
    lookups.bench_values(|name| registry.get(name));
}

/// Measures the lookup of `with_breaker` without a call. The future is dropped unpolled.
#[divan::bench(args = NAMES, threads = [1, 2], sample_size = LOOKUPS)]
fn with_breaker(bencher: Bencher<'_, '_>, count: usize) {
    let names = names(count);
    let registry = filled(&names);
    let lookups = bencher.with_inputs(|| next(&names));
    lookups.bench_values(|name| {
        drop(std::future::ready(Ok::<(), ()>(())).with_breaker(&registry, name));
    });
}

/// Measures creating a breaker with a new name and removing it.
#[divan::bench(threads = [1, 2], sample_size = 1000)]
fn make_and_remove(bencher: Bencher<'_, '_>) {
    let registry = BreakerRegistry::new();
    thread_local!(static NAME: String = format!("{:?}", std::thread::current().id()));
    bencher.bench(|| NAME.with(|name| (registry.breaker(name), registry.remove(name))));
}

/// Measures creating breakers in a full registry, where each new breaker evicts another one.
#[divan::bench(sample_size = 100)]
fn make_when_full(bencher: Bencher<'_, '_>) {
    let registry = BreakerRegistry::builder().capacity(1000).build();
    let registry = registry.expect("valid settings");
    let mut count = 0_u64;
    let fresh = bencher.with_inputs(|| {
        count += 1;
        format!("user:{count}")
    });
    fresh.bench_local_refs(|name| registry.breaker(name));
}

#[divan::bench(args = NAMES)]
fn all_closed(bencher: Bencher<'_, '_>, count: usize) {
    let registry = filled(&names(count));
    bencher.bench(|| registry.all_closed());
}

#[divan::bench(args = NAMES)]
fn iterate(bencher: Bencher<'_, '_>, count: usize) {
    let registry = filled(&names(count));
    bencher.bench(|| registry.iter().map(|breaker| breaker.failure_count()).max());
}
