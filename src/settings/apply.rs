use super::document::Settings;
use super::report::Applied;
use crate::error::ConfigError;
use crate::registry::{BreakerRegistry, LayersError};

/// Why settings were not applied. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// An entry cannot work together with what code says of the same breaker; the field is its path
    /// in the document.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no room for the breakers that the document names.
    #[error(
        "no room for {missing} more breakers: the registry holds {capacity}, and not enough of them may go"
    )]
    #[non_exhaustive]
    Full {
        /// How many places are missing.
        missing: usize,
        /// The capacity of the registry.
        capacity: usize,
    },
}

/// With the feature `serde`.
impl BreakerRegistry {
    /// Lays `settings` over what code says, in the place of those that were applied before: all of
    /// it, or nothing. Says what has changed.
    ///
    /// An entry changes the settings that it names, and no others: see
    /// [layers of settings](Self#layers-of-settings).
    ///
    /// * A name with an entry of its own has a breaker from now on, which stays as if it were
    ///   [registered](Self::register). If it is live, state, counts and a running deadline stay, as
    ///   with [`configure`](Self::configure).
    /// * `prefixes` and `default` apply to all names, live or yet to come, beneath the settings that code gave
    ///   the name.
    /// * A name whose entry has gone since the last time goes back to what is due without it.
    /// * A breaker whose settings come out as they were is not touched: no
    ///   [`Event::Configured`](crate::Event::Configured) is sent.
    ///
    /// The document also overrides code that registers or configures a name later. Of two calls at the same
    /// time the later wins, with all of it.
    ///
    /// # Errors
    ///
    /// [`ApplyError`], and nothing has changed; but idle breakers may have been evicted to make room.
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
    /// let settings: Settings = toml::from_str(r#"
    ///     [prefixes."http:"]
    ///     failure_threshold = 3
    ///
    ///     [breakers.payments]
    ///     recovery_timeout = "1m"
    /// "#)?;
    /// let applied = registry.apply(&settings)?;
    /// assert_eq!(
    ///     applied.to_string(),
    ///     "created \"payments\"\n\
    ///      changed \"http:users\": trip_rules: 5 failures in a row -> 3 failures in a row",
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
