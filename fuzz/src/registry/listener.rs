//! A listener of the whole registry.

use crate::errors::panic_on_purpose;
use breakerbox::{BreakerRegistry, Event};
use std::mem;
use std::sync::{Arc, Mutex};

/// Records all events. If configured, also panics or reads the registry.
#[derive(Clone, Default)]
pub(super) struct TestListener(Arc<Mutex<(Vec<Event>, Behavior)>>);

#[derive(Clone, Default)]
pub(super) enum Behavior {
    #[default]
    Record,
    Panic,
    Read(BreakerRegistry),
}

impl TestListener {
    pub(super) fn on_event(&self, event: &Event) {
        let behavior = {
            let mut state = self.0.lock().unwrap();
            state.0.push(event.clone());
            state.1.clone()
        };
        match behavior {
            Behavior::Record => {}
            Behavior::Panic => panic_on_purpose(),
            Behavior::Read(registry) => assert!(registry.len() <= registry.capacity()),
        }
    }

    pub(super) fn take(&self) -> Vec<Event> {
        mem::take(&mut self.0.lock().unwrap().0)
    }

    pub(super) fn set_behavior(&self, behavior: Behavior) {
        self.0.lock().unwrap().1 = behavior;
    }
}
