//! [`Value`]: the value of one field of a line.

use std::borrow::Cow;

/// The value of one field of a line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Value<'a> {
    /// The line has no such field, or the field is null.
    #[default]
    Missing,
    Bool(bool),
    Integer(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// Returns the value as a number, also if it is the text of one.
    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            #[allow(clippy::cast_precision_loss)] // compared with the numbers of a condition
            Self::Integer(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Text(text) => text
                .trim()
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite()),
            Self::Missing | Self::Bool(_) => None,
        }
    }

    /// Returns the value as text. `None` for a missing value, and for empty text.
    pub(super) fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Missing => None,
            Self::Bool(value) => Some(if *value { "true" } else { "false" }.into()),
            Self::Integer(number) => Some(number.to_string().into()),
            Self::Float(number) => Some(number.to_string().into()),
            Self::Text(text) => Some(&**text).filter(|text| !text.is_empty()).map(Cow::from),
        }
    }

    /// Returns `true` for what means success: `true`, a number other than zero, or a word for it.
    pub(super) fn is_truthy(&self) -> bool {
        const WORDS: [&str; 6] = ["true", "1", "yes", "ok", "success", "t"];
        match self {
            Self::Missing => false,
            Self::Bool(value) => *value,
            Self::Integer(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => {
                let text = text.trim();
                WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
            }
        }
    }
}
