//! [`RecorderStatus`]: what a recorder has written and lost.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What a [`Recorder`](super::Recorder) has written and lost so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecorderStatus {
    /// The calls that were written. The last of them may not be flushed yet.
    pub written: u64,
    /// The calls that were lost, because the queue was full or writing had failed.
    pub lost: u64,
    /// Why writing failed, if it did. The recording has ended then.
    pub error: Option<String>,
}

/// The state that a recorder shares with its calls and its thread.
#[derive(Debug, Default)]
pub(super) struct Shared {
    lost: AtomicU64,
    written: AtomicU64,
    ended: AtomicBool,
    progress: Mutex<Progress>,
    flushed: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    error: Option<String>,
    /// The number of flushes that were requested, and that are done.
    requested: u64,
    done: u64,
    /// The thread has ended, and does no more flushes.
    thread_ended: bool,
}

// Orderings: `Relaxed` for the counters, which order nothing else.
impl Shared {
    pub(super) fn status(&self) -> RecorderStatus {
        RecorderStatus {
            written: self.written.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            error: self.progress().error.clone(),
        }
    }

    pub(super) fn add_lost(&self, calls: u64) {
        self.lost.fetch_add(calls, Ordering::Relaxed);
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn add_written(&self, calls: u64) {
        self.written.fetch_add(calls, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(super) fn set_error(&self, error: String) {
        self.progress().error.get_or_insert(error);
    }

    /// Requests a flush, and waits for it.
    pub(super) fn flush(&self, wake: impl Fn()) {
        let mut progress = self.progress();
        progress.requested += 1;
        let request = progress.requested;
        wake();
        while progress.done < request && !progress.thread_ended {
            let waited = self.flushed.wait(progress);
            progress = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns the number of flushes that were requested. The thread empties the queue afterwards.
    pub(super) fn requested_flushes(&self) -> u64 {
        self.progress().requested
    }

    pub(super) fn answer_flushes(&self, requested: u64) {
        self.progress().done = requested;
        self.flushed.notify_all();
    }

    pub(super) fn thread_ended(&self) {
        self.progress().thread_ended = true;
        self.flushed.notify_all();
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
