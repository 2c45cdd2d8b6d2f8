//! What a registry shows of itself, and the rest of what it is told.

use super::{BreakerRegistry, RegistryError, builder, presets};
use crate::breaker::CircuitBreaker;
use crate::config::BreakerBuilder;
use crate::event::EventStream;
use crate::state::State;
use crate::text::HumanDuration;
use std::fmt;
use std::vec;

impl BreakerRegistry {
    /// The settings of names that begin with `prefix` and are created from now on; the longest
    /// prefix wins, and of two words on one prefix the later. Live breakers stay as they are.
    ///
    /// # Errors
    ///
    /// [`RegistryError::InvalidName`] for a prefix of more than 256 bytes,
    /// [`RegistryError::Config`] for settings that cannot work.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::new();
    /// registry.preset_for("http:", CircuitBreaker::builder().failure_threshold(3))?;
    /// let users = registry.breaker("http:users");
    /// assert_eq!(users.config().trip_rules(), [TripRule::consecutive_failures(3)]);
    /// # Ok::<(), breakerbox::RegistryError>(())
    /// ```
    pub fn preset_for(
        &self,
        prefix: impl AsRef<str>,
        preset: BreakerBuilder,
    ) -> Result<(), RegistryError> {
        let prefix = prefix.as_ref();
        builder::check_prefix(prefix).map_err(|(value, allowed)| RegistryError::InvalidName {
            value,
            allowed: allowed.to_owned(),
        })?;
        let config = presets::check(prefix, preset.settings)?;
        Ok(self.shared.add_preset(prefix, &config)?)
    }

    /// The events of the registry and of all its breakers from now on, as a stream of bounded length.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::new();
    /// let mut events = registry.subscribe();
    /// registry.breaker("users-api");
    /// assert_eq!(events.try_next().unwrap().breaker(), "users-api");
    /// ```
    pub fn subscribe(&self) -> EventStream {
        self.shared.subscribe()
    }

    /// Takes the breaker of `name` out, whoever made it. Calls in flight end on it; the next
    /// look-up of the name makes a new one.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::new();
    /// registry.breaker("users-api").trip();
    /// assert_eq!(registry.remove("users-api").unwrap().state(), State::Open);
    /// assert!(registry.get("users-api").is_none());
    /// assert_eq!(registry.breaker("users-api").state(), State::Closed);
    /// ```
    pub fn remove(&self, name: impl AsRef<str>) -> Option<CircuitBreaker> {
        self.shared.remove(name.as_ref())
    }

    /// The breakers as they are now, by name. Nothing is locked while you go through them; names that
    /// come or go while they are collected may be among them or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::new();
    /// registry.breaker("users-api");
    /// registry.breaker("payments");
    /// let names: Vec<_> = registry.iter().map(|breaker| breaker.name().to_owned()).collect();
    /// assert_eq!(names, ["payments", "users-api"]);
    /// ```
    pub fn iter(&self) -> vec::IntoIter<CircuitBreaker> {
        self.sorted().into_iter()
    }

    /// Those that are not simply closed; which may change as soon as it was found.
    pub(crate) fn unsettled(&self) -> Vec<CircuitBreaker> {
        let closed = |breaker: &CircuitBreaker| breaker.circuit.word().state() == State::Closed;
        let all = self.shared.breakers.iter();
        all.filter(|entry| !closed(entry.value()))
            .map(|entry| entry.value().clone())
            .collect()
    }

    /// Whether there is one of that name; no use of it, other than [`get`](Self::get).
    pub(crate) fn has(&self, name: &str) -> bool {
        self.shared.breakers.contains_key(name)
    }

    pub(super) fn sorted(&self) -> Vec<CircuitBreaker> {
        let mut all: Vec<CircuitBreaker> = self
            .shared
            .breakers
            .iter()
            .map(|entry| entry.value().clone())
            .collect();
        all.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        all
    }

    /// The breakers that refuse every call now, open or forced open, by name.
    pub fn open_breakers(&self) -> Vec<CircuitBreaker> {
        self.those(|state| matches!(state, State::Open | State::ForcedOpen))
    }

    /// The breakers that are closed now, by name.
    pub fn closed_breakers(&self) -> Vec<CircuitBreaker> {
        self.those(|state| state == State::Closed)
    }

    fn those(&self, wanted: impl Fn(State) -> bool) -> Vec<CircuitBreaker> {
        let mut those = self.sorted();
        those.retain(|breaker| wanted(breaker.state()));
        those
    }

    /// Whether no breaker is open, forced open or half-open.
    pub fn all_closed(&self) -> bool {
        let refuses = |state| matches!(state, State::Open | State::ForcedOpen | State::HalfOpen);
        !self.sorted().iter().any(|breaker| refuses(breaker.state()))
    }

    /// How many breakers there are; never more than the [capacity](Self::capacity).
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there can be.
    pub fn capacity(&self) -> usize {
        self.shared.limits.capacity
    }
}

impl Default for BreakerRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl IntoIterator for &BreakerRegistry {
    type Item = CircuitBreaker;
    type IntoIter = vec::IntoIter<CircuitBreaker>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for BreakerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerRegistry")
            .field("breakers", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

/// A table of all breakers, by name: state, for how long, failures in a row, totals.
impl fmt::Display for BreakerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["breaker", "state", "for", "failures", "calls"].map(str::to_owned)];
        rows.extend(self.iter().map(|breaker| {
            let snapshot = breaker.snapshot();
            [
                // Names may come from strangers: no line breaks, no terminal codes.
                breaker.name().escape_debug().to_string(),
                snapshot.state.to_string(),
                HumanDuration(snapshot.since).to_string(),
                snapshot.failure_count.to_string(),
                snapshot.totals.to_string(),
            ]
        }));
        let width = |column: usize| {
            let widths = rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        for (at, [name, state, time, failures, calls]) in rows.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            let [first, second, third, fourth, _] = widths;
            write!(
                f,
                "{name:first$}  {state:second$}  {time:>third$}  {failures:>fourth$}  {calls}"
            )?;
        }
        Ok(())
    }
}
