//! Registers and configures a breaker by name.

use super::breaker_registry::BreakerRegistry;
use super::error::RegistryError;
use super::inner::InsertResult;
use crate::breaker::CircuitBreaker;
use crate::circuit::MadePermanent;
use crate::config::{BreakerBuilder, BreakerConfig};
use crate::event::Event;
use std::sync::Arc;

impl BreakerRegistry {
    /// Registers a breaker called `name` with `settings`. The breaker stays until it is
    /// [removed](Self::remove).
    ///
    /// A breaker that was created by use before is adopted: it gets the settings and keeps its state
    /// and its counts, and [`Event::BreakerAdopted`] is emitted. An adopted breaker keeps its clock.
    /// The name in `settings` is not used.
    ///
    /// # Errors
    ///
    /// * [`RegistryError::AlreadyRegistered`] if the name was registered or
    ///   [configured](Self::configure) before
    /// * [`RegistryError::InvalidName`] unless the name is 1 to 256 bytes long
    /// * [`RegistryError::Full`] if there is no room, and no breaker can be evicted
    /// * [`RegistryError::Config`] for invalid settings
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::new();
    /// registry.register("payments", CircuitBreaker::builder().failure_threshold(10))?;
    /// assert!(registry.register("payments", CircuitBreaker::builder()).is_err());
    /// # Ok::<(), breakerbox::RegistryError>(())
    /// ```
    pub fn register(
        &self,
        name: impl AsRef<str>,
        settings: BreakerBuilder,
    ) -> Result<CircuitBreaker, RegistryError> {
        let name = name.as_ref();
        RegistryError::check_name(name)?;
        let config = Arc::new(BreakerConfig::check(settings.settings)?);
        let presets = self.inner.presets.load();
        let config = presets.resolve_explicit(name, &config)?;
        let (breaker, existing) = self.get_or_create_permanent(name, &config)?;
        match existing {
            Some(MadePermanent::Already) => {
                return Err(RegistryError::AlreadyRegistered {
                    name: name.to_owned(),
                });
            }
            Some(_) => {
                let old = breaker.apply(&config);
                self.inner
                    .emit(&breaker, |breaker| Event::BreakerAdopted { breaker });
                self.inner.presets.reapply(&breaker, &presets);
                drop(old);
            }
            None => self.inner.presets.reapply(&breaker, &presets),
        }
        Ok(breaker)
    }

    /// Sets the settings of the breaker called `name`, and creates a missing breaker. The breaker
    /// stays until it is [removed](Self::remove).
    ///
    /// A live breaker keeps its state and its counts.
    ///
    /// # Errors
    ///
    /// The errors of [`register`](Self::register), except `AlreadyRegistered`. Nothing has changed
    /// then.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::new();
    /// let users = registry.breaker("users-api");
    /// registry.configure("users-api", CircuitBreaker::builder().failure_threshold(20))?;
    /// assert_eq!(users.config().trip_rules(), [TripRule::consecutive_failures(20)]);
    /// # Ok::<(), breakerbox::RegistryError>(())
    /// ```
    pub fn configure(
        &self,
        name: impl AsRef<str>,
        settings: BreakerBuilder,
    ) -> Result<CircuitBreaker, RegistryError> {
        let name = name.as_ref();
        RegistryError::check_name(name)?;
        let config = Arc::new(BreakerConfig::check(settings.settings)?);
        let (breaker, existing) = self.get_or_create_permanent(name, &config)?;
        if existing.is_some() {
            drop(breaker.apply(&config));
        }
        Ok(breaker)
    }

    /// Returns the breaker called `name`, which is not evictable from now on. Returns `None` with a breaker
    /// that was created with `config`.
    ///
    /// Of concurrent calls for one name, the last to apply its settings wins.
    fn get_or_create_permanent(
        &self,
        name: &str,
        config: &Arc<BreakerConfig>,
    ) -> Result<(CircuitBreaker, Option<MadePermanent>), RegistryError> {
        loop {
            let result = match self.inner.breakers.get(name) {
                Some(existing) => InsertResult::Existing(existing),
                None => self.inner.insert_permanent(name, config),
            };
            let existing = match result {
                InsertResult::Existing(existing) => existing,
                InsertResult::Inserted(breaker) => return Ok((breaker, None)),
                InsertResult::Full(_) => {
                    let capacity = self.inner.limits.capacity;
                    return Err(RegistryError::Full {
                        name: name.to_owned(),
                        capacity,
                    });
                }
            };
            // A breaker that was removed meanwhile leaves its name free.
            match existing.circuit.entry.make_permanent() {
                MadePermanent::Removed => {}
                made => return Ok((existing, Some(made))),
            }
        }
    }
}
