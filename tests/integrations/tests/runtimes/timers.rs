//! `.timeout(…)` and `until_ready()`, which need tokio's timer, with and without that timer.

use crate::executors::{
    Task, async_executor, futures_executor, no_runtime, tokio_current_thread, tokio_multi_thread,
};
use breakerbox::Totals;
use breakerbox::prelude::*;
use futures_util::future::{Either, select};
use std::future::{pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_millis(1);

fn breaker() -> CircuitBreaker {
    let builder = CircuitBreaker::builder().failure_threshold(1);
    builder.build().expect("valid settings")
}

async fn timeout_is_failure(breaker: CircuitBreaker) {
    let hang = pending::<io::Result<()>>();
    let late = hang.guarded_by(&breaker).timeout(LIMIT).await.unwrap_err();
    assert!(late.is_timed_out());
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.failure, totals.timed_out), (1, 1));
    assert_eq!(breaker.state(), State::Open);
}

/// Waits for a circuit that another thread closes.
async fn waiting_call_is_admitted(breaker: CircuitBreaker) {
    let before = breaker.snapshot().totals.success;
    breaker.force_open();
    let other = breaker.clone();
    let (polled, was_polled) = mpsc::channel();
    thread::spawn(move || {
        if was_polled.recv().is_ok() {
            other.reset();
        }
    });
    let mut ready = Box::pin(breaker.until_ready());
    let permit = poll_fn(|cx| {
        let poll = ready.as_mut().poll(cx);
        // Fails if the other thread has ended after the first poll.
        let _ = polled.send(());
        poll
    })
    .await;
    permit.success();
    assert_eq!(breaker.snapshot().totals.success, before.map(|n| n + 1));
}

#[test]
fn timeout_works_in_both_tokio_runtimes() {
    tokio_current_thread(timeout_is_failure(breaker()));
    tokio_multi_thread(timeout_is_failure(breaker()));
}

#[test]
fn waiting_works_in_both_tokio_runtimes() {
    tokio_current_thread(waiting_call_is_admitted(breaker()));
    tokio_multi_thread(waiting_call_is_admitted(breaker()));
}

/// Another executor can use the timer of a tokio runtime while it polls in the context of that runtime.
#[test]
fn timer_works_in_context_of_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let _context = runtime.enter();
    futures_executor(timeout_is_failure(breaker()));
    futures_executor(waiting_call_is_admitted(breaker()));
    no_runtime(timeout_is_failure(breaker()));
    no_runtime(waiting_call_is_admitted(breaker()));
}

fn tokio_without_time(task: impl Task) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(task);
}

/// Asserts that the task panics and leaves the breaker unchanged, in each executor without a timer.
fn assert_panics_without_timer<T: Task>(task: impl Fn(CircuitBreaker) -> T) {
    type Executor<T> = (&'static str, fn(T));
    let executors: [Executor<T>; 4] = [
        ("async_executor", async_executor),
        ("futures_executor", futures_executor),
        ("no_runtime", no_runtime),
        ("tokio_without_time", tokio_without_time),
    ];
    for (executor, run) in executors {
        let breaker = breaker();
        let task = task(breaker.clone());
        let panicked = catch_unwind(AssertUnwindSafe(|| run(task)));
        assert!(panicked.is_err(), "{executor}");
        let Totals {
            success,
            failure,
            ignored,
            cancelled,
            late,
            refused,
            ..
        } = breaker.snapshot().totals;
        assert_eq!((success, failure), (Some(0), 0), "{executor}");
        let others = (ignored, cancelled, late, refused);
        assert_eq!(others, (0, 0, 0, 0), "{executor}");

        // The panic leaked no slot, and waiting still works where there is a timer.
        breaker.half_open();
        breaker.try_acquire().expect("a free slot").success();
        assert_eq!(breaker.state(), State::Closed, "{executor}");
        tokio_current_thread(waiting_call_is_admitted(breaker));
    }
}

#[test]
fn timeout_without_timer_panics_before_admission() {
    assert_panics_without_timer(async |breaker: CircuitBreaker| {
        breaker.half_open();
        let call = async { Ok::<(), io::Error>(()) };
        drop(call.guarded_by(&breaker).timeout(LIMIT).await);
    });
}

#[test]
fn waiting_without_timer_panics_before_admission() {
    assert_panics_without_timer(async |breaker: CircuitBreaker| {
        breaker.trip();
        breaker.until_ready().await.failure();
    });
    assert_panics_without_timer(async |breaker: CircuitBreaker| {
        breaker.force_open();
        breaker.until_ready().await.failure();
    });
}

/// A time limit inside the guarded future needs no timer of tokio: the call fails with its own error.
#[test]
fn select_inside_call_needs_no_timer() {
    let breaker = breaker();
    let (expire, expired) = tokio::sync::oneshot::channel::<()>();
    let timer = thread::spawn(move || expire.send(()));
    let call = async {
        let dependency = pin!(pending::<io::Result<()>>());
        match select(dependency, expired).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    };
    let late = futures_executor::block_on(call.guarded_by(&breaker));
    assert!(late.is_err_and(|error| error.inner().is_some()));
    assert_eq!(breaker.state(), State::Open);
    let sent = timer.join().expect("the thread does not panic");
    sent.expect("the call has waited for the timer");
}
