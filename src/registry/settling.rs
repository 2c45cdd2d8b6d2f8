//! Names that are given settings by somebody, and are here to stay.

use super::shared::Admitted;
use super::{BreakerRegistry, RegistryError};
use crate::breaker::CircuitBreaker;
use crate::circuit::MadePermanent;
use crate::config::{BreakerBuilder, BreakerConfig};
use crate::event::Event;
use std::sync::Arc;

impl BreakerRegistry {
    /// Gives `name` its settings, once. The breaker stays until it is [removed](Self::remove).
    ///
    /// A breaker that was created by use before is adopted: it gets the settings, state and counts
    /// stay, and [`Event::BreakerAdopted`] is sent. The name and the clock of the builder are not
    /// used then, the name never.
    ///
    /// # Errors
    ///
    /// * [`RegistryError::AlreadyRegistered`] when the name was registered or
    ///   [configured](Self::configure) before
    /// * [`RegistryError::InvalidName`] unless it is 1 to 256 bytes long
    /// * [`RegistryError::Full`] when there is no room and nothing may go
    /// * [`RegistryError::Config`] for settings that cannot work
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
        let presets = self.shared.presets();
        let config = presets.settled(name, &config)?;
        let (breaker, settled) = self.settle(name, &config)?;
        match settled {
            Some(MadePermanent::Already) => {
                return Err(RegistryError::AlreadyRegistered {
                    name: name.to_owned(),
                });
            }
            Some(_) => {
                let old = breaker.apply(&config);
                self.shared
                    .tell(&breaker, |breaker| Event::BreakerAdopted { breaker });
                self.shared.catch_up(&breaker, &presets);
                drop(old);
            }
            None => self.shared.catch_up(&breaker, &presets),
        }
        Ok(breaker)
    }

    /// Gives `name` its settings, whatever it had: a live breaker goes on with them, state and
    /// counts stay; an unknown one is made. The breaker stays until it is
    /// [removed](Self::remove).
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register), but for the first; then nothing has changed.
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
        let (breaker, settled) = self.settle(name, &config)?;
        if settled.is_some() {
            drop(breaker.apply(&config));
        }
        Ok(breaker)
    }

    /// The breaker of `name`, here to stay: made with these settings (then `None`), or found and what
    /// it was.
    ///
    /// Of calls for one name at the same time the last to apply its settings wins.
    fn settle(
        &self,
        name: &str,
        config: &Arc<BreakerConfig>,
    ) -> Result<(CircuitBreaker, Option<MadePermanent>), RegistryError> {
        loop {
            let found = match self.shared.find(name) {
                Some(found) => Admitted::Found(found),
                None => self.shared.admit_lasting(name, config),
            };
            let found = match found {
                Admitted::Found(found) => found,
                Admitted::Kept(breaker) => return Ok((breaker, None)),
                Admitted::NoRoom(_) => {
                    let capacity = self.shared.limits.capacity;
                    return Err(RegistryError::Full {
                        name: name.to_owned(),
                        capacity,
                    });
                }
            };
            // It may have been removed meanwhile; then the name is free again.
            match found.circuit.entry.make_permanent() {
                MadePermanent::Removed => {}
                settled => return Ok((found, Some(settled))),
            }
        }
    }
}
