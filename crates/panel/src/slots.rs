//! [`Slots`]: bounds the number of streams.

use crate::lock::lock;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// The most streams at a time.
pub(crate) const MOST_STREAMS: usize = 32;
/// How long a stream may outlive its end. A client that never reads keeps no slot for longer.
const GRACE: Duration = Duration::from_secs(5);

/// The streams of a panel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// The number and the end of each stream.
    slots: Vec<(u64, Instant)>,
}

/// One stream. Dropping it frees the slot.
#[derive(Debug)]
pub(crate) struct Slot {
    number: u64,
    taken: Arc<Mutex<Taken>>,
}

impl Slots {
    /// Takes a slot until `ends`, or returns `None` if there are too many streams.
    pub(crate) fn take(&self, ends: Instant) -> Option<Slot> {
        let mut taken = lock(&self.0);
        let now = Instant::now();
        taken.slots.retain(|(_, ends)| now < *ends + GRACE);
        if taken.slots.len() >= MOST_STREAMS {
            return None;
        }
        let number = taken.next;
        taken.next += 1;
        taken.slots.push((number, ends));
        Some(Slot {
            number,
            taken: self.0.clone(),
        })
    }

    pub(crate) fn has_any(&self) -> bool {
        !lock(&self.0).slots.is_empty()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.slots.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slots_are_bounded_and_freed() {
        let slots = Slots::default();
        let ends = Instant::now() + Duration::from_secs(300);
        let mut taken: Vec<_> = (0..MOST_STREAMS).filter_map(|_| slots.take(ends)).collect();
        assert_eq!(taken.len(), MOST_STREAMS);
        assert!(slots.take(ends).is_none());
        taken.pop();
        assert!(
            slots.take(ends).is_some(),
            "a dropped stream frees its slot"
        );
        let kept = slots.take(ends).expect("free again");
        // Clients that never read do not drop their streams.
        tokio::time::advance(Duration::from_secs(306)).await;
        assert!(slots.take(ends + Duration::from_secs(300)).is_some());
        drop((kept, taken));
        assert!(!slots.has_any());
    }
}
