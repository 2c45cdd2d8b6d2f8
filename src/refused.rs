//! What is copied at the moment of a refusal.

use crate::clock::Moment;
use crate::state::{Generation, Refusal, State, Word};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Two words, so that it stays in registers on its way to the error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Refused {
    /// The word that refused, with the failures in a row for its payload. Its state is the reason.
    word: Word,
    /// Nanoseconds; zero for none, all bits set for ever.
    retry_after: u64,
}

impl Refused {
    /// By `word`, after so many failures in a row; there may be a slot at `end`.
    #[inline]
    pub(crate) const fn new(word: Word, failures: u32, now: Moment, end: Option<Moment>) -> Self {
        let retry_after = match end {
            None => 0,
            // Never zero: the precise end may lie behind a coarse reading, or a racing one.
            Some(end) => match now.nanos_until(end) {
                0 => 1,
                nanos => nanos,
            },
        };
        Self {
            word: word.with_count(failures),
            retry_after,
        }
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
        match self.retry_after {
            0 => None,
            u64::MAX => Some(Duration::MAX),
            nanos => Some(Duration::from_nanos(nanos)),
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
    retry_after: AtomicU64,
}

impl Notice {
    pub(crate) fn new(refused: Refused) -> Self {
        Self {
            word: AtomicU64::new(refused.word.bits()),
            retry_after: AtomicU64::new(refused.retry_after),
        }
    }

    #[inline]
    pub(crate) fn write(&self, refused: Refused) {
        self.word.store(refused.word.bits(), Ordering::Relaxed);
        self.retry_after
            .store(refused.retry_after, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Refused {
        Refused {
            word: Word::from_bits(self.word.load(Ordering::Relaxed)),
            retry_after: self.retry_after.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Flags;

    #[test]
    fn what_is_written_is_read() {
        let now = Moment::from_nanos(7);
        let ends = [
            (None, None),
            (Some(now), Some(Duration::from_nanos(1))),
            (
                Some(now.after(Duration::from_secs(30))),
                Some(Duration::from_secs(30)),
            ),
            (Some(Moment::NEVER), Some(Duration::MAX)),
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
                    assert_eq!(read.retry_after(), retry_after);
                }
            }
        }
    }
}
