//! Ramp-up: a circuit that has just closed admits a growing share of calls.
//!
//! [`SharedRampUp`] decides which calls are admitted. The functions here keep the word in step with
//! it:
//!
//! * [`Circuit::prepare_ramp_up`] stores it, before the word with [`Flags::RAMPING_UP`] is published.
//! * [`Circuit::admit_ramping_up`] decides a call of a word with that flag.
//! * [`Circuit::end_ramp_up`] clears the flag under the lock, at the first call after the end.
//!
//! A transition replaces all flags, so it ends the ramp-up. So do `reset` and new settings without
//! `ramp_up`. A circuit that does not ramp up has no such flag, and its calls never come here.

use super::shared_ramp_up::{RampAdmission, SharedRampUp};
use super::shell::Circuit;
use super::token::CallToken;
use crate::clock::Moment;
use crate::event::Event;
use crate::refusal_details::RefusalDetails;
use crate::state::{Flags, Generation, PackedState, RampUp};
use std::time::Duration;

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
        let shared = self.cold_if_init().and_then(|cold| cold.ramp_up.get());
        let admission = shared.map(|shared| shared.admit(word.generation(), now));
        match admission.unwrap_or(RampAdmission::Over) {
            RampAdmission::Admitted(share) => {
                let token = self.issue_token(word, Some(now));
                if let Some(share) = share {
                    self.emit(|breaker| Event::RampingUp { breaker, share });
                }
                Some(Ok(token))
            }
            RampAdmission::Refused(wait) => {
                let refused = RefusalDetails::new(word, self.failure_count(), now, now.after(wait));
                Some(Err(refused))
            }
            RampAdmission::Over => {
                self.end_ramp_up(word.generation(), now);
                None
            }
            RampAdmission::Stale => None,
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
        shared.share(now).filter(|_| word.has(Flags::RAMPING_UP))
    }
}
