//! [`Timers`]: whether tokio has timers here.

use crate::caught::caught;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;

/// Knows whether the runtime of a request has timers, without which tokio panics.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Whether they were missing once.
    are_missing: AtomicBool,
}

impl Timers {
    /// Returns `true` in a tokio runtime with timers.
    ///
    /// tokio has no question for it, so a panic is caught. The hook of the program reports the panic,
    /// therefore a panel that has found no timers does not look for them again.
    pub(crate) fn are_here(&self) -> bool {
        // Ordering: `Relaxed` suffices, because the flag publishes nothing.
        if Handle::try_current().is_err() || self.are_missing.load(Ordering::Relaxed) {
            return false;
        }
        let are_here = caught(|| drop(tokio::time::sleep(Duration::ZERO))).is_some();
        if !are_here {
            self.are_missing.store(true, Ordering::Relaxed);
        }
        are_here
    }
}
