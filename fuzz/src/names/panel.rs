//! What a registry may do with its names: not which one goes, but which never does.

use breakerbox::{Event, NotKept, State};
use std::collections::BTreeMap;
use std::time::Duration;

/// A breaker, told from others that had its name.
pub(crate) type Birth = u64;

pub(crate) struct Panel {
    pub(crate) kept: BTreeMap<String, Entry>,
    pub(crate) capacity: usize,
    pub(crate) idle: Option<Duration>,
    /// With the threshold that tells them apart.
    pub(crate) presets: Vec<(String, u32)>,
    births: Birth,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) birth: Birth,
    pub(crate) lasting: bool,
    pub(crate) threshold: u32,
    /// When somebody last asked for it by name.
    pub(crate) used: Duration,
    /// Calls that ended on it.
    pub(crate) ended: u64,
    pub(crate) refused: u64,
}

/// How things stood before a step.
pub(crate) struct Before {
    pub(crate) now: Duration,
    pub(crate) states: BTreeMap<String, State>,
    pub(crate) held: Vec<Birth>,
}

/// What became of a name that somebody asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Became {
    Found(Birth),
    Added(Birth),
    NotKept(NotKept),
}

pub(crate) fn is_allowed(name: &str) -> bool {
    (1..=256).contains(&name.len())
}

impl Panel {
    pub(crate) fn new(capacity: usize, idle: Option<Duration>, default: u32) -> Self {
        Self {
            kept: BTreeMap::new(),
            capacity,
            idle,
            presets: vec![(String::new(), default)],
            births: 0,
        }
    }

    /// The longest prefix wins, and of two words on one prefix the later.
    pub(crate) fn due_to(&self, name: &str) -> u32 {
        let fitting = self
            .presets
            .iter()
            .filter(|(prefix, _)| name.starts_with(prefix));
        fitting
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or(0, |(_, threshold)| *threshold)
    }

    /// `name` was asked for, and these are the events that came of it.
    pub(crate) fn asked(
        &mut self,
        name: &str,
        (threshold, lasting): (u32, bool),
        events: &[Event],
        before: &Before,
    ) -> Became {
        if !is_allowed(name) {
            assert!(
                events.iter().all(is_not_kept),
                "an invalid name: {events:?}"
            );
            return Became::NotKept(NotKept::InvalidName);
        }
        if let Some(entry) = self.kept.get_mut(name) {
            assert!(events.iter().all(is_adopted), "a known name: {events:?}");
            entry.used = before.now;
            return Became::Found(entry.birth);
        }
        let was_full = self.kept.len() >= self.capacity;
        let mut became = None;
        for event in events {
            match event {
                Event::BreakerEvicted { breaker, .. } => self.evicted(breaker, was_full, before),
                Event::BreakerAdded { breaker, .. } => {
                    assert_eq!(**breaker, *name);
                    became = Some(Became::Added(
                        self.add(name, threshold, lasting, before.now),
                    ));
                }
                Event::NotKept {
                    breaker, reason, ..
                } => {
                    assert_eq!(**breaker, *name);
                    assert_eq!(*reason, NotKept::NoRoom);
                    self.assert_no_room(before);
                    became = Some(Became::NotKept(*reason));
                }
                _ => {}
            }
        }
        became.unwrap_or_else(|| {
            // Only who asks for a lasting breaker is told by an error.
            assert!(lasting, "nothing became of {name:?}");
            self.assert_no_room(before);
            Became::NotKept(NotKept::NoRoom)
        })
    }

    fn add(&mut self, name: &str, threshold: u32, lasting: bool, now: Duration) -> Birth {
        self.births += 1;
        let entry = Entry {
            birth: self.births,
            lasting,
            threshold,
            used: now,
            ended: 0,
            refused: 0,
        };
        let other = self.kept.insert(name.to_owned(), entry);
        assert!(other.is_none(), "one breaker a name");
        assert!(self.kept.len() <= self.capacity, "above the capacity");
        self.births
    }

    fn evicted(&mut self, name: &str, was_full: bool, before: &Before) {
        let gone = self.kept.remove(name).expect("who is evicted was there");
        assert!(!gone.lasting, "evicted, and had been given its settings");
        assert!(!before.held.contains(&gone.birth), "evicted, and held");
        let state = before.states[name];
        let protects = matches!(state, State::Open | State::ForcedOpen | State::MetricsOnly);
        assert!(!protects, "evicted, and {state}");
        if !was_full {
            let idle = self.idle.expect("there was room");
            assert!(
                before.now.saturating_sub(gone.used) >= idle,
                "evicted early"
            );
        }
    }

    /// A closed breaker that nobody holds, made by use, makes room at once: all are looked at, as
    /// few as there are.
    fn assert_no_room(&self, before: &Before) {
        assert_eq!(self.kept.len(), self.capacity, "there is room");
        for (name, entry) in &self.kept {
            let stays = entry.lasting || before.held.contains(&entry.birth);
            let state = before.states.get(name);
            assert!(stays || state != Some(&State::Closed), "{name:?} may go");
        }
    }

    pub(crate) fn of(&mut self, birth: Birth) -> Option<&mut Entry> {
        self.kept.values_mut().find(|entry| entry.birth == birth)
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

/// What is not about who is in the registry.
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
