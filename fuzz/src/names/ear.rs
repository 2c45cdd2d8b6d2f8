//! A listener of the whole registry.

use crate::trouble::blow;
use breakerbox::{BreakerRegistry, Event};
use std::mem;
use std::sync::{Arc, Mutex};

/// Hears of everything, and panics or looks at the registry when it is told to.
#[derive(Clone, Default)]
pub(super) struct Ear(Arc<Mutex<(Vec<Event>, Manners)>>);

#[derive(Clone, Default)]
pub(super) enum Manners {
    #[default]
    Quiet,
    Panics,
    Looks(BreakerRegistry),
}

impl Ear {
    pub(super) fn hear(&self, event: &Event) {
        let manners = {
            let mut heard = self.0.lock().unwrap();
            heard.0.push(event.clone());
            heard.1.clone()
        };
        match manners {
            Manners::Quiet => {}
            Manners::Panics => blow(),
            Manners::Looks(registry) => assert!(registry.len() <= registry.capacity()),
        }
    }

    pub(super) fn take(&self) -> Vec<Event> {
        mem::take(&mut self.0.lock().unwrap().0)
    }

    pub(super) fn behave(&self, manners: Manners) {
        self.0.lock().unwrap().1 = manners;
    }
}
