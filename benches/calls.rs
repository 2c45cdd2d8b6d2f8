//! Calls through every API, in every state, under every rule, on one and two threads.
#![allow(missing_docs)]

mod support;

use breakerbox::prelude::*;
use divan::Bencher;
use support::{CALLS, Case, Failure, NAME, Work, async_work, cases, poll, work};

fn main() {
    divan::main();
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn future(bencher: Bencher<'_, '_>, case: Case) {
    let breaker = &case.stage().breaker;
    let calls = bencher.with_inputs(|| case.input());
    calls.bench_values(|input| poll(Work(input).guarded_by(breaker)));
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn async_function(bencher: Bencher<'_, '_>, case: Case) {
    let stage = case.stage();
    let guarded = async_work.guarded_by(&stage.breaker);
    let calls = bencher.with_inputs(|| case.input());
    calls.bench_values(|input| poll(guarded.call(input)));
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn function(bencher: Bencher<'_, '_>, case: Case) {
    let stage = case.stage();
    let guarded = work.guarded_by(&stage.breaker);
    let calls = bencher.with_inputs(|| case.input());
    calls.bench_values(|input| guarded.call(input));
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn handle(bencher: Bencher<'_, '_>, case: Case) {
    let breaker = &case.stage().breaker;
    let calls = bencher.with_inputs(|| case.input());
    calls.bench_values(|input| breaker.call(|| work(input)));
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn permit(bencher: Bencher<'_, '_>, case: Case) {
    let breaker = &case.stage().breaker;
    let calls = bencher.with_inputs(|| case.input());
    calls.bench_values(|input| {
        let permit = breaker.try_acquire()?;
        permit.record_result(&work(input));
        Ok::<_, CircuitOpen>(())
    });
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn by_name(bencher: Bencher<'_, '_>, case: Case) {
    let registry = &case.stage().registry;
    let calls = bencher.with_inputs(|| case.input());
    calls.bench_values(|input| poll(Work(input).with_breaker(registry, NAME)));
}

/// Guarded by one breaker in all cases, because a call site caches only its first breakers.
#[circuit(name = "users-api")]
async fn decorated_async(input: u64) -> Result<u64, Failure> {
    async_work(input).await
}

#[circuit(name = "users-api")]
fn decorated(input: u64) -> Result<u64, Failure> {
    work(input)
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn circuit_async(bencher: Bencher<'_, '_>, case: Case) {
    let _stage = case.stage_in(BreakerRegistry::global());
    let calls = bencher.with_inputs(|| case.input());
    calls.bench_values(|input| poll(decorated_async(input)));
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn circuit(bencher: Bencher<'_, '_>, case: Case) {
    let _stage = case.stage_in(BreakerRegistry::global());
    let calls = bencher.with_inputs(|| case.input());
    calls.bench_values(decorated);
}

/// The same work without a breaker.
#[divan::bench(threads = [1, 2], sample_size = CALLS)]
fn bare(bencher: Bencher<'_, '_>) {
    let case = Case(support::Scene::Closed, support::Rule::Consecutive);
    let calls = bencher.with_inputs(|| case.input());
    calls.bench_values(|input| poll(Work(input)));
}
