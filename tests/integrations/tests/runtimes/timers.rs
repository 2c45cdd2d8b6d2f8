//! `.timeout(…)` and `until_ready()`, which need tokio's timer; and what they do where there is none.

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
    builder.build().expect("settings that work")
}

async fn a_timeout_is_a_failure(breaker: CircuitBreaker) {
    let hang = pending::<io::Result<()>>();
    let late = hang.guarded_by(&breaker).timeout(LIMIT).await.unwrap_err();
    assert!(late.is_timed_out());
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.failure, totals.timed_out), (1, 1));
    assert_eq!(breaker.state(), State::Open);
}

/// It waits for a circuit that another thread closes.
async fn who_waits_is_let_in(breaker: CircuitBreaker) {
    let before = breaker.snapshot().totals.success;
    breaker.force_open();
    let other = breaker.clone();
    let (waits, waiting) = mpsc::channel();
    thread::spawn(move || {
        if waiting.recv().is_ok() {
            other.reset();
        }
    });
    let mut ready = Box::pin(breaker.until_ready());
    let permit = poll_fn(|cx| {
        let polled = ready.as_mut().poll(cx);
        // The other thread may have come and gone.
        let _ = waits.send(());
        polled
    })
    .await;
    permit.success();
    assert_eq!(breaker.snapshot().totals.success, before.map(|n| n + 1));
}

#[test]
fn timeouts_under_both_flavours_of_tokio() {
    tokio_current_thread(a_timeout_is_a_failure(breaker()));
    tokio_multi_thread(a_timeout_is_a_failure(breaker()));
}

#[test]
fn waiting_under_both_flavours_of_tokio() {
    tokio_current_thread(who_waits_is_let_in(breaker()));
    tokio_multi_thread(who_waits_is_let_in(breaker()));
}

/// As in a program that has tokio somewhere: its timer serves whoever polls in its context.
#[test]
fn elsewhere_in_the_context_of_a_tokio_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let _context = runtime.enter();
    futures_executor(a_timeout_is_a_failure(breaker()));
    futures_executor(who_waits_is_let_in(breaker()));
    no_runtime(a_timeout_is_a_failure(breaker()));
    no_runtime(who_waits_is_let_in(breaker()));
}

fn tokio_without_time(task: impl Task) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(task);
}

/// Runs what is to panic, in each place without a timer.
fn without_timer<T: Task>(task: impl Fn(CircuitBreaker) -> T) {
    type Run<T> = (&'static str, fn(T));
    let places: [Run<T>; 4] = [
        ("async_executor", async_executor),
        ("futures_executor", futures_executor),
        ("no_runtime", no_runtime),
        ("tokio_without_time", tokio_without_time),
    ];
    for (place, run) in places {
        let breaker = breaker();
        let task = task(breaker.clone());
        let panicked = catch_unwind(AssertUnwindSafe(|| run(task)));
        assert!(panicked.is_err(), "{place}");
        let Totals {
            success,
            failure,
            ignored,
            cancelled,
            late,
            refused,
            ..
        } = breaker.snapshot().totals;
        assert_eq!((success, failure), (Some(0), 0), "{place}");
        let others = (ignored, cancelled, late, refused);
        assert_eq!(others, (0, 0, 0, 0), "{place}");

        // Nothing is held: the one trial can be had, and who waits where there is a timer is let in.
        breaker.half_open();
        breaker.try_acquire().expect("a free slot").success();
        assert_eq!(breaker.state(), State::Closed, "{place}");
        tokio_current_thread(who_waits_is_let_in(breaker));
    }
}

#[test]
fn without_a_timer_a_timeout_panics_before_admission() {
    without_timer(async |breaker: CircuitBreaker| {
        breaker.half_open();
        let call = async { Ok::<(), io::Error>(()) };
        drop(call.guarded_by(&breaker).timeout(LIMIT).await);
    });
}

#[test]
fn without_a_timer_waiting_panics_and_takes_nothing() {
    without_timer(async |breaker: CircuitBreaker| {
        breaker.trip();
        breaker.until_ready().await.failure();
    });
    without_timer(async |breaker: CircuitBreaker| {
        breaker.force_open();
        breaker.until_ready().await.failure();
    });
}

/// What has a time limit of its own needs none of tokio's: a race that is lost is an error of the call.
#[test]
fn a_race_inside_the_call_is_a_timeout_anywhere() {
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
    timer.join().expect("it passes").expect("it is waited for");
}
