//! What is copied at the moment of a refusal.

use crate::clock::Moment;
use crate::state::{Generation, PackedState, Refusal, State};
use std::time::Duration;

/// The values of the moment of a refusal; two words, so that an error about it stays small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Refused {
    /// The word that refused, with the consecutive failures as its payload. Its state is the reason.
    word: PackedState,
    /// Nanoseconds until the next slot; `u64::MAX` when the wait has no end.
    wait: u64,
}

impl Refused {
    /// A refusal by `word` at `now`, after so many failures in a row. Calls may be admitted again at
    /// `end`, unless the circuit is forced open.
    #[inline]
    pub(crate) const fn new(word: PackedState, failures: u32, now: Moment, end: Moment) -> Self {
        let word = word.with_failures(failures);
        let wait = now.nanos_until(end);
        Self { word, wait }
    }

    pub(crate) const fn reason(self) -> Refusal {
        match self.word.state() {
            State::Open => Refusal::Open,
            State::HalfOpen => Refusal::TrialsTaken,
            _ => Refusal::Forced,
        }
    }

    pub(crate) const fn generation(self) -> Generation {
        self.word.generation()
    }

    pub(crate) const fn failure_count(self) -> u32 {
        self.word.failures()
    }

    /// Never zero; [`Duration::MAX`] when the wait has no end.
    pub(crate) const fn retry_after(self) -> Option<Duration> {
        match (self.reason(), self.wait) {
            (Refusal::Forced, _) => None,
            (_, u64::MAX) => Some(Duration::MAX),
            // The precise end may lie before a coarse reading, or a racing one.
            (_, 0) => Some(Duration::from_nanos(1)),
            (_, nanos) => Some(Duration::from_nanos(nanos)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Flags;

    #[test]
    fn refused_keeps_reason_generation_failures_and_wait() {
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
        ];
        for (state, reason) in states {
            let word = PackedState::new(state, Flags::COUNT_SUCCESSES).next_generation();
            for (end, retry_after) in ends {
                for failures in [0, 5, u32::MAX] {
                    let refused = Refused::new(word, failures, now, end);
                    assert_eq!(refused.reason(), reason);
                    assert_eq!(refused.generation(), word.generation());
                    assert_eq!(refused.failure_count(), failures);
                    let retry_after = Some(retry_after).filter(|_| state != State::ForcedOpen);
                    assert_eq!(refused.retry_after(), retry_after);
                }
            }
        }
    }
}
