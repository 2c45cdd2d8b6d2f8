//! Ramp-up: a circuit that has just closed admits a growing share of calls.
//!
//! [`RampUp`] decides which calls are admitted. This file shares one ramp-up between threads:
//!
//! * [`Circuit::prepare_ramp_up`] stores it, before the word with [`Flags::RAMPING_UP`] is published.
//! * [`Circuit::admit_ramping_up`] decides a call with one compare-and-swap of its progress.
//! * [`Circuit::end_ramp_up`] clears the flag under the lock, at the first call after the end.
//!
//! A transition replaces all flags, so it ends the ramp-up. So do `reset` and new settings without
//! `ramp_up`. A circuit that does not ramp up has no such flag, and its calls never come here.

use super::shell::Circuit;
use super::token::CallToken;
use crate::clock::Moment;
use crate::event::Event;
use crate::refusal_details::RefusalDetails;
use crate::state::{Flags, Generation, PackedState, RampProgress, RampUp};
use crate::sync::{AtomicU64, Ordering};
use std::time::Duration;

/// The latest ramp-up of a circuit.
///
/// # Invariants
///
/// 1. `progress` contains the generation that ramps up. [`begin`](Self::begin) replaces it before
///    the other fields, and under the lock. A thread whose compare-and-swap of `progress` succeeds
///    has therefore read the values of its own generation.
/// 2. `start` and `length` change only in `begin`.
#[derive(Debug)]
pub(super) struct SharedRampUp {
    progress: AtomicU64,
    start: AtomicU64,
    length: AtomicU64,
}

impl SharedRampUp {
    fn new() -> Self {
        Self {
            progress: AtomicU64::new(0),
            start: AtomicU64::new(0),
            length: AtomicU64::new(0),
        }
    }

    fn begin(&self, generation: Generation, ramp_up: RampUp) {
        let progress = RampProgress::new(generation);
        // Ordering: `Release` here pairs with the `Acquire` loads in `decide_ramping_up`; without it a
        // call that finds another generation could load the word of the earlier ramp-up again. A swap,
        // because loom does not order a store after a concurrent compare-and-swap.
        self.progress.swap(progress.bits(), Ordering::Release);
        // Ordering: `Release` here pairs with the `Acquire` loads in `read`; without it a reader
        // could find the new start, and still replace the progress of the earlier ramp-up.
        self.start
            .store(ramp_up.start.as_nanos(), Ordering::Release);
        self.length.store(ramp_up.length, Ordering::Release);
    }

    fn read(&self) -> RampUp {
        // Ordering: see `begin`.
        RampUp {
            start: Moment::from_nanos(self.start.load(Ordering::Acquire)),
            length: self.length.load(Ordering::Acquire),
        }
    }
}

/// The decision about a call of a circuit that ramps up.
enum Decision {
    /// The call is admitted. It is the first of its part if there is a share to report.
    Admitted(Option<f64>),
    Refused(Duration),
    /// The ramp-up is over.
    Over,
    /// Another ramp-up has begun, so the word has changed as well.
    Stale,
}

impl Circuit {
    /// Stores a ramp-up of `length`, for a word that the holder of the lock is about to publish.
    pub(super) fn prepare_ramp_up(&self, word: PackedState, start: Moment, length: Duration) {
        let ramp_up = self.cold().ramp_up.get_or_init(SharedRampUp::new);
        ramp_up.begin(word.generation(), RampUp::new(start, length));
    }

    /// Admits or refuses a call, whose circuit ramps up according to `word`. Returns `None` if the
    /// word has changed.
    ///
    /// Does not [count](Self::count_refusal) a refusal.
    #[cold]
    #[inline(never)]
    pub(super) fn admit_ramping_up(
        &self,
        word: PackedState,
    ) -> Option<Result<CallToken, RefusalDetails>> {
        let now = self.context.clock.now();
        match self.decide_ramping_up(word.generation(), now) {
            Decision::Admitted(share) => {
                let token = self.issue_token(word, Some(now));
                if let Some(share) = share {
                    self.emit(|breaker| Event::RampingUp { breaker, share });
                }
                Some(Ok(token))
            }
            Decision::Refused(wait) => {
                let failures = match word.failures() {
                    // A buffered success may have reset the failures.
                    1.. if word.has(Flags::BUFFER_SUCCESSES) => self.failure_count(),
                    failures => failures,
                };
                let refused = RefusalDetails::new(word, failures, now, now.after(wait));
                Some(Err(refused))
            }
            Decision::Over => {
                self.end_ramp_up(word.generation(), now);
                None
            }
            Decision::Stale => None,
        }
    }

    fn decide_ramping_up(&self, generation: Generation, now: Moment) -> Decision {
        let cold = self.cold_if_init();
        let Some(shared) = cold.and_then(|cold| cold.ramp_up.get()) else {
            return Decision::Over;
        };
        // Ordering: see `begin`. A compare-and-swap that succeeds publishes nothing.
        let (success, failure) = (Ordering::Relaxed, Ordering::Acquire);
        let mut bits = shared.progress.load(Ordering::Acquire);
        loop {
            let progress = RampProgress::from_bits(bits);
            if !progress.is_of(generation) {
                return Decision::Stale;
            }
            let ramp_up = shared.read();
            let Some(decision) = ramp_up.decide(progress, now) else {
                return Decision::Over;
            };
            let next = decision.progress.bits();
            match shared
                .progress
                .compare_exchange(bits, next, success, failure)
            {
                Ok(_) if !decision.is_admitted => {
                    return Decision::Refused(ramp_up.retry_after());
                }
                Ok(_) => {
                    let share = decision.begins_part.then(|| ramp_up.share(now));
                    return Decision::Admitted(share.flatten());
                }
                Err(found) => bits = found,
            }
        }
    }

    /// Ends the ramp-up of `generation` if it is over at `now`, and sends an event.
    fn end_ramp_up(&self, generation: Generation, now: Moment) {
        let locked = self.locked.lock();
        let word = self.word();
        // Checked under the lock: the circuit may ramp up again, in another generation.
        let ends = word.generation() == generation
            && word.has(Flags::RAMPING_UP)
            && self.ramp_up_share(word, now).is_none();
        if ends {
            self.update_word(|word| word.without(Flags::RAMPING_UP));
        }
        drop(locked);
        if ends {
            self.emit(|breaker| Event::RampingUp {
                breaker,
                share: 1.0,
            });
        }
    }

    /// Returns the share of calls that a circuit with `word` admits, or `None` if it does not ramp
    /// up. Requires the lock, under which `word` was loaded.
    pub(super) fn ramp_up_share(&self, word: PackedState, now: Moment) -> Option<f64> {
        let shared = self.cold_if_init()?.ramp_up.get()?;
        let ramp_up = shared.read();
        ramp_up.share(now).filter(|_| word.has(Flags::RAMPING_UP))
    }
}
