//! Tasks that are dropped while they run as trials.

use super::tasks::turns;
use super::*;
use fastrand::Rng;
use tokio::runtime;

const TASKS: u64 = 10_000;
const SPREAD: u16 = 120;
const SLOTS: usize = 3;

/// A half-open circuit whose trials never decide anything, whatever becomes of them.
#[test]
fn tasks_that_are_dropped_never_make_more_trials_than_slots() {
    let clock = ManualClock::new();
    let settings = settings(&clock)
        .half_open_calls(3)
        .ignored_error::<std::fmt::Error>();
    let breaker = settings.build().expect("settings that work");
    breaker.trip();
    clock.advance(RECOVERY);
    let trials = Arc::new(Crowd::default());
    let entered = Arc::new(AtomicU64::new(0));
    let refused = Arc::new(AtomicU64::new(0));
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let tasks = (0..TASKS).map(|number| {
            let mut dice = Rng::with_seed(number);
            let (trials, entered, refused) = (trials.clone(), entered.clone(), refused.clone());
            let (breaker, during) = (breaker.clone(), dice.u8(0..4));
            let before = dice.u16(0..SPREAD);
            let work = async move {
                trials.enter();
                count(&entered);
                let _left = Left(trials);
                turns(during).await;
                Err::<(), _>(std::fmt::Error)
            };
            let task = tokio::spawn(async move {
                turns(before).await;
                if work
                    .guarded_by(breaker)
                    .await
                    .is_err_and(|error| error.is_open())
                {
                    count(&refused);
                }
            });
            let aborted = dice.bool().then(|| task.abort_handle());
            tokio::spawn(async move {
                if let Some(task) = aborted {
                    turns(before + 2).await;
                    task.abort();
                }
                let _ = task.await;
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("a task that ends");
        }
    });
    drop(runtime);
    let totals = breaker.snapshot().totals;
    println!("{totals:?}, most inside: {}", trials.most());
    assert_eq!(trials.most(), SLOTS);
    assert_eq!(ended(&totals), read(&entered));
    assert_eq!(totals.refused, read(&refused));
    assert!(totals.refused > 0 && totals.ignored > 0 && totals.cancelled > 0);
    assert_eq!(breaker.snapshot().in_flight, Some(0));
    assert_eq!(breaker.state(), State::HalfOpen);
}

struct Left(Arc<Crowd>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.leave();
    }
}
