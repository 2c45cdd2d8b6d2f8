//! [`PauseSwitch`]: stops all tasks of one node, as SIGSTOP stops a process.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Stops the tasks that run through it. Their timers expire meanwhile, and the time goes on.
#[derive(Clone, Debug, Default)]
pub struct PauseSwitch(Arc<Mutex<Paused>>);

#[derive(Debug, Default)]
struct Paused {
    is_paused: bool,
    wakers: Vec<Waker>,
}

impl PauseSwitch {
    fn lock(&self) -> MutexGuard<'_, Paused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `future` whenever the switch is not paused.
    pub fn run<F: Future>(&self, future: F) -> Pausable<F> {
        Pausable {
            switch: self.clone(),
            future: Box::pin(future),
        }
    }

    /// Returns `true` while the tasks are stopped.
    pub fn is_paused(&self) -> bool {
        self.lock().is_paused
    }

    /// Stops the tasks.
    pub fn pause(&self) {
        self.lock().is_paused = true;
    }

    /// Continues the tasks in a random order, as a scheduler would.
    pub fn resume(&self, rng: &mut fastrand::Rng) {
        let mut paused = self.lock();
        paused.is_paused = false;
        let mut wakers = std::mem::take(&mut paused.wakers);
        drop(paused);
        rng.shuffle(&mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A task of a node that may be paused.
#[derive(Debug)]
pub struct Pausable<F> {
    switch: PauseSwitch,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Pausable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut paused = self.switch.lock();
        if paused.is_paused {
            paused.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        drop(paused);
        self.future.as_mut().poll(cx)
    }
}
