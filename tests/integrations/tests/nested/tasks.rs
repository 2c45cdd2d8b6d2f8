//! Nested guards from several tasks and threads at once.

use crate::support::BoxError;
use breakerbox::prelude::*;
use std::sync::Barrier;
use std::thread;

async fn nested(breaker: CircuitBreaker) -> Result<u32, BoxError> {
    let inner = async {
        tokio::task::yield_now().await;
        let call = || Ok::<_, BoxError>(7);
        breaker.call(call).map_err(BreakerError::flatten)
    };
    let middle = inner.guarded_by(&breaker).flatten_err();
    middle.guarded_by(&breaker).flatten_err().await
}

#[test]
fn two_tasks_of_one_thread_recover() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let breaker = CircuitBreaker::builder().build().unwrap();
    for _ in 0..50 {
        breaker.half_open();
        let answers = runtime.block_on(async {
            let tasks = [(); 2].map(|()| tokio::spawn(nested(breaker.clone())));
            let [first, second] = tasks;
            [first.await.unwrap().is_ok(), second.await.unwrap().is_ok()]
        });
        assert_eq!(answers, [true, false], "the first task takes the only slot");
        assert_eq!(breaker.state(), State::Closed);
        breaker.reset();
    }
}

#[test]
fn tasks_moved_between_threads_recover() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    let breaker = CircuitBreaker::builder().build().unwrap();
    for _ in 0..200 {
        breaker.half_open();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..4)
                .map(|_| tokio::spawn(nested(breaker.clone())))
                .collect();
            for task in tasks {
                let _ = task.await.unwrap();
            }
        });
        assert_eq!(
            breaker.state(),
            State::Closed,
            "one of the tasks was the trial"
        );
        breaker.reset();
    }
    assert_eq!(breaker.snapshot().totals.failure, 0);
}

#[test]
fn nested_calls_of_two_threads_recover() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    for _ in 0..200 {
        breaker.half_open();
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    barrier.wait();
                    let inner = || {
                        breaker
                            .call(|| Ok::<_, BoxError>(7))
                            .map_err(BreakerError::flatten)
                    };
                    drop(breaker.call(inner));
                });
            }
        });
        assert_eq!(breaker.state(), State::Closed);
        breaker.reset();
    }
}
