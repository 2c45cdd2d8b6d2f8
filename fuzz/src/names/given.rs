//! Names that are given settings, and taken away.

use super::panel::{Became, Before, is_allowed};
use super::{House, name, settings};
use crate::input::{self, Input};
use arbitrary::Result;
use breakerbox::{CircuitBreaker, Event, RegistryError};

impl House {
    pub(super) fn register(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let threshold = u.int_in_range(1..=9)?;
        let before = self.before();
        let done = self.registry.register(&name, settings(threshold));
        let known = self.panel.kept.get(&name).cloned();
        let events = self.ear.take();
        match done {
            Err(RegistryError::InvalidName { value, .. }) => {
                assert!(!is_allowed(&name) && value.len() < 80);
                assert!(events.is_empty());
            }
            Err(RegistryError::AlreadyRegistered { .. }) => {
                let known = known.expect("registered already");
                assert!(known.lasting);
                self.panel.asked(&name, (threshold, true), &events, &before);
            }
            Err(RegistryError::Full { capacity, .. }) => {
                assert_eq!(capacity, self.panel.capacity);
                let became = self.panel.asked(&name, (threshold, true), &events, &before);
                assert!(matches!(became, Became::NotKept(_)));
            }
            Err(error) => panic!("{error}"),
            Ok(breaker) => {
                assert!(known.as_ref().is_none_or(|known| !known.lasting));
                let adopts = |event: &Event| matches!(event, Event::BreakerAdopted { .. });
                assert_eq!(events.iter().any(adopts), known.is_some());
                self.lasts(&breaker, threshold, &events, &before);
            }
        }
        Ok(())
    }

    pub(super) fn configure(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let threshold = u.int_in_range(1..=9)?;
        let before = self.before();
        let done = self.registry.configure(&name, settings(threshold));
        let events = self.ear.take();
        match done {
            Err(RegistryError::InvalidName { .. }) => assert!(!is_allowed(&name)),
            Err(RegistryError::Full { .. }) => {
                let became = self.panel.asked(&name, (threshold, true), &events, &before);
                assert!(matches!(became, Became::NotKept(_)));
            }
            Err(error) => panic!("{error}"),
            Ok(breaker) => self.lasts(&breaker, threshold, &events, &before),
        }
        Ok(())
    }

    pub(super) fn lasts(
        &mut self,
        found: &CircuitBreaker,
        threshold: u32,
        events: &[Event],
        before: &Before,
    ) {
        let name = found.name();
        self.panel.asked(name, (threshold, true), events, before);
        let entry = self.panel.kept.get_mut(name).expect("it is kept");
        (entry.lasting, entry.threshold) = (true, threshold);
    }

    pub(super) fn remove(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        self.ear.take();
        let removed = self.registry.remove(&name);
        let told = self.ear.take();
        let tells = |event: &Event| matches!(event, Event::BreakerRemoved { .. });
        assert_eq!(told.iter().any(tells), removed.is_some());
        assert_eq!(removed.is_some(), self.panel.kept.remove(&name).is_some());
        assert!(self.registry.get(&name).is_none());
        Ok(())
    }

    /// Commands, and settings given to a handle, which make it last.
    pub(super) fn steer(&mut self, u: &mut Input) -> Result<()> {
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
                let entry = self.panel.kept.get_mut(breaker.name());
                entry.expect("it is kept").lasting = true;
            }
        }
        Ok(())
    }
}
