//! [`ChangeQueue`]: the state changes of one circuit that wait for delivery.

use crate::event::{BoundedQueue, Event, MAX_DEPTH};

/// The capacity of the queue. A call may have to deliver all of it, to a listener that may be slow.
const CAPACITY: usize = 32;

/// State changes in their order, and the right of one thread to deliver them.
///
/// # Invariants
///
/// 1. One thread at a time delivers, so that every listener gets the changes in their order.
/// 2. A delivery covers the events that were queued when it began. Events that its own listeners queue
///    are delivered in further rounds, at most as many as listeners may be nested. Therefore no call
///    delivers without end for others. What is left is delivered by the next call.
#[derive(Debug)]
pub(super) struct ChangeQueue {
    events: BoundedQueue,
    /// The number of events that were popped. With the length of the queue, it numbers the events.
    popped: u64,
    delivery: Option<Delivery>,
}

#[derive(Debug)]
struct Delivery {
    /// The thread that delivers.
    thread: usize,
    /// The number of the first event that this round does not deliver.
    end: u64,
    /// The end of the next round, which listeners of this round have requested.
    next_end: u64,
    rounds_left: u32,
}

impl Default for ChangeQueue {
    fn default() -> Self {
        Self {
            events: BoundedQueue::new(CAPACITY),
            popped: 0,
            delivery: None,
        }
    }
}

impl ChangeQueue {
    pub(super) fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Begins a delivery by `thread`. Returns false if there is nothing to deliver, or if a thread delivers
    /// already.
    pub(super) fn try_begin(&mut self, thread: usize) -> bool {
        let end = self.end();
        match &mut self.delivery {
            Some(delivery) if delivery.thread == thread => delivery.next_end = end,
            Some(_) => {}
            None if end == self.popped => {}
            None => {
                self.delivery = Some(Delivery {
                    thread,
                    end,
                    next_end: end,
                    rounds_left: MAX_DEPTH - 1,
                });
                return true;
            }
        }
        false
    }

    /// Returns the next event of the delivery, or `None` at its end.
    pub(super) fn next(&mut self) -> Option<Event> {
        let delivery = self.delivery.as_mut()?;
        if self.popped == delivery.end && delivery.rounds_left > 0 {
            delivery.end = delivery.next_end;
            delivery.rounds_left -= 1;
        }
        if self.popped == delivery.end {
            return None;
        }
        self.popped += 1;
        self.events.pop()
    }

    /// Ends the delivery. Returns whether events are left for the next call.
    pub(super) fn end_delivery(&mut self) -> bool {
        self.delivery = None;
        self.end() > self.popped
    }

    fn end(&self) -> u64 {
        self.popped + self.events.len() as u64
    }
}
