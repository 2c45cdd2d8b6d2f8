//! What is copied at the moment of a refusal.

use crate::clock::Moment;
use crate::state::{Flags, Generation, Refusal, State, Word};
use crate::sync::Ordering;
use crate::sync::plain::AtomicU64;
use std::time::Duration;

/// Three words as they were found, so that it stays in registers on its way to the error. What they mean is
/// worked out when somebody asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Refused {
    /// The word that refused, with the failures in a row for its payload. Its state is the reason.
    word: Word,
    now: Moment,
    /// When there may be a slot, unless somebody forced the circuit open.
    end: Moment,
}

impl Refused {
    /// By `word`, after so many failures in a row; there may be a slot at `end`.
    #[inline]
    pub(crate) const fn new(word: Word, failures: u32, now: Moment, end: Moment) -> Self {
        let word = word.with_count(failures);
        Self { word, now, end }
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
        self.word.count()
    }

    /// Never zero; [`Duration::MAX`] for ever.
    pub(crate) const fn retry_after(self) -> Option<Duration> {
        match (self.reason(), self.now.nanos_until(self.end)) {
            (Refusal::Forced, _) => None,
            (_, u64::MAX) => Some(Duration::MAX),
            // The precise end may lie behind a coarse reading, or a racing one.
            (_, 0) => Some(Duration::from_nanos(1)),
            (_, nanos) => Some(Duration::from_nanos(nanos)),
        }
    }
}

/// The same in a place that is used again, so that an error is a pointer and costs no allocation.
///
/// Written only by a thread that holds the sole reference to it, before it hands out another: every
/// access is relaxed, and atomic only since two threads have it one after the other.
#[derive(Debug)]
pub(crate) struct Notice {
    word: AtomicU64,
    now: AtomicU64,
    end: AtomicU64,
}

impl Notice {
    pub(crate) fn new(refused: Refused) -> Self {
        Self {
            word: AtomicU64::new(refused.word.bits()),
            now: AtomicU64::new(refused.now.as_nanos()),
            end: AtomicU64::new(refused.end.as_nanos()),
        }
    }

    #[inline]
    pub(crate) fn write(&self, refused: Refused) {
        self.word.store(refused.word.bits(), Ordering::Relaxed);
        self.now.store(refused.now.as_nanos(), Ordering::Relaxed);
        self.end.store(refused.end.as_nanos(), Ordering::Relaxed);
    }

    fn word(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Relaxed))
    }

    /// Whether somebody may want to hear of it.
    #[inline]
    pub(crate) fn is_heard(&self) -> bool {
        self.word().has(Flags::BUSY)
    }

    pub(crate) fn read(&self) -> Refused {
        Refused {
            word: self.word(),
            now: Moment::from_nanos(self.now.load(Ordering::Relaxed)),
            end: Moment::from_nanos(self.end.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
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
            let word = Word::new(state, Flags::COUNTING).renewed();
            for (end, retry_after) in ends {
                for failures in [0, 5, u32::MAX] {
                    let refused = Refused::new(word, failures, now, end);
                    let read = Notice::new(refused).read();
                    assert_eq!(read, refused);
                    assert_eq!(read.reason(), reason);
                    assert_eq!(read.generation(), word.generation());
                    assert_eq!(read.failure_count(), failures);
                    let retry_after = Some(retry_after).filter(|_| state != State::ForcedOpen);
                    assert_eq!(read.retry_after(), retry_after);
                }
            }
        }
    }
}
