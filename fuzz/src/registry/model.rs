//! A model of a registry: which breakers must not be evicted. The choice among the others is left
//! open.

use breakerbox::{Event, NotKept, State};
use std::collections::BTreeMap;
use std::time::Duration;

/// Identifies a breaker among all breakers that have had its name.
pub(crate) type BreakerId = u64;

pub(crate) struct RegistryModel {
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) capacity: usize,
    pub(crate) idle: Option<Duration>,
    /// Prefixes, each with a threshold that identifies its preset.
    pub(crate) presets: Vec<(String, u32)>,
    last_id: BreakerId,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) id: BreakerId,
    pub(crate) permanent: bool,
    pub(crate) threshold: u32,
    /// When the name was last looked up.
    pub(crate) used: Duration,
    /// The number of calls that ended.
    pub(crate) ended: u64,
    pub(crate) refused: u64,
}

/// The state before a step.
pub(crate) struct PriorState {
    pub(crate) now: Duration,
    pub(crate) states: BTreeMap<String, State>,
    pub(crate) held: Vec<BreakerId>,
}

/// The result of looking up a name.
#[derive(Debug, PartialEq)]
pub(crate) enum Lookup {
    Found(BreakerId),
    Added(BreakerId),
    NotKept(NotKept),
}

pub(crate) fn is_allowed(name: &str) -> bool {
    (1..=256).contains(&name.len())
}

impl RegistryModel {
    pub(crate) fn new(capacity: usize, idle: Option<Duration>, default: u32) -> Self {
        Self {
            entries: BTreeMap::new(),
            capacity,
            idle,
            presets: vec![(String::new(), default)],
            last_id: 0,
        }
    }

    /// Returns the threshold of the longest matching prefix. Of equal prefixes, the last one wins.
    pub(crate) fn preset_threshold(&self, name: &str) -> u32 {
        let matching = self
            .presets
            .iter()
            .filter(|(prefix, _)| name.starts_with(prefix));
        matching
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or(0, |(_, threshold)| *threshold)
    }

    /// Updates the model with the `events` of a lookup of `name`.
    pub(crate) fn record_lookup(
        &mut self,
        name: &str,
        (threshold, permanent): (u32, bool),
        events: &[Event],
        before: &PriorState,
    ) -> Lookup {
        if !is_allowed(name) {
            assert!(
                events.iter().all(is_not_kept),
                "an invalid name: {events:?}"
            );
            return Lookup::NotKept(NotKept::InvalidName);
        }
        if let Some(entry) = self.entries.get_mut(name) {
            assert!(events.iter().all(is_adopted), "a known name: {events:?}");
            entry.used = before.now;
            return Lookup::Found(entry.id);
        }
        let was_full = self.entries.len() >= self.capacity;
        let mut result = None;
        for event in events {
            match event {
                Event::BreakerEvicted { breaker, .. } => {
                    self.record_eviction(breaker, was_full, before);
                }
                Event::BreakerAdded { breaker, .. } => {
                    assert_eq!(**breaker, *name);
                    result = Some(Lookup::Added(
                        self.add(name, threshold, permanent, before.now),
                    ));
                }
                Event::NotKept {
                    breaker, reason, ..
                } => {
                    assert_eq!(**breaker, *name);
                    assert_eq!(*reason, NotKept::NoRoom);
                    self.assert_no_room(before);
                    result = Some(Lookup::NotKept(*reason));
                }
                _ => {}
            }
        }
        result.unwrap_or_else(|| {
            // If there is no room for a permanent breaker, an error is returned instead of an
            // event.
            assert!(permanent, "no event about {name:?}");
            self.assert_no_room(before);
            Lookup::NotKept(NotKept::NoRoom)
        })
    }

    fn add(&mut self, name: &str, threshold: u32, permanent: bool, now: Duration) -> BreakerId {
        self.last_id += 1;
        let entry = Entry {
            id: self.last_id,
            permanent,
            threshold,
            used: now,
            ended: 0,
            refused: 0,
        };
        let other = self.entries.insert(name.to_owned(), entry);
        assert!(other.is_none(), "one breaker per name");
        assert!(self.entries.len() <= self.capacity, "above the capacity");
        self.last_id
    }

    fn record_eviction(&mut self, name: &str, was_full: bool, before: &PriorState) {
        let evicted = self
            .entries
            .remove(name)
            .expect("an evicted breaker was in the registry");
        assert!(!evicted.permanent, "evicted although permanent");
        assert!(!before.held.contains(&evicted.id), "evicted while held");
        let state = before.states[name];
        let protects = matches!(state, State::Open | State::ForcedOpen | State::MetricsOnly);
        assert!(!protects, "evicted while {state}");
        if !was_full {
            let idle = self.idle.expect("there was room");
            assert!(
                before.now.saturating_sub(evicted.used) >= idle,
                "evicted before the idle timeout"
            );
        }
    }

    /// Asserts that no breaker can be evicted.
    ///
    /// A closed breaker that was created by use and is not held can always be evicted. The sample
    /// of candidates includes all breakers, because there are so few.
    fn assert_no_room(&self, before: &PriorState) {
        assert_eq!(self.entries.len(), self.capacity, "there is room");
        for (name, entry) in &self.entries {
            let stays = entry.permanent || before.held.contains(&entry.id);
            let state = before.states.get(name);
            assert!(
                stays || state != Some(&State::Closed),
                "{name:?} can be evicted"
            );
        }
    }

    pub(crate) fn entry_mut(&mut self, id: BreakerId) -> Option<&mut Entry> {
        self.entries.values_mut().find(|entry| entry.id == id)
    }
}

fn is_not_kept(event: &Event) -> bool {
    match event {
        Event::NotKept {
            breaker, reason, ..
        } => breaker.len() <= 256 && *reason == NotKept::InvalidName,
        _ => is_of_calls(event),
    }
}

fn is_adopted(event: &Event) -> bool {
    matches!(event, Event::BreakerAdopted { .. }) || is_of_calls(event)
}

/// Returns `true` for events that do not change which breakers are in the registry.
fn is_of_calls(event: &Event) -> bool {
    !matches!(
        event,
        Event::BreakerAdded { .. }
            | Event::BreakerAdopted { .. }
            | Event::BreakerEvicted { .. }
            | Event::BreakerRemoved { .. }
            | Event::NotKept { .. }
    )
}
