//! Nested calls: guarded calls of a breaker inside guarded calls of the same breaker.

use super::*;
use breakerbox::Refusal;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;

/// How the outer call is guarded.
#[derive(Clone, Copy)]
enum Outer {
    Future,
    /// By a permit from `try_acquire`.
    Permit,
    /// By a permit from `until_ready`.
    Waiting,
}

/// Nests `depth` guarded calls. The outer call was admitted, so none of them is refused.
async fn inner(breaker: CircuitBreaker, depth: usize) -> Result<(), Failure> {
    yield_up_to(1).await;
    if depth > 0 {
        let inner = Box::pin(inner(breaker.clone(), depth - 1));
        inner
            .guarded_by(&breaker)
            .await
            .expect("joined, or the circuit is closed");
    }
    yield_up_to(1).await;
    Ok(())
}

/// Makes a call with `depth` nested calls. Returns whether the outer call was admitted.
async fn outer(breaker: &CircuitBreaker, style: Outer, depth: usize) -> bool {
    let work = inner(breaker.clone(), depth);
    let permit = match style {
        Outer::Future => return work.guarded_by(breaker).await.is_ok(),
        Outer::Permit => breaker.try_acquire().ok(),
        Outer::Waiting => Some(breaker.until_ready().await),
    };
    match permit {
        Some(permit) => permit.run(work).await.is_ok(),
        None => false,
    }
}

/// A trial counts once, together with its nested calls. A closed circuit counts each call.
#[test]
fn nested_calls_close_circuit_with_one_slot() {
    explore("nested", |time, cases| async move {
        let breaker = time.recovering(time.settings());
        let depths = [(); 3].map(|()| choose(&[1, 2]));
        let tasks = depths.map(|depth| {
            let (breaker, cases) = (breaker.clone(), cases.clone());
            let style = choose(&[Outer::Future, Outer::Permit, Outer::Waiting]);
            spawn(async move {
                while !outer(&breaker, style, depth).await {
                    cases.count("refused", 1);
                    breaker.ready().await;
                }
                cases.count("by a future", u64::from(matches!(style, Outer::Future)));
                cases.count("by a permit", u64::from(!matches!(style, Outer::Future)));
            })
        });
        for task in tasks {
            task.await.expect("the task should not panic");
        }
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.state, State::Closed);
        let all: usize = depths.iter().map(|depth| 1 + depth).sum();
        let success = snapshot.totals.success.expect("successes are counted");
        // One of the three outer calls was the trial.
        let joined = all as u64 - success;
        assert!(depths.iter().any(|depth| *depth as u64 == joined));
        assert_eq!((snapshot.totals.failure, snapshot.totals.late), (0, 0));
        cases.count("joined", joined);
    });
}

/// A task outside the trial is refused, or finds the circuit closed. It never joins the trial, even if
/// it runs during a poll of the trial.
#[test]
fn call_on_another_task_never_joins() {
    explore("another task", |time, cases| async move {
        let breaker = time.recovering(time.settings());
        let trial_ended = Arc::new(AtomicBool::new(false));
        let trial = breaker.try_acquire().expect("a free slot");
        let work = {
            let (breaker, trial_ended) = (breaker.clone(), trial_ended.clone());
            async move {
                yield_up_to(1).await;
                for _ in 0..2 {
                    let joined = breaker.call(|| {
                        // Shuttle may switch to another task at each of these operations.
                        let joined = breaker.try_acquire().expect("the call joins the trial");
                        joined.failure();
                        Err::<(), _>(breaker.snapshot().failure_count)
                    });
                    assert_eq!(joined.expect_err("the call fails").into_inner(), Some(0));
                }
                let spawned = breaker.clone();
                let spawned = spawn(async move { spawned.try_acquire().is_ok() });
                assert!(
                    !spawned.await.expect("the task should not panic"),
                    "a spawned task is outside the trial"
                );
                trial_ended.store(true, SeqCst);
                Ok::<_, Failure>(())
            }
        };
        let trial = spawn(trial.run(work));
        let others = [(); 2].map(|()| {
            let (breaker, trial_ended) = (breaker.clone(), trial_ended.clone());
            spawn(async move {
                yield_up_to(4).await;
                match breaker.try_acquire() {
                    Ok(permit) => {
                        assert!(trial_ended.load(SeqCst), "admitted while the trial ran");
                        permit.failure();
                        1
                    }
                    Err(open) => {
                        assert_eq!(open.reason(), Refusal::TrialsTaken);
                        0
                    }
                }
            })
        });
        let mut failures = 0;
        for task in others {
            failures += task.await.expect("the task should not panic");
        }
        let result = trial.await.expect("the task should not panic");
        result.expect("the trial succeeds");
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.totals.success, Some(1));
        assert_eq!(snapshot.totals.failure, failures);
        assert_eq!(u64::from(snapshot.failure_count), failures);
        assert_eq!(snapshot.totals.refused, 1 + 2 - failures);
        cases.count("refused", 2 - failures);
        cases.count("closed", failures);
    });
}

/// A future joins the trial in which it is first polled, no matter where it was created or completes.
#[test]
fn joined_future_records_nothing_in_another_task() {
    explore(
        "futures that move to another task",
        |time, cases| async move {
            let breaker = time.recovering(time.settings());
            let counts = CallCounts::default();
            let guard = || Box::pin(work(End::Err, counts.clone()).guarded_by(breaker.clone()));
            let (mut joined, mut made_inside) = (None, None);
            let trial = async {
                made_inside = Some(guard());
                let mut inner_call = guard();
                let polled = poll_fn(|cx| Poll::Ready(inner_call.as_mut().poll(cx))).await;
                joined = polled.is_pending().then_some(inner_call);
                yield_up_to(1).await;
                Err::<(), _>(Failure)
            };
            breaker
                .call_async(trial)
                .await
                .expect_err("the trial fails");
            let reopened = breaker.snapshot();
            assert_eq!((reopened.state, reopened.failure_count), (State::Open, 1));
            time.advance(RECOVERY);
            // The trial of the next period, concurrent with futures from inside the first trial.
            let trial = breaker.try_acquire().expect("a free slot");
            cases.count("moved", u64::from(joined.is_some()));
            let moved = joined.map(|joined| spawn(async move { joined.await.is_err() }));
            let outside = made_inside.expect("the trial ran");
            let outside = spawn(outside);
            yield_now().await;
            let outside = outside.await.expect("the task should not panic");
            assert!(outside.expect_err("the slot is taken").is_open());
            yield_up_to(1).await;
            trial.success();
            if let Some(moved) = moved {
                assert!(moved.await.expect("the task should not panic"));
            }
            let snapshot = breaker.snapshot();
            assert_eq!(snapshot.state, State::Closed);
            let totals = &snapshot.totals;
            assert_eq!((totals.success, totals.failure), (Some(1), 1));
            assert_eq!((totals.late, totals.cancelled, totals.refused), (0, 0, 1));
            cases.count("inside", counts.entered());
        },
    );
}
