//! The executors that run the test suite.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use tokio::runtime::{Builder, Runtime};

/// A future that can be spawned.
pub(crate) trait Task: Future<Output = ()> + Send + 'static {}
impl<F: Future<Output = ()> + Send + 'static> Task for F {}

fn build(builder: &mut Builder) -> Runtime {
    builder.enable_time().build().expect("a runtime")
}

pub(crate) fn tokio_current_thread(task: impl Task) {
    build(&mut Builder::new_current_thread()).block_on(task);
}

/// Runs the task on a worker thread, not on the thread that waits for it.
pub(crate) fn tokio_multi_thread(task: impl Task) {
    let runtime = build(Builder::new_multi_thread().worker_threads(2));
    let result = runtime.block_on(runtime.spawn(task));
    result.expect("the task does not panic");
}

/// Runs the task in the executor of smol, on either of two threads.
pub(crate) fn async_executor(task: impl Task) {
    let executor = async_executor::Executor::new();
    let task = executor.spawn(task);
    let (done, ended) = tokio::sync::oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| futures_executor::block_on(executor.run(ended)));
        let _done = done;
        futures_executor::block_on(executor.run(task));
    });
}

pub(crate) fn futures_executor(task: impl Task) {
    futures_executor::block_on(task);
}

/// Runs the task without a runtime: a loop polls it, and parks until it is woken.
pub(crate) fn no_runtime(task: impl Task) {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut task = pin!(task);
    while task
        .as_mut()
        .poll(&mut Context::from_waker(&waker))
        .is_pending()
    {
        thread::park();
    }
}

/// Polls a future once, with a waker that does nothing.
pub(crate) fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
