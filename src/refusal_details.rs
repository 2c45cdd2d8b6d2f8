//! [`RefusalDetails`]: the state of a circuit at the time of a refusal.

use crate::clock::Moment;
use crate::state::{Flags, Generation, PackedState, Refusal, State};
use std::time::Duration;

/// A copy of the state of a circuit at the time of a refusal. Takes 16 bytes, so that errors stay small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RefusalDetails {
    /// The packed state that refused the call. Its state gives the reason, and its payload holds the
    /// consecutive failures.
    word: PackedState,
    /// Nanoseconds until a call may be admitted, or `u64::MAX` if the wait has no end.
    wait: u64,
}

impl RefusalDetails {
    /// Creates the details of a refusal by `word` at `now`, after `failures` consecutive failures. A call
    /// may be admitted at `end`, unless the circuit is forced open.
    #[inline]
    pub(crate) const fn new(word: PackedState, failures: u32, now: Moment, end: Moment) -> Self {
        let word = word.with_failures(failures);
        let wait = now.nanos_until(end);
        Self { word, wait }
    }

    /// Creates the details of a refusal by no circuit: the same as those of a circuit that is forced open.
    pub(crate) const fn by_no_circuit() -> Self {
        let word = PackedState::new(State::ForcedOpen, Flags::NONE);
        Self::new(word, 0, Moment::ORIGIN, Moment::ORIGIN)
    }

    pub(crate) const fn reason(self) -> Refusal {
        match self.word.state() {
            State::Open => Refusal::Open,
            State::HalfOpen => Refusal::TrialsTaken,
            State::Closed => Refusal::RampingUp,
            _ => Refusal::Forced,
        }
    }

    pub(crate) const fn generation(self) -> Generation {
        self.word.generation()
    }

    pub(crate) const fn failure_count(self) -> u32 {
        self.word.failures()
    }

    /// Returns the remaining wait: never zero, [`Duration::MAX`] if it has no end, and `None` if the circuit
    /// is forced open.
    pub(crate) const fn retry_after(self) -> Option<Duration> {
        match (self.reason(), self.wait) {
            (Refusal::Forced, _) => None,
            (_, u64::MAX) => Some(Duration::MAX),
            // `end` may be before `now`: the clock may have been read later, or with the error of a coarse
            // reading.
            (_, 0) => Some(Duration::from_nanos(1)),
            (_, nanos) => Some(Duration::from_nanos(nanos)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_details_keep_word_and_wait() {
        let now = Moment::from_nanos(7);
        let ends = [
            (now, Duration::from_nanos(1)),
            (now.after(Duration::from_secs(30)), Duration::from_secs(30)),
            (Moment::NEVER, Duration::MAX),
        ];
        let states = [
            (State::Open, Refusal::Open),
            (State::HalfOpen, Refusal::TrialsTaken),
            (State::ForcedOpen, Refusal::Forced),
            (State::Closed, Refusal::RampingUp),
        ];
        for (state, reason) in states {
            let word = PackedState::new(state, Flags::COUNT_SUCCESSES).next_generation();
            for (end, retry_after) in ends {
                for failures in [0, 5, u32::MAX] {
                    let details = RefusalDetails::new(word, failures, now, end);
                    assert_eq!(details.reason(), reason);
                    assert_eq!(details.generation(), word.generation());
                    assert_eq!(details.failure_count(), failures);
                    let retry_after = Some(retry_after).filter(|_| state != State::ForcedOpen);
                    assert_eq!(details.retry_after(), retry_after);
                }
            }
        }
    }
}
