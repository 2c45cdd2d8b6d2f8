//! Listing, counting and removing the breakers of a registry; its streams and presets.

use super::breaker_registry::BreakerRegistry;
use super::builder;
use super::error::RegistryError;
use crate::breaker::CircuitBreaker;
use crate::config::{BreakerBuilder, Layer, Origin};
use crate::event::{CallInterest, EventStream};
use crate::state::State;
use crate::text::HumanDuration;
use std::fmt;
use std::panic::Location;
use std::vec;

impl BreakerRegistry {
    /// Sets the preset of all names that begin with `prefix`, for breakers that are created from now on.
    ///
    /// Longer prefixes are [layered](Self#layers-of-settings) over shorter ones. A second preset for a prefix
    /// replaces the first. Live breakers do not change.
    ///
    /// # Errors
    ///
    /// * [`RegistryError::InvalidName`] for a prefix of more than 256 bytes
    /// * [`RegistryError::Config`] for invalid settings, or more than 10,000 prefixes
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
    #[track_caller]
    pub fn preset_for(
        &self,
        prefix: impl AsRef<str>,
        preset: BreakerBuilder,
    ) -> Result<(), RegistryError> {
        let place = Location::caller();
        let prefix = prefix.as_ref();
        builder::check_prefix(prefix).map_err(|(value, allowed)| RegistryError::InvalidName {
            value,
            allowed: allowed.to_owned(),
        })?;
        let origin = Origin::Prefix(prefix.into(), place);
        let layer = Layer::new(preset, origin);
        Ok(self.inner.presets.add(prefix, &layer)?)
    }

    /// Returns a stream of the events of the registry and all its breakers, from now on.
    ///
    /// The stream has a bounded queue.
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
        self.inner.subscribe(CallInterest::Events)
    }

    /// Returns a stream of the events of the registry and all its breakers, except those of single calls.
    ///
    /// The stream omits [`Recorded`](crate::Event::Recorded) and [`Refused`](crate::Event::Refused). Calls
    /// cost the same as without the stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::new();
    /// let users = registry.breaker("users-api");
    /// let mut changes = registry.subscribe_changes();
    /// assert!(users.call(|| "7".parse::<u8>()).is_ok());
    /// users.trip();
    /// assert!(matches!(changes.try_next(), Some(Event::StateChanged { .. })));
    /// assert!(changes.try_next().is_none());
    /// ```
    pub fn subscribe_changes(&self) -> EventStream {
        self.inner.subscribe(CallInterest::None)
    }

    /// Removes the breaker called `name`, registered or not, and returns it.
    ///
    /// The removed breaker records the calls that are in flight. The next lookup of the name creates a new
    /// breaker.
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
        self.inner.remove(name.as_ref())
    }

    /// Returns an iterator over the current breakers, sorted by name.
    ///
    /// The breakers are collected first, so no lock is held during the iteration. A breaker that is added
    /// or removed during this collection may be missing or included.
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

    /// Returns the breakers that are not closed, in no particular order.
    pub(crate) fn not_closed(&self) -> Vec<CircuitBreaker> {
        let closed = |breaker: &CircuitBreaker| breaker.circuit.word().state() == State::Closed;
        self.inner
            .breakers
            .collect(|breaker| (!closed(breaker)).then(|| breaker.clone()))
    }

    /// Returns whether there is a breaker called `name`, without marking it as used.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.inner.breakers.contains(name)
    }

    /// Returns the breakers that are open or forced open and refuse every call, sorted by name.
    pub fn open_breakers(&self) -> Vec<CircuitBreaker> {
        self.filter(|state| matches!(state, State::Open | State::ForcedOpen))
    }

    /// Returns the closed breakers, sorted by name.
    pub fn closed_breakers(&self) -> Vec<CircuitBreaker> {
        self.filter(|state| state == State::Closed)
    }

    fn filter(&self, matches: impl Fn(State) -> bool) -> Vec<CircuitBreaker> {
        let mut breakers = self.sorted();
        breakers.retain(|breaker| matches(breaker.state()));
        breakers
    }

    /// Returns whether no breaker is open, forced open or half-open.
    pub fn all_closed(&self) -> bool {
        let refuses = |state| matches!(state, State::Open | State::ForcedOpen | State::HalfOpen);
        !self.sorted().iter().any(|breaker| refuses(breaker.state()))
    }

    /// Returns the number of breakers, at most the [capacity](Self::capacity).
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Returns whether the registry has no breakers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the maximum number of breakers.
    pub fn capacity(&self) -> usize {
        self.inner.limits.capacity
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

/// Writes a table of all breakers, sorted by name: state, time in that state, consecutive failures, and
/// totals.
impl fmt::Display for BreakerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["breaker", "state", "for", "failures", "calls"].map(str::to_owned)];
        rows.extend(self.iter().map(|breaker| {
            let snapshot = breaker.snapshot();
            [
                // Names may come from user input, with line breaks or control sequences of a terminal.
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
