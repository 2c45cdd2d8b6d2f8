//! Ten thousand tasks on several threads. Some are aborted, raced, time out or panic.

use super::dependencies::{
    CallCounts, Dependency, End, Failed, TICK, assert_totals_match, dependencies,
};
use super::*;
use breakerbox::{CircuitOpen, Permit};
use fastrand::Rng;
use std::panic::resume_unwind;
use tokio::runtime;
use tokio::task::{JoinHandle, yield_now};

const TASKS: u64 = 10_000;
/// The most times that a task yields before its call, so that the clock advances between calls.
const SPREAD: u16 = 120;

/// Counts how often tasks have yielded. The clock advances with this count.
static YIELDS: AtomicU64 = AtomicU64::new(0);
const YIELDS_PER_TICK: u32 = 1_000;

pub(crate) async fn yield_times(times: impl Into<u16>) {
    for _ in 0..times.into() {
        count(&YIELDS);
        yield_now().await;
    }
}

/// Makes one call of a random kind. Its guarded code may be dropped at any yield.
async fn call(
    dependency: Arc<Dependency>,
    runs: Arc<AtomicU64>,
    registry: BreakerRegistry,
    mut rng: Rng,
) {
    let end = [End::Ok, End::Ok, End::Ok, End::Err, End::Err, End::Panic][rng.usize(0..6)];
    let yields = rng.u8(0..4);
    let work = dependency.clone().work(runs.clone(), end, yields);
    let (target, run_count) = (dependency.clone(), runs.clone());
    match rng.u8(0..6) {
        0 => target.record_result(&work.with_breaker(&registry, target.name).await, &run_count),
        1 => target.record_result(&work.guarded_by(&target.breaker).await, &run_count),
        2 => {
            // The future that finishes first drops the other one.
            let competitor = yield_times(rng.u8(0..4));
            tokio::select! {
                biased;
                result = work.guarded_by(&target.breaker) => target.record_result(&result, &run_count),
                () = competitor => target.record_dropped(&run_count),
            }
        }
        3 => {
            // The work never ends. The timeout uses the timer of tokio, so its duration is irrelevant.
            let work = dependency.clone().work(runs, End::Never, yields);
            let guarded = work
                .guarded_by(&target.breaker)
                .timeout(Duration::from_millis(1));
            target.record_result(&guarded.await, &run_count);
        }
        4 => {
            let back = |open: CircuitOpen| {
                target.record_refused(&open, &run_count);
                count(&target.counts.fell_back);
                std::future::ready(Ok(()))
            };
            let result = work.guarded_by(&target.breaker).fallback(back).await;
            match result {
                Ok(()) if read(&run_count) == 0 => {}
                Ok(()) => drop(count(&target.counts.ok)),
                Err(Failed) => drop(count(&target.counts.errors)),
            }
        }
        _ => {
            // Waits for a permit, but gives up after some yields.
            let permit_call = async {
                let permit = target.breaker.until_ready().await;
                let _running = target.enter(&run_count);
                yield_times(yields).await;
                end_permit(permit, end, &target.counts);
            };
            let give_up = yield_times(20_u8);
            tokio::select! {
                biased;
                () = permit_call => {}
                () = give_up => target.record_dropped(&run_count),
            }
        }
    }
}

fn end_permit(permit: Permit, end: End, counts: &CallCounts) {
    match end {
        End::Ok => {
            count(&counts.ok);
            permit.success();
        }
        End::Err => {
            count(&counts.errors);
            permit.failure();
        }
        End::Panic | End::Never => {
            count(&counts.dropped);
            drop(permit);
        }
    }
}

/// Spawns the call with this number, and may abort it.
async fn supervise(number: u64, all: Arc<Vec<Arc<Dependency>>>, registry: BreakerRegistry) {
    let mut rng = Rng::with_seed(number);
    let dependency = all[rng.usize(0..all.len())].clone();
    yield_times(rng.u16(0..SPREAD)).await;
    let runs = Arc::new(AtomicU64::new(0));
    let guarded_call = call(dependency.clone(), runs.clone(), registry, rng.fork());
    let task: JoinHandle<()> = tokio::spawn(guarded_call);
    if rng.u8(0..5) == 0 {
        yield_times(rng.u8(0..6)).await;
        task.abort();
    }
    match task.await {
        Ok(()) => {}
        Err(error) if error.is_panic() => {
            let payload = error.into_panic();
            if payload.downcast_ref() != Some(&"the guarded code panics") {
                resume_unwind(payload);
            }
            count(&dependency.counts.panics);
        }
        Err(_) => dependency.record_dropped(&runs),
    }
}

#[test]
fn totals_match_outcomes_of_tasks() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::new();
    let all = Arc::new(dependencies(&clock, &registry));
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let tasks =
            (0..TASKS).map(|number| tokio::spawn(supervise(number, all.clone(), registry.clone())));
        let tasks: Vec<_> = tasks.collect();
        // Only this loop advances the clock, in proportion to the yields of the tasks.
        let mut seen = read(&YIELDS);
        while !tasks.iter().all(JoinHandle::is_finished) {
            let new_yields = u32::try_from(read(&YIELDS) - seen).expect("fits in u32");
            seen += u64::from(new_yields);
            clock.advance(TICK * new_yields / YIELDS_PER_TICK);
            yield_now().await;
        }
        for task in tasks {
            task.await.expect("the task should not panic");
        }
    });
    drop(runtime);
    all.iter()
        .for_each(|dependency| assert_totals_match(dependency));
    let sum = |total: fn(&Totals) -> u64| {
        let totals = all
            .iter()
            .map(|dependency| dependency.breaker.snapshot().totals);
        totals.map(|totals| total(&totals)).sum::<u64>()
    };
    let seen = |counter: fn(&CallCounts) -> &AtomicU64| {
        all.iter()
            .map(|dependency| read(counter(&dependency.counts)))
            .sum::<u64>()
    };
    let cases = [
        ("refused", sum(|totals| totals.refused)),
        ("cancelled", sum(|totals| totals.cancelled)),
        ("late", sum(|totals| totals.late)),
        ("slow", sum(|totals| totals.slow)),
        ("would have tripped", sum(|totals| totals.would_trip)),
        ("timed out", seen(|counts| &counts.timeouts)),
        ("panicked", seen(|counts| &counts.panics)),
        ("fell back", seen(|counts| &counts.fell_back)),
    ];
    println!("{cases:?}");
    for (what, times) in cases {
        assert!(times > 0, "no call of this kind: {what}");
    }
}
