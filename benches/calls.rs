//! Every kind of call, in every state, under every rule, on one thread and on two.
#![allow(missing_docs)]

mod support;

use breakerbox::prelude::*;
use divan::Bencher;
use support::{CALLS, Case, Failure, NAME, Work, cases, poll, work, work_later};

fn main() {
    divan::main();
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn future(bencher: Bencher<'_, '_>, case: Case) {
    let breaker = &case.stage().breaker;
    let calls = bencher.with_inputs(|| case.order());
    calls.bench_values(|order| poll(Work(order).guarded_by(breaker)));
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn async_function(bencher: Bencher<'_, '_>, case: Case) {
    let stage = case.stage();
    let guarded = work_later.guarded_by(&stage.breaker);
    let calls = bencher.with_inputs(|| case.order());
    calls.bench_values(|order| poll(guarded.call(order)));
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn function(bencher: Bencher<'_, '_>, case: Case) {
    let stage = case.stage();
    let guarded = work.guarded_by(&stage.breaker);
    let calls = bencher.with_inputs(|| case.order());
    calls.bench_values(|order| guarded.call(order));
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn handle(bencher: Bencher<'_, '_>, case: Case) {
    let breaker = &case.stage().breaker;
    let calls = bencher.with_inputs(|| case.order());
    calls.bench_values(|order| breaker.call(|| work(order)));
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn permit(bencher: Bencher<'_, '_>, case: Case) {
    let breaker = &case.stage().breaker;
    let calls = bencher.with_inputs(|| case.order());
    calls.bench_values(|order| {
        let permit = breaker.try_acquire()?;
        permit.record_result(&work(order));
        Ok::<_, CircuitOpen>(())
    });
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn by_name(bencher: Bencher<'_, '_>, case: Case) {
    let registry = &case.stage().registry;
    let calls = bencher.with_inputs(|| case.order());
    calls.bench_values(|order| poll(Work(order).with_breaker(registry, NAME)));
}

/// Always uses one breaker, because a call site is fastest for its first breaker.
#[circuit(name = "users-api")]
async fn decorated_later(order: u64) -> Result<u64, Failure> {
    work_later(order).await
}

#[circuit(name = "users-api")]
fn decorated(order: u64) -> Result<u64, Failure> {
    work(order)
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn circuit_async(bencher: Bencher<'_, '_>, case: Case) {
    let _stage = case.stage_in(BreakerRegistry::global());
    let calls = bencher.with_inputs(|| case.order());
    calls.bench_values(|order| poll(decorated_later(order)));
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn circuit(bencher: Bencher<'_, '_>, case: Case) {
    let _stage = case.stage_in(BreakerRegistry::global());
    let calls = bencher.with_inputs(|| case.order());
    calls.bench_values(decorated);
}

/// The work of the other benchmarks, without a breaker.
#[divan::bench(threads = [1, 2], sample_size = CALLS)]
fn bare(bencher: Bencher<'_, '_>) {
    let case = Case(support::Scene::Closed, support::Rule::Consecutive);
    let calls = bencher.with_inputs(|| case.order());
    calls.bench_values(|order| poll(Work(order)));
}
