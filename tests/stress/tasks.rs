//! Ten thousand tasks on several threads, some of which are aborted, raced, timed out, or panic.

use super::dependencies::{Books, Dependency, End, Failed, TICK, check, dependencies};
use super::*;
use breakerbox::{CircuitOpen, Permit};
use fastrand::Rng;
use std::panic::resume_unwind;
use tokio::runtime;
use tokio::task::{JoinHandle, yield_now};

const TASKS: u64 = 10_000;
/// Over how many turns of the executor the tasks spread, so that the clock moves in between.
const SPREAD: u16 = 120;

/// Turns that tasks have taken: what the clock goes by.
static TURNS: AtomicU64 = AtomicU64::new(0);
const TURNS_A_TICK: u32 = 1_000;

pub(crate) async fn turns(turns: impl Into<u16>) {
    for _ in 0..turns.into() {
        count(&TURNS);
        yield_now().await;
    }
}

/// One call, by whichever way the dice say; its guarded code may be dropped anywhere.
async fn call(
    to: Arc<Dependency>,
    touched: Arc<AtomicU64>,
    registry: BreakerRegistry,
    mut dice: Rng,
) {
    let end = [End::Ok, End::Ok, End::Ok, End::Err, End::Err, End::Panic][dice.usize(0..6)];
    let during = dice.u8(0..4);
    let work = to.clone().work(touched.clone(), end, during);
    let (one, saw) = (to.clone(), touched.clone());
    match dice.u8(0..6) {
        0 => one.note(&work.with_breaker(&registry, one.name).await, &saw),
        1 => one.note(&work.guarded_by(&one.breaker).await, &saw),
        2 => {
            // Raced: whoever is first, the other is dropped.
            let others = turns(dice.u8(0..4));
            tokio::select! {
                biased;
                result = work.guarded_by(&one.breaker) => one.note(&result, &saw),
                () = others => one.dropped(&saw),
            }
        }
        3 => {
            // It would never end; the timer is tokio's, and how long it takes does not matter.
            let work = to.clone().work(touched, End::Never, during);
            let guarded = work
                .guarded_by(&one.breaker)
                .timeout(Duration::from_millis(1));
            one.note(&guarded.await, &saw);
        }
        4 => {
            let back = |open: CircuitOpen| {
                one.refused(&open, &saw);
                count(&one.books.fell_back);
                std::future::ready(Ok(()))
            };
            let result = work.guarded_by(&one.breaker).fallback(back).await;
            match result {
                Ok(()) if read(&saw) == 0 => {}
                Ok(()) => drop(count(&one.books.ok)),
                Err(Failed) => drop(count(&one.books.errors)),
            }
        }
        _ => {
            // Waits for its turn, but not for ever.
            let wait = async {
                let permit = one.breaker.until_ready().await;
                let _inside = one.enter(&saw);
                turns(during).await;
                end_permit(permit, end, &one.books);
            };
            let patience = turns(20_u8);
            tokio::select! {
                biased;
                () = wait => {}
                () = patience => one.dropped(&saw),
            }
        }
    }
}

fn end_permit(permit: Permit, end: End, books: &Books) {
    match end {
        End::Ok => {
            count(&books.ok);
            permit.success();
        }
        End::Err => {
            count(&books.errors);
            permit.failure();
        }
        End::Panic | End::Never => {
            count(&books.dropped);
            drop(permit);
        }
    }
}

/// Starts the call of one number, and may abort it after a while.
async fn supervise(number: u64, all: Arc<Vec<Arc<Dependency>>>, registry: BreakerRegistry) {
    let mut dice = Rng::with_seed(number);
    let to = all[dice.usize(0..all.len())].clone();
    turns(dice.u16(0..SPREAD)).await;
    let touched = Arc::new(AtomicU64::new(0));
    let made = call(to.clone(), touched.clone(), registry, dice.fork());
    let task: JoinHandle<()> = tokio::spawn(made);
    if dice.u8(0..5) == 0 {
        turns(dice.u8(0..6)).await;
        task.abort();
    }
    match task.await {
        Ok(()) => {}
        Err(error) if error.is_panic() => {
            let payload = error.into_panic();
            if payload.downcast_ref() != Some(&"the guarded code panics") {
                resume_unwind(payload);
            }
            count(&to.books.panics);
        }
        Err(_) => to.dropped(&touched),
    }
}

#[test]
fn ten_thousand_tasks_agree_with_every_breaker() {
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
        // The one who moves the clock, as far as the others have come.
        let mut seen = read(&TURNS);
        while !tasks.iter().all(JoinHandle::is_finished) {
            let turns = u32::try_from(read(&TURNS) - seen).expect("a small number");
            seen += u64::from(turns);
            clock.advance(TICK * turns / TURNS_A_TICK);
            yield_now().await;
        }
        for task in tasks {
            task.await.expect("a task that ends");
        }
    });
    drop(runtime);
    all.iter().for_each(|one| check(one));
    let sum = |total: fn(&Totals) -> u64| {
        let totals = all.iter().map(|one| one.breaker.snapshot().totals);
        totals.map(|totals| total(&totals)).sum::<u64>()
    };
    let seen =
        |book: fn(&Books) -> &AtomicU64| all.iter().map(|one| read(book(&one.books))).sum::<u64>();
    let happened = [
        ("refused", sum(|totals| totals.refused)),
        ("cancelled", sum(|totals| totals.cancelled)),
        ("late", sum(|totals| totals.late)),
        ("slow", sum(|totals| totals.slow)),
        ("would have tripped", sum(|totals| totals.would_trip)),
        ("timed out", seen(|books| &books.timeouts)),
        ("panicked", seen(|books| &books.panics)),
        ("fell back", seen(|books| &books.fell_back)),
    ];
    println!("{happened:?}");
    for (what, times) in happened {
        assert!(times > 0, "never {what}");
    }
}
