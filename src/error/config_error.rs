use std::fmt;

/// A setting that cannot work, refused when it is built: which, what it was, and what it may be.
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

    /// The name of the setting: that of the builder's method, after the name of what it belongs to
    /// (`failure_rate.minimum_calls`, `default_preset.half_open_calls`).
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What it was set to.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What it may be.
    pub fn allowed(&self) -> &str {
        &self.allowed
    }

    /// The same error, saying where the upper bound comes from.
    pub(crate) fn because(self, bound: &str) -> Self {
        Self {
            allowed: format!("{} ({bound})", self.allowed),
            ..self
        }
    }

    /// The same error, of a setting that belongs to `owner`.
    pub(crate) fn within(self, owner: &str) -> Self {
        Self {
            field: format!("{owner}.{}", self.field),
            ..self
        }
    }
}
