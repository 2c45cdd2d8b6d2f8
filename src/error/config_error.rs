use std::fmt;

/// An invalid setting: its name, its value, and the values that are allowed.
///
/// # Examples
///
/// ```
/// use breakerbox::CircuitBreaker;
///
/// let error = CircuitBreaker::builder().failure_threshold(0).build().unwrap_err();
/// assert_eq!(error.field(), "failure_threshold");
/// assert_eq!(error.value(), "0");
/// assert_eq!(error.allowed(), "1 to 4294967295");
/// assert_eq!(error.to_string(), "failure_threshold is 0, but must be 1 to 4294967295");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[error("{field} is {value}, but must be {allowed}")]
pub struct ConfigError {
    field: String,
    value: String,
    allowed: String,
}

impl ConfigError {
    pub(crate) fn new(field: &str, value: impl fmt::Debug, allowed: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            value: format!("{value:?}"),
            allowed: allowed.into(),
        }
    }

    /// Returns the name of the setting, which is the name of the builder's method. A setting of a rule or
    /// a preset has a prefix (`failure_rate.minimum_calls`, `default_preset.half_open_calls`).
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns the invalid value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the values that are allowed.
    pub fn allowed(&self) -> &str {
        &self.allowed
    }

    /// Adds the setting that determines the upper bound.
    pub(crate) fn with_bound(self, bound: &str) -> Self {
        Self {
            allowed: format!("{} ({bound})", self.allowed),
            ..self
        }
    }

    /// Adds the name of the rule or preset to which the setting belongs.
    pub(crate) fn with_prefix(self, owner: &str) -> Self {
        Self {
            field: format!("{owner}.{}", self.field),
            ..self
        }
    }
}
