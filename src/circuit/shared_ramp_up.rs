//! [`SharedRampUp`]: the ramp-up of one circuit, shared between threads.

use crate::clock::Moment;
use crate::state::{Generation, RampProgress, RampUp};
use crate::sync::{AtomicU64, Ordering};
use std::time::Duration;

/// The latest ramp-up of a circuit.
///
/// A call is decided by one compare-and-swap of `progress`, which is the linearization point of the
/// decision.
///
/// # Invariants
///
/// 1. `progress` contains the generation that ramps up. [`begin`](Self::begin) replaces it before
///    the other fields. A thread whose compare-and-swap of `progress` succeeds has therefore read
///    the other fields of its own generation.
/// 2. `start` and `length` change only in `begin`, which requires the lock of the circuit.
#[derive(Debug)]
pub(super) struct SharedRampUp {
    progress: AtomicU64,
    start: AtomicU64,
    length: AtomicU64,
}

/// The decision about a call of a circuit that ramps up.
pub(super) enum RampAdmission {
    /// The call is admitted. It is the first of its part if there is a share to report.
    Admitted(Option<f64>),
    /// The call is refused, and should wait for this time.
    Refused(Duration),
    /// The ramp-up is over.
    Over,
    /// Another ramp-up has begun, so the word of the circuit has changed as well.
    Stale,
}

impl SharedRampUp {
    /// Creates a ramp-up that has not begun.
    pub(super) fn new() -> Self {
        Self {
            progress: AtomicU64::new(0),
            start: AtomicU64::new(0),
            length: AtomicU64::new(0),
        }
    }

    /// Begins the ramp-up of `generation`, before the word with this generation is published.
    pub(super) fn begin(&self, generation: Generation, ramp_up: RampUp) {
        let progress = RampProgress::new(generation);
        // Ordering: `Release` here pairs with the `Acquire` loads in `admit`; without it a call that
        // finds another generation could load the word of the earlier ramp-up again. A swap, because
        // loom does not order a store after a concurrent compare-and-swap.
        self.progress.swap(progress.bits(), Ordering::Release);
        // Ordering: `Release` here pairs with the `Acquire` loads in `read`; without it a reader
        // could find the new start, and still replace the progress of the earlier ramp-up. No model
        // shows that, because loom runs the stores of a thread in their order.
        let start = ramp_up.start.as_nanos();
        self.start.store(start, Ordering::Release);
        self.length.store(ramp_up.length, Ordering::Release);
    }

    fn read(&self) -> RampUp {
        // Ordering: see `begin`.
        RampUp {
            start: Moment::from_nanos(self.start.load(Ordering::Acquire)),
            length: self.length.load(Ordering::Acquire),
        }
    }

    /// Decides a call whose circuit ramps up in `generation`.
    pub(super) fn admit(&self, generation: Generation, now: Moment) -> RampAdmission {
        // Ordering: see `begin`. A compare-and-swap that succeeds publishes nothing.
        let (success, failure) = (Ordering::Relaxed, Ordering::Acquire);
        let mut bits = self.progress.load(Ordering::Acquire);
        loop {
            let progress = RampProgress::from_bits(bits);
            if !progress.is_of(generation) {
                return RampAdmission::Stale;
            }
            let ramp_up = self.read();
            let Some(decision) = ramp_up.decide(progress, now) else {
                return RampAdmission::Over;
            };
            let next = decision.progress.bits();
            match self.progress.compare_exchange(bits, next, success, failure) {
                Ok(_) if !decision.is_admitted => {
                    return RampAdmission::Refused(ramp_up.retry_after());
                }
                Ok(_) => {
                    let share = decision.begins_part.then(|| ramp_up.share(now));
                    return RampAdmission::Admitted(share.flatten());
                }
                Err(found) => bits = found,
            }
        }
    }

    /// Returns the share of admitted calls, or `None` if the ramp-up is over. Requires the lock of
    /// the circuit.
    pub(super) fn share(&self, now: Moment) -> Option<f64> {
        self.read().share(now)
    }
}
