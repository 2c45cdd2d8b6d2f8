//! Applies a document to a registry.

use super::document::Settings;
use super::report::Applied;
use crate::error::ConfigError;
use crate::registry::{BreakerRegistry, LayersError};

/// The reason why settings were not applied. The registry keeps its previous settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// An entry conflicts with settings from code for the same breaker. The field of the error is
    /// the path of the entry in the document.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The registry has too little room for the breakers that the document names.
    #[error(
        "the registry has no room for {missing} more breakers: its capacity is {capacity}, and too few breakers can be evicted; raise the capacity"
    )]
    #[non_exhaustive]
    Full {
        /// The number of breakers for which there is no room.
        missing: usize,
        /// The capacity of the registry.
        capacity: usize,
    },
}

/// Available with the `serde` feature.
impl BreakerRegistry {
    /// Applies `settings` in place of the settings that were applied before, and returns the
    /// changes.
    ///
    /// The settings form a layer above those from code; see
    /// [layers of settings](Self#layers-of-settings). They are applied completely or not at all. An
    /// entry changes only the settings that it contains.
    ///
    /// * Each name in `breakers` gets a breaker that stays in the registry as if it were
    ///   [registered](Self::register). An existing breaker keeps its state, its counts and its
    ///   current deadline, as with [`configure`](Self::configure).
    /// * `prefixes` and `default` apply to all names, including future ones. Settings that code
    ///   gives to a name take precedence over them.
    /// * A name whose entry is missing from the new document loses the settings of the old entry.
    /// * A breaker whose settings do not change is left alone, and no
    ///   [`Event::Configured`](crate::Event::Configured) is sent.
    ///
    /// The document also takes precedence over code that registers or configures a name later. Of
    /// two concurrent calls, the later one replaces all settings of the earlier one.
    ///
    /// # Errors
    ///
    /// Returns an [`ApplyError`] if an entry conflicts with settings from code, or if the registry
    /// has too little room. No settings have changed in this case, but idle breakers may have been
    /// evicted to make room.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use breakerbox::settings::Settings;
    ///
    /// let registry = BreakerRegistry::new();
    /// registry.breaker("http:users").trip();
    ///
    /// let settings: Settings = serde_json::from_str(r#"{
    ///     "prefixes": {
    ///         "http:": { "failure_threshold": 3 }
    ///     }, "breakers": {
    ///         "payments": { "recovery_timeout": "1m" }
    ///     }
    /// }"#)?;
    /// let applied = registry.apply(&settings)?;
    /// assert_eq!(
    ///     applied.to_string(),
    ///     "created \"payments\"\n\
    ///      changed \"http:users\": trip_rules: 5 consecutive failures -> 3 consecutive failures",
    /// );
    /// assert_eq!(registry.breaker("http:users").state(), State::Open);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply(&self, settings: &Settings) -> Result<Applied, ApplyError> {
        match self.apply_layers(settings.layers()) {
            Ok(report) => Ok(Applied::new(report, settings)),
            Err(LayersError::Config(error)) => Err(ApplyError::Config(error)),
            Err(LayersError::Full { missing }) => Err(ApplyError::Full {
                missing,
                capacity: self.capacity(),
            }),
        }
    }
}
