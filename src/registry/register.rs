//! Registration and configuration of breakers by name.

use super::breaker_registry::BreakerRegistry;
use super::error::RegistryError;
use super::inner::InsertResult;
use crate::breaker::CircuitBreaker;
use crate::circuit::MadePermanent;
use crate::config::{BreakerBuilder, Layer, NameLayers, Origin};
use crate::event::Event;
use std::panic::Location;

impl BreakerRegistry {
    /// Registers a breaker called `name` with `settings`. The breaker stays until it is
    /// [removed](Self::remove).
    ///
    /// A breaker that was created by use is adopted: `settings` are
    /// [layered](Self#layers-of-settings) over those of its call sites. An adopted breaker keeps its state,
    /// its counts and its clock, and [`Event::BreakerAdopted`] is emitted. The name in `settings` is not
    /// used.
    ///
    /// # Errors
    ///
    /// * [`RegistryError::AlreadyRegistered`] if the name was registered or
    ///   [configured](Self::configure) before
    /// * [`RegistryError::InvalidName`] unless the name is 1 to 256 bytes long
    /// * [`RegistryError::Full`] if the registry is full, and finds no breaker to evict
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
    #[track_caller]
    pub fn register(
        &self,
        name: impl AsRef<str>,
        settings: BreakerBuilder,
    ) -> Result<CircuitBreaker, RegistryError> {
        let place = Location::caller();
        let name = name.as_ref();
        RegistryError::check_name(name)?;
        let layer = Layer::new(settings, Origin::Register(place));
        let (breaker, existing) =
            self.get_or_create_permanent(name, |code| code.add(layer.clone()))?;
        let replaced = match existing {
            Some(MadePermanent::Already) => {
                return Err(RegistryError::AlreadyRegistered {
                    name: name.to_owned(),
                });
            }
            Some(_) => {
                let change = |code: &mut NameLayers| code.add(layer.clone());
                let replaced = self.inner.presets.reconfigure(&breaker, change)?;
                self.inner
                    .emit(&breaker, |breaker| Event::BreakerAdopted { breaker });
                replaced
            }
            None => None,
        };
        drop(replaced);
        Ok(breaker)
    }

    /// Configures the breaker called `name`, and creates it if it is missing. The breaker stays until it is
    /// [removed](Self::remove).
    ///
    /// `settings` are layered over earlier settings from code for this name.
    /// [`inherit`](BreakerBuilder::inherit) discards these earlier settings. A document takes precedence: a
    /// setting that it names for the breaker does not change, and [`Event::SettingsIgnored`] reports the
    /// conflict. A live breaker keeps its state and its counts.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`register`](Self::register), except `AlreadyRegistered`. Nothing has changed
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
    #[track_caller]
    pub fn configure(
        &self,
        name: impl AsRef<str>,
        settings: BreakerBuilder,
    ) -> Result<CircuitBreaker, RegistryError> {
        let place = Location::caller();
        let name = name.as_ref();
        RegistryError::check_name(name)?;
        let inherits = settings.inherits;
        let layer = Layer::new(settings, Origin::Configure(place));
        let change = |code: &mut NameLayers| code.configure(layer.clone(), inherits);
        let (breaker, existing) = self.get_or_create_permanent(name, change)?;
        let replaced = match existing {
            Some(_) => self.inner.presets.reconfigure(&breaker, change)?,
            None => None,
        };
        if let Some(overridden) = breaker.config().overridden_by_document(&layer.settings) {
            self.inner
                .report(&breaker, |breaker| overridden.event(breaker, &layer.origin));
        }
        drop(replaced);
        Ok(breaker)
    }

    /// Makes the breaker called `name` permanent. Returns the breaker, and whether it was permanent before.
    ///
    /// A missing breaker is created with the layers that `change` makes; the second value is then `None`. An
    /// existing breaker does not get these layers yet. If they are invalid, it does not become permanent.
    fn get_or_create_permanent(
        &self,
        name: &str,
        change: impl Fn(&mut NameLayers),
    ) -> Result<(CircuitBreaker, Option<MadePermanent>), RegistryError> {
        loop {
            let presets = self.inner.presets.load();
            let existing = self.inner.breakers.get(name);
            let layers = existing
                .as_ref()
                .map(|breaker| breaker.config().name_layers());
            let mut code = layers.unwrap_or_default();
            change(&mut code);
            let config = presets.resolve_layers(name, code)?;
            let result = match existing {
                Some(existing) => InsertResult::Existing(existing),
                None => self.inner.insert_permanent(name, &config),
            };
            let existing = match result {
                InsertResult::Existing(existing) => existing,
                InsertResult::Inserted(breaker) => {
                    self.inner.presets.reapply(&breaker, &presets);
                    return Ok((breaker, None));
                }
                InsertResult::Full(_) => {
                    let capacity = self.inner.limits.capacity;
                    return Err(RegistryError::Full {
                        name: name.to_owned(),
                        capacity,
                    });
                }
            };
            // If another thread removed the breaker after the lookup, the name is free: start again.
            match existing.circuit.entry.make_permanent() {
                MadePermanent::Removed => {}
                made => return Ok((existing, Some(made))),
            }
        }
    }
}
