//! [`BoundedQueue`]: events that wait to be delivered or read.

use super::Event;
use std::collections::VecDeque;

/// The maximum number of events in a queue.
const CAPACITY: usize = 1_024;

/// A queue that drops new events while it is full, and reports their number in their place.
#[derive(Debug, Default)]
pub(crate) struct BoundedQueue {
    events: VecDeque<Event>,
    /// The number of events dropped since the last event in the queue.
    missed: u64,
}

impl BoundedQueue {
    pub(crate) fn push(&mut self, event: Event) {
        if self.events.len() >= CAPACITY {
            self.missed += 1;
            return;
        }
        let missed = self.take_missed();
        self.events.extend(missed);
        self.events.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| self.take_missed())
    }

    /// Returns the number of events that can be popped, including the report about dropped ones.
    pub(crate) fn len(&self) -> usize {
        self.events.len() + usize::from(self.missed > 0)
    }

    fn take_missed(&mut self) -> Option<Event> {
        let events = std::mem::take(&mut self.missed);
        (events > 0).then_some(Event::Missed {
            breaker: None,
            events,
        })
    }
}
