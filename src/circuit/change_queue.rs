//! [`ChangeQueue`]: the state changes of one circuit that wait for delivery.

use crate::event::{BoundedQueue, Event};

/// The maximum number of events that one call delivers. A bound is needed because listeners may be
/// slow.
const MAX_DELIVERED: u32 = 32;

/// State changes in their order, and the right of one thread to deliver them.
///
/// # Invariants
///
/// 1. One thread delivers at a time, so every listener receives the changes in their order.
/// 2. A delivery covers the events that were queued when it began, and those that its own listeners
///    queue, at most [`MAX_DELIVERED`]. Therefore no call waits for the events of later calls, and
///    a delivery ends even if a listener changes the state at each event. The next call delivers
///    the events that are left.
#[derive(Debug, Default)]
pub(super) struct ChangeQueue {
    events: BoundedQueue,
    delivery: Option<Delivery>,
}

#[derive(Debug)]
struct Delivery {
    /// The thread that delivers.
    thread: usize,
    /// The number of queued events that the delivery covers.
    covered: usize,
    /// The number of events that may still be delivered.
    remaining: u32,
}

impl ChangeQueue {
    pub(super) fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Begins a delivery by `thread`. Returns `false` if there is nothing to deliver, or if a
    /// thread is already delivering. If that thread is `thread`, its delivery is extended to all
    /// queued events.
    pub(super) fn try_begin(&mut self, thread: usize) -> bool {
        let covered = self.events.len();
        match &mut self.delivery {
            Some(delivery) if delivery.thread == thread => delivery.covered = covered,
            Some(_) => {}
            None if covered == 0 => {}
            None => {
                self.delivery = Some(Delivery {
                    thread,
                    covered,
                    remaining: MAX_DELIVERED,
                });
                return true;
            }
        }
        false
    }

    /// Returns the next event of the delivery, or `None` at its end.
    pub(super) fn next(&mut self) -> Option<Event> {
        let delivery = self.delivery.as_mut()?;
        delivery.covered = delivery.covered.checked_sub(1)?;
        delivery.remaining = delivery.remaining.checked_sub(1)?;
        self.events.pop()
    }

    /// Ends the delivery. Returns `true` if events are left for the next call.
    pub(super) fn end_delivery(&mut self) -> bool {
        self.delivery = None;
        self.events.len() > 0
    }
}
