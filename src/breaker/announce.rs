//! Who hears of it.

use super::circuit::Circuit;
use crate::classify::ErrorType;
use crate::config::BreakerConfig;
use crate::event::{Audience, Event, EventStream, Streams};
use crate::state::{Flags, State, Word};
use crate::sync::Ordering;
use std::sync::Arc;

impl Circuit {
    /// Sets the busy flag: the next success has more to do than to be counted.
    pub(crate) fn set_busy(&self) {
        self.word.fetch_or(
            Word::new(State::Closed, Flags::BUSY).bits(),
            Ordering::AcqRel,
        );
    }

    /// An error of a type that no rule knows; says so once a type.
    pub(crate) fn meet_unknown(&self, error: ErrorType) {
        if self.word().state() == State::Disabled {
            return;
        }
        let first = self.control.lock().meets_first(error.id);
        if first {
            self.emit(|breaker| Event::UnknownErrorType {
                breaker,
                error_type: error.name,
            });
        }
    }

    fn audience<'a>(&'a self, config: &'a BreakerConfig) -> Audience<'a> {
        self.home.audience(config, self.streams.get())
    }

    pub(super) fn is_heard(&self, config: &BreakerConfig) -> bool {
        self.audience(config).is_there()
    }

    pub(super) fn subscribe(&self) -> EventStream {
        let stream = self.streams.get_or_init(Streams::default).subscribe();
        self.set_busy();
        stream
    }

    /// Tells an event that needs no order, if anybody listens.
    pub(super) fn emit(&self, event: impl FnOnce(Arc<str>) -> Event) {
        let config = self.config.load();
        let audience = self.audience(&config);
        if audience.is_there() {
            audience.tell(&event(self.name.clone()));
        }
    }

    /// Tells the state changes that wait, in their order: one thread at a time, outside the lock.
    /// Whoever comes while another does leaves it to that one.
    pub(super) fn deliver(&self) {
        if !self.control.lock().begins_delivery() {
            return;
        }
        let mut delivery = Delivery {
            circuit: self,
            over: false,
        };
        while let Some(event) = delivery.next() {
            let config = self.config.load();
            self.audience(&config).tell(&event);
        }
    }
}

/// One thread's turn to tell. It ends with the last event, or when that thread unwinds out of it.
struct Delivery<'a> {
    circuit: &'a Circuit,
    over: bool,
}

impl Delivery<'_> {
    fn next(&mut self) -> Option<Event> {
        let next = self.circuit.control.lock().next_event();
        self.over = next.is_none();
        next
    }
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.circuit.control.lock().end_delivery();
        }
    }
}
