//! Guarded calls of a breaker inside guarded calls of the same breaker.

use super::*;
use breakerbox::Refusal;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;

/// How the outer one of two calls is guarded.
#[derive(Clone, Copy)]
enum Outer {
    Future,
    /// By a permit, without waiting and with.
    Permit,
    Waiting,
}

/// A call inside as many guarded calls as `depth` says. Where one of them was admitted, no other is refused.
async fn inner(breaker: CircuitBreaker, depth: usize) -> Result<(), Failed> {
    yields(1).await;
    if depth > 0 {
        let inner = Box::pin(inner(breaker.clone(), depth - 1));
        inner
            .guarded_by(&breaker)
            .await
            .expect("a call that joins or finds the circuit closed");
    }
    yields(1).await;
    Ok(())
}

/// One call with others inside; whether it was admitted.
async fn outer(breaker: &CircuitBreaker, way: Outer, depth: usize) -> bool {
    let work = inner(breaker.clone(), depth);
    let permit = match way {
        Outer::Future => return work.guarded_by(breaker).await.is_ok(),
        Outer::Permit => breaker.try_acquire().ok(),
        Outer::Waiting => Some(breaker.until_ready().await),
    };
    match permit {
        Some(permit) => permit.run(work).await.is_ok(),
        None => false,
    }
}

/// The trial counts once, with everything inside; the calls of the closed circuit count one by one.
#[test]
fn nested_calls_close_circuit_with_one_slot() {
    explore("nested", |time, happened| async move {
        let breaker = time.recovering(time.settings());
        let depths = [(); 3].map(|()| any(&[1, 2]));
        let tasks = depths.map(|depth| {
            let (breaker, happened) = (breaker.clone(), happened.clone());
            let way = any(&[Outer::Future, Outer::Permit, Outer::Waiting]);
            spawn(async move {
                while !outer(&breaker, way, depth).await {
                    happened.note("refused", 1);
                    breaker.ready().await;
                }
                happened.note("by a future", u64::from(matches!(way, Outer::Future)));
                happened.note("by a permit", u64::from(!matches!(way, Outer::Future)));
            })
        });
        for task in tasks {
            task.await.expect("a task that ends");
        }
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.state, State::Closed);
        let all: usize = depths.iter().map(|depth| 1 + depth).sum();
        let success = snapshot.totals.success.expect("successes are counted");
        // One of the three was the trial.
        let joined = all as u64 - success;
        assert!(depths.iter().any(|depth| *depth as u64 == joined));
        assert_eq!((snapshot.totals.failure, snapshot.totals.late), (0, 0));
        happened.note("joined", joined);
    });
}

/// A task that is not inside the trial is refused or finds the circuit closed: it never joins, even
/// while the trial is in the middle of a poll.
#[test]
fn call_of_another_task_never_joins() {
    explore("another task", |time, happened| async move {
        let breaker = time.recovering(time.settings());
        let ended = Arc::new(AtomicBool::new(false));
        let trial = breaker.try_acquire().expect("the trial");
        let work = {
            let (breaker, ended) = (breaker.clone(), ended.clone());
            async move {
                yields(1).await;
                for _ in 0..2 {
                    let joined = breaker.call(|| {
                        // Other tasks may run at each of these.
                        let joined = breaker.try_acquire().expect("it joins");
                        joined.failure();
                        Err::<(), _>(breaker.snapshot().failure_count)
                    });
                    assert_eq!(joined.expect_err("a failure").into_inner(), Some(0));
                }
                let spawned = breaker.clone();
                let spawned = spawn(async move { spawned.try_acquire().is_ok() });
                assert!(!spawned.await.expect("a task that ends"), "it is outside");
                ended.store(true, SeqCst);
                Ok::<_, Failed>(())
            }
        };
        let trial = spawn(trial.run(work));
        let others = [(); 2].map(|()| {
            let (breaker, ended) = (breaker.clone(), ended.clone());
            spawn(async move {
                yields(4).await;
                match breaker.try_acquire() {
                    Ok(permit) => {
                        assert!(ended.load(SeqCst), "admitted while the trial ran");
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
            failures += task.await.expect("a task that ends");
        }
        let ended = trial.await.expect("a task that ends");
        ended.expect("a success");
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.totals.success, Some(1));
        assert_eq!(snapshot.totals.failure, failures);
        assert_eq!(u64::from(snapshot.failure_count), failures);
        assert_eq!(snapshot.totals.refused, 1 + 2 - failures);
        happened.note("refused", 2 - failures);
        happened.note("closed", failures);
    });
}

/// Where a future was first polled decides, not where it was made or ended.
#[test]
fn joined_future_records_nothing_in_another_task() {
    explore("futures that move", |time, happened| async move {
        let breaker = time.recovering(time.settings());
        let books = Books::default();
        let guard = || Box::pin(work(End::Err, books.clone()).guarded_by(breaker.clone()));
        let (mut joined, mut made_inside) = (None, None);
        let trial = async {
            made_inside = Some(guard());
            let mut inside = guard();
            let polled = poll_fn(|cx| Poll::Ready(inside.as_mut().poll(cx))).await;
            joined = polled.is_pending().then_some(inside);
            yields(1).await;
            Err::<(), _>(Failed)
        };
        breaker
            .call_async(trial)
            .await
            .expect_err("the trial fails");
        let reopened = breaker.snapshot();
        assert_eq!((reopened.state, reopened.failure_count), (State::Open, 1));
        time.pass(RECOVERY);
        // The first trial of the next period, and calls from inside the one before.
        let trial = breaker.try_acquire().expect("the trial");
        happened.note("moved", u64::from(joined.is_some()));
        let moved = joined.map(|joined| spawn(async move { joined.await.is_err() }));
        let outside = made_inside.expect("the trial ran");
        let outside = spawn(outside);
        yield_now().await;
        let outside = outside.await.expect("a task that ends");
        assert!(outside.expect_err("the slot is taken").is_open());
        yields(1).await;
        trial.success();
        if let Some(moved) = moved {
            assert!(moved.await.expect("a task that ends"));
        }
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.state, State::Closed);
        let totals = &snapshot.totals;
        assert_eq!((totals.success, totals.failure), (Some(1), 1));
        assert_eq!((totals.late, totals.cancelled, totals.refused), (0, 0, 1));
        happened.note("inside", books.entered());
    });
}
