//! Logs what happens to breakers through [`tracing`](https://docs.rs/tracing).
//!
//! [`install`] does it for a registry with all its breakers, [`install_for`] for one outside any. The
//! events have the target `breakerbox`, and no span is made: they stand in the span of the call that
//! caused them.
//!
//! | level | what |
//! |---|---|
//! | error | a listener panicked; settings were refused where no error can be returned |
//! | warn | a circuit opened or was forced open; an error of a type that no rule knows; calls that are cancelled again and again; names that are not kept (the 1st, 2nd, 4th, 8th, …) |
//! | info | every other change of state; a breaker that only watches would have opened; new settings |
//! | debug | breakers that come and go; the other names that are not kept |
//! | trace | every call that ended or was refused |
//!
//! # Cost
//!
//! A healthy call does not look at this while nobody takes `breakerbox` at the level trace: not the
//! clock, not the level, not a listener. It is the subscriber that tells when that changes, so a filter
//! may be reloaded, and a subscriber installed, at any time.
//!
//! # Examples
//!
//! ```
//! use breakerbox::prelude::*;
//!
//! tracing_subscriber::fmt().init();
//! let registry = BreakerRegistry::new();
//! breakerbox::tracing::install(&registry);
//! registry.breaker("users-api").because("INC-123").force_open();
//! // WARN breakerbox: circuit opened breaker="users-api" from="closed" to="forced-open" cause=a command: INC-123 reason="INC-123"
//! ```

mod interest;
mod log;

use crate::breaker::CircuitBreaker;
use crate::event::Listener;
use crate::registry::BreakerRegistry;
use interest::Target;
use log::Log;
use std::sync::Arc;

/// Logs the events of a registry and of all its breakers, from now on. Installed twice it logs once.
///
/// # Examples
///
/// ```
/// use breakerbox::BreakerRegistry;
///
/// breakerbox::tracing::install(BreakerRegistry::global());
/// ```
pub fn install(registry: &BreakerRegistry) {
    let inner = registry.inner();
    interest::watch(Target::Registry(Arc::downgrade(inner)));
    inner.attach(&Listener::of(Log::default()));
}

/// Logs the events of one breaker from now on: of one outside any registry, or of a few in one that is
/// not [installed](install) as a whole. Installed twice it logs once; a breaker whose registry is
/// installed as well is logged twice.
///
/// # Examples
///
/// ```
/// use breakerbox::CircuitBreaker;
///
/// let ledger = CircuitBreaker::builder().name("ledger").build()?;
/// breakerbox::tracing::install_for(&ledger);
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
pub fn install_for(breaker: &CircuitBreaker) {
    let circuit = &breaker.circuit;
    interest::watch(Target::Breaker(Arc::downgrade(circuit)));
    circuit.attach(&Listener::of(Log::default()));
}
