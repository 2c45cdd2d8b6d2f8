//! Trials whose tasks are aborted.

use super::tasks::yield_times;
use super::*;
use fastrand::Rng;
use tokio::runtime;

const TASKS: u64 = 10_000;
const SPREAD: u16 = 120;
const SLOTS: usize = 3;

/// The outcomes of these trials are ignored, so the circuit stays half-open.
#[test]
fn aborted_trials_never_exceed_slots() {
    let clock = ManualClock::new();
    let settings = settings(&clock)
        .half_open_calls(3)
        .ignored_error::<std::fmt::Error>();
    let breaker = settings.build().expect("valid settings");
    breaker.trip();
    clock.advance(RECOVERY);
    let trials = Arc::new(Concurrency::default());
    let entered = Arc::new(AtomicU64::new(0));
    let refused = Arc::new(AtomicU64::new(0));
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let tasks = (0..TASKS).map(|number| {
            let mut rng = Rng::with_seed(number);
            let (trials, entered, refused) = (trials.clone(), entered.clone(), refused.clone());
            let (breaker, yields) = (breaker.clone(), rng.u8(0..4));
            let before = rng.u16(0..SPREAD);
            let work = async move {
                trials.enter();
                count(&entered);
                let _guard = LeaveOnDrop(trials);
                yield_times(yields).await;
                Err::<(), _>(std::fmt::Error)
            };
            let task = tokio::spawn(async move {
                yield_times(before).await;
                if work
                    .guarded_by(breaker)
                    .await
                    .is_err_and(|error| error.is_open())
                {
                    count(&refused);
                }
            });
            let aborted = rng.bool().then(|| task.abort_handle());
            tokio::spawn(async move {
                if let Some(task) = aborted {
                    yield_times(before + 2).await;
                    task.abort();
                }
                let _ = task.await;
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("the task should not panic");
        }
    });
    drop(runtime);
    let totals = breaker.snapshot().totals;
    println!("{totals:?}, at most {} at once", trials.peak());
    assert_eq!(trials.peak(), SLOTS);
    assert_eq!(ended(&totals), read(&entered));
    assert_eq!(totals.refused, read(&refused));
    assert!(totals.refused > 0 && totals.ignored > 0 && totals.cancelled > 0);
    assert_eq!(breaker.snapshot().in_flight, Some(0));
    assert_eq!(breaker.state(), State::HalfOpen);
}

/// Leaves the gauge when it is dropped.
struct LeaveOnDrop(Arc<Concurrency>);

impl Drop for LeaveOnDrop {
    fn drop(&mut self) {
        self.0.leave();
    }
}
