//! What is copied at the moment of a refusal.

use crate::state::{Generation, Refusal};
use crate::sync::Ordering;
use crate::sync::plain::AtomicU64;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) reason: Refusal,
    pub(crate) generation: Generation,
    pub(crate) failure_count: u32,
    /// Never zero.
    pub(crate) retry_after: Option<Duration>,
}

/// The same in a place that is used again, so that an error is a pointer and costs no allocation.
///
/// Written only by a thread that holds the sole reference to it, before it hands out another: every
/// access is relaxed, and atomic only since two threads have it one after the other.
#[derive(Debug)]
pub(crate) struct Notice {
    /// Failures in the upper half, then the generation above two bits of reason.
    facts: AtomicU64,
    /// Nanoseconds; zero for none, all bits set for ever.
    retry_after: AtomicU64,
}

impl Notice {
    pub(crate) fn new(refused: Refused) -> Self {
        let (facts, retry_after) = pack(refused);
        Self {
            facts: AtomicU64::new(facts),
            retry_after: AtomicU64::new(retry_after),
        }
    }

    #[inline]
    pub(crate) fn write(&self, refused: Refused) {
        let (facts, retry_after) = pack(refused);
        self.facts.store(facts, Ordering::Relaxed);
        self.retry_after.store(retry_after, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Refused {
        let facts = self.facts.load(Ordering::Relaxed);
        let nanos = self.retry_after.load(Ordering::Relaxed);
        Refused {
            reason: match facts & 0b11 {
                0 => Refusal::Open,
                1 => Refusal::TrialsTaken,
                _ => Refusal::Forced,
            },
            #[allow(clippy::cast_possible_truncation)] // the halves
            generation: Generation::from_number((facts as u32) >> 2),
            failure_count: (facts >> 32) as u32,
            retry_after: match nanos {
                0 => None,
                u64::MAX => Some(Duration::MAX),
                nanos => Some(Duration::from_nanos(nanos)),
            },
        }
    }
}

#[inline]
fn pack(refused: Refused) -> (u64, u64) {
    let reason = match refused.reason {
        Refusal::Open => 0,
        Refusal::TrialsTaken => 1,
        Refusal::Forced => 2,
    };
    let generation = u64::from(refused.generation.number()) << 2;
    let failures = u64::from(refused.failure_count) << 32;
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let retry_after = refused.retry_after.map_or(0, nanos);
    (failures | generation | reason, retry_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let times = [
            None,
            Some(Duration::from_nanos(1)),
            Some(Duration::from_secs(30)),
            Some(Duration::MAX),
        ];
        for reason in [Refusal::Open, Refusal::TrialsTaken, Refusal::Forced] {
            for retry_after in times {
                for number in [0, 1, (1 << 25) - 1] {
                    let refused = Refused {
                        reason,
                        generation: Generation::from_number(number),
                        failure_count: u32::MAX - number,
                        retry_after,
                    };
                    let read = Notice::new(refused).read();
                    assert_eq!(format!("{read:?}"), format!("{refused:?}"));
                }
            }
        }
    }
}
