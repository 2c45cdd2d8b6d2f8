//! [`Health`]: a summary of a registry's breakers for a health endpoint or a log line.

use crate::breaker::CircuitBreaker;
use crate::registry::BreakerRegistry;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::text::RemainingTime;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The health of a registry's breakers at one moment, as returned by [`BreakerRegistry::health`].
///
/// `Display` prints one line for the status, and one line for each impaired circuit and unknown
/// name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    impaired: Vec<Impaired>,
    unknown: Vec<Arc<str>>,
}

/// The status of a registry, which is the status of its worst circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HealthStatus {
    /// No circuit is open, forced open or half-open.
    Healthy,
    /// A circuit is open, forced open or half-open, but no named circuit refuses calls.
    Degraded,
    /// A named circuit is open or forced open.
    Unhealthy,
}

/// A circuit that is open, forced open or half-open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Impaired {
    /// The name of the breaker.
    pub breaker: Arc<str>,
    /// Whether the breaker was named in the call to [`BreakerRegistry::health`].
    pub named: bool,
    /// The state of the circuit.
    pub state: State,
    /// The time since the circuit entered this state.
    pub since: Duration,
    /// The number of failures since the last success.
    pub failure_count: u32,
    /// The time until an open circuit becomes half-open. [`Duration::MAX`] means until a command.
    pub open_remaining: Option<Duration>,
}

impl BreakerRegistry {
    /// Returns the health of all breakers. `named` lists the breakers that the service cannot work
    /// without.
    ///
    /// * **unhealthy**: a named circuit is open or forced open and refuses calls.
    /// * **degraded**: another circuit is open or forced open, or any circuit is half-open. A
    ///   half-open circuit refuses most calls, but only calls can close it, so the service should
    ///   keep its traffic.
    /// * **healthy**: otherwise. Disabled and metrics-only breakers refuse no calls. A name without
    ///   a breaker is not a failure, but may be misspelled, so [`Health::unknown`] lists it.
    ///
    /// A readiness probe should rarely depend on the health of breakers; the
    /// [health guide](https://github.com/breakerbox/breakerbox/blob/main/docs/health.md) explains
    /// why. This method changes no circuit.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use breakerbox::HealthStatus;
    ///
    /// let registry = BreakerRegistry::new();
    /// assert!(registry.health(&["payments"]).is_healthy());
    ///
    /// registry.breaker("search").force_open();
    /// assert_eq!(registry.health(&["payments"]).status(), HealthStatus::Degraded);
    ///
    /// registry.breaker("payments").force_open();
    /// let health = registry.health(&["payments"]);
    /// assert_eq!(health.status(), HealthStatus::Unhealthy);
    /// assert_eq!(
    ///     health.to_string(),
    ///     "unhealthy\n  \"payments\" is forced_open\n  \"search\" is forced_open (not named)",
    /// );
    /// ```
    pub fn health(&self, named: &[&str]) -> Health {
        let mut impaired: Vec<_> = self
            .not_closed()
            .iter()
            .map(CircuitBreaker::snapshot)
            .filter(|snapshot| refuses(snapshot.state) || snapshot.state == State::HalfOpen)
            .map(|snapshot| Impaired::new(snapshot, named))
            .collect();
        impaired.sort_unstable_by(|one, other| {
            let order = |impaired: &Impaired| !impaired.named;
            (order(one), &one.breaker).cmp(&(order(other), &other.breaker))
        });
        let mut unknown: Vec<Arc<str>> = Vec::new();
        for name in named {
            let is_listed = unknown.iter().any(|listed| **listed == **name)
                // Its breaker was removed in the meantime.
                || impaired.iter().any(|listed: &Impaired| *listed.breaker == **name);
            if !is_listed && !self.contains(name) {
                unknown.push(Arc::from(*name));
            }
        }
        Health { impaired, unknown }
    }
}

fn refuses(state: State) -> bool {
    matches!(state, State::Open | State::ForcedOpen)
}

impl Impaired {
    fn new(snapshot: Snapshot, named: &[&str]) -> Self {
        Self {
            named: named.contains(&&*snapshot.name),
            breaker: snapshot.name,
            state: snapshot.state,
            since: snapshot.since,
            failure_count: snapshot.failure_count,
            open_remaining: snapshot.open_remaining,
        }
    }

    fn status(&self) -> HealthStatus {
        if self.named && refuses(self.state) {
            HealthStatus::Unhealthy
        } else {
            HealthStatus::Degraded
        }
    }
}

impl Health {
    /// Returns the status of the worst circuit.
    pub fn status(&self) -> HealthStatus {
        let worst = self.impaired.iter().map(Impaired::status).max();
        worst.unwrap_or(HealthStatus::Healthy)
    }

    /// Returns `true` if no circuit is open, forced open or half-open.
    pub fn is_healthy(&self) -> bool {
        self.status() == HealthStatus::Healthy
    }

    /// Returns `true` if a named circuit refuses its calls.
    pub fn is_unhealthy(&self) -> bool {
        self.status() == HealthStatus::Unhealthy
    }

    /// Returns the circuits that are open, forced open or half-open.
    ///
    /// Named circuits come first. Each group is sorted by name.
    pub fn impaired(&self) -> &[Impaired] {
        &self.impaired
    }

    /// Returns the names passed to [`BreakerRegistry::health`] that have no breaker, each once, in the order
    /// in which they were passed.
    ///
    /// Such a breaker was not used yet or was evicted, or its name is misspelled.
    pub fn unknown(&self) -> &[Arc<str>] {
        &self.unknown
    }
}

impl HealthStatus {
    /// Returns `healthy`, `degraded` or `unhealthy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Impaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is {}", self.breaker, self.state)?;
        match self.open_remaining {
            Some(Duration::MAX) => f.write_str(" until a command closes it")?,
            Some(left) => write!(f, " for another {}", RemainingTime(left))?,
            None => {}
        }
        f.write_str(if self.named { "" } else { " (not named)" })
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)?;
        for impaired in &self.impaired {
            write!(f, "\n  {impaired}")?;
        }
        for name in &self.unknown {
            write!(f, "\n  {name:?} has no breaker")?;
        }
        Ok(())
    }
}
