//! Health as a value: for an endpoint, a log line, a person.

use crate::breaker::CircuitBreaker;
use crate::registry::BreakerRegistry;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::text::Left;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How the breakers of a registry are, at one moment.
///
/// It prints a line for the whole and one for each circuit that is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    impaired: Vec<Impaired>,
    unknown: Vec<Arc<str>>,
}

/// The worst of it, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HealthStatus {
    /// No circuit is open, forced open or half-open.
    Healthy,
    /// Some are, but none that was named refuses its calls.
    Degraded,
    /// One that was named is open or forced open.
    Unhealthy,
}

/// A circuit that is open, forced open or half-open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Impaired {
    /// The name of the breaker.
    pub breaker: Arc<str>,
    /// Whether it was named as one that matters.
    pub named: bool,
    /// What it is doing.
    pub state: State,
    /// For how long.
    pub since: Duration,
    /// Failures since the last success.
    pub failure_count: u32,
    /// While open: the time left; [`Duration::MAX`] for ever.
    pub open_remaining: Option<Duration>,
}

impl BreakerRegistry {
    /// How the breakers are; `named` are those without which the service is of no use.
    ///
    /// * **unhealthy** when one that is named refuses its calls: open, or forced open
    /// * **degraded** when any other circuit is open or forced open, or any at all is half-open: a
    ///   half-open one refuses most calls, but it is the way back, and to take the service out now
    ///   would take away the very calls that close it
    /// * **healthy** otherwise. Breakers that are disabled or only watch refuse nothing. A name without
    ///   a breaker has never failed (or was evicted, and then it was well); it is told apart in
    ///   [`Health::unknown`], since it may be misspelt
    ///
    /// Readiness should rarely depend on it: the health guide says why. No circuit changes by being
    /// looked at.
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
    ///     "unhealthy\n  \"payments\" is forced-open\n  \"search\" is forced-open (not named)",
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
        let unknown = named.iter().filter(|name| !self.contains(name));
        Health {
            impaired,
            unknown: unknown.map(|name| Arc::from(*name)).collect(),
        }
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
    /// The worst of it.
    pub fn status(&self) -> HealthStatus {
        let worst = self.impaired.iter().map(Impaired::status).max();
        worst.unwrap_or(HealthStatus::Healthy)
    }

    /// Whether nothing is open, forced open or half-open.
    pub fn is_healthy(&self) -> bool {
        self.status() == HealthStatus::Healthy
    }

    /// Whether one that was named refuses its calls.
    pub fn is_unhealthy(&self) -> bool {
        self.status() == HealthStatus::Unhealthy
    }

    /// The circuits that are open, forced open or half-open: those that were named first, each by
    /// name.
    pub fn impaired(&self) -> &[Impaired] {
        &self.impaired
    }

    /// The names that were given and have no breaker: nobody has used them so far, or they are
    /// misspelt.
    pub fn unknown(&self) -> &[Arc<str>] {
        &self.unknown
    }
}

impl HealthStatus {
    /// `healthy`, `degraded` or `unhealthy`.
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
            Some(Duration::MAX) => f.write_str(" for ever")?,
            Some(left) => write!(f, " for another {}", Left(left))?,
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
            write!(f, "\n  {name:?} has no breaker so far")?;
        }
        Ok(())
    }
}
