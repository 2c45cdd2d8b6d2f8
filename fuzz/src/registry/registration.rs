//! Registration, configuration and removal of names.

use super::model::{Lookup, PriorState, is_allowed};
use super::{RegistryWorld, name, settings};
use crate::input::{self, Input};
use arbitrary::Result;
use breakerbox::{CircuitBreaker, Event, RegistryError};

impl RegistryWorld {
    pub(super) fn register(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let threshold = u.int_in_range(1..=9)?;
        let before = self.prior_state();
        let outcome = self.registry.register(&name, settings(threshold));
        let known = self.model.entries.get(&name).cloned();
        let events = self.listener.take();
        match outcome {
            Err(RegistryError::InvalidName { value, .. }) => {
                assert!(!is_allowed(&name) && value.len() < 80);
                assert!(events.is_empty());
            }
            Err(RegistryError::AlreadyRegistered { .. }) => {
                let known = known.expect("registered already");
                assert!(known.permanent);
                self.model
                    .record_lookup(&name, (threshold, true), &events, &before);
            }
            Err(RegistryError::Full { capacity, .. }) => {
                assert_eq!(capacity, self.model.capacity);
                let result = self
                    .model
                    .record_lookup(&name, (threshold, true), &events, &before);
                assert!(matches!(result, Lookup::NotKept(_)));
            }
            Err(error) => panic!("{error}"),
            Ok(breaker) => {
                assert!(known.as_ref().is_none_or(|known| !known.permanent));
                let is_adoption = |event: &Event| matches!(event, Event::BreakerAdopted { .. });
                assert_eq!(events.iter().any(is_adoption), known.is_some());
                self.record_permanent(&breaker, threshold, &events, &before);
            }
        }
        Ok(())
    }

    pub(super) fn configure(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let threshold = u.int_in_range(1..=9)?;
        let before = self.prior_state();
        let outcome = self.registry.configure(&name, settings(threshold));
        let events = self.listener.take();
        match outcome {
            Err(RegistryError::InvalidName { .. }) => assert!(!is_allowed(&name)),
            Err(RegistryError::Full { .. }) => {
                let result = self
                    .model
                    .record_lookup(&name, (threshold, true), &events, &before);
                assert!(matches!(result, Lookup::NotKept(_)));
            }
            Err(error) => panic!("{error}"),
            Ok(breaker) => self.record_permanent(&breaker, threshold, &events, &before),
        }
        Ok(())
    }

    pub(super) fn record_permanent(
        &mut self,
        found: &CircuitBreaker,
        threshold: u32,
        events: &[Event],
        before: &PriorState,
    ) {
        let name = found.name();
        self.model
            .record_lookup(name, (threshold, true), events, before);
        let entry = self
            .model
            .entries
            .get_mut(name)
            .expect("it is in the registry");
        (entry.permanent, entry.threshold) = (true, threshold);
    }

    pub(super) fn remove(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        self.listener.take();
        let removed = self.registry.remove(&name);
        let events = self.listener.take();
        let is_removal = |event: &Event| matches!(event, Event::BreakerRemoved { .. });
        assert_eq!(events.iter().any(is_removal), removed.is_some());
        assert_eq!(
            removed.is_some(),
            self.model.entries.remove(&name).is_some()
        );
        assert!(self.registry.get(&name).is_none());
        Ok(())
    }

    /// Sends a command to a breaker, or configures it, which makes it permanent.
    pub(super) fn send_command(&mut self, u: &mut Input) -> Result<()> {
        let which = u.arbitrary::<u8>()?;
        let all: Vec<_> = self.registry.iter().collect();
        if all.is_empty() {
            return Ok(());
        }
        let breaker = &all[usize::from(which) % all.len()];
        match u.int_in_range(0..=6)? {
            0 => breaker.trip(),
            1 => breaker.trip_for(input::time(u)?),
            2 => breaker.half_open(),
            3 => breaker.force_open(),
            4 => breaker.metrics_only(),
            5 => breaker.reset(),
            _ => {
                assert!(breaker.configure(|same| same).is_ok());
                let entry = self.model.entries.get_mut(breaker.name());
                entry.expect("it is in the registry").permanent = true;
            }
        }
        Ok(())
    }
}
