//! Reading that knows where it is.

use super::path::Path;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// What can be read at a place.
pub(super) trait Read: Sized {
    fn read<'de, D: Deserializer<'de>>(path: &Path<'_>, from: D) -> Result<Self, D::Error>;
}

/// `T` at that place.
pub(super) struct At<'a, T> {
    pub(super) path: &'a Path<'a>,
    value: PhantomData<T>,
}

impl<'a, T> At<'a, T> {
    pub(super) fn new(path: &'a Path<'a>) -> Self {
        Self {
            path,
            value: PhantomData,
        }
    }
}

impl<'de, T: Read> DeserializeSeed<'de> for At<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        T::read(self.path, from)
    }
}

/// In the words of [`ConfigError`](crate::ConfigError).
pub(super) fn flaw<E: Error>(
    path: &Path<'_>,
    found: impl fmt::Display,
    expected: impl fmt::Display,
) -> E {
    E::custom(format_args!("{path} is {found}, but must be {expected}"))
}

/// One value, before it means anything.
#[derive(Debug)]
pub(super) enum Scalar {
    /// As if the key were left out.
    Null,
    Flag(bool),
    Integer(i128),
    Float(f64),
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("left out"),
            Self::Flag(flag) => flag.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Text(text) if text.len() > 64 => {
                let start = crate::text::prefix(text, 48);
                write!(f, "{start:?}… ({} bytes)", text.len())
            }
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// What a value may look like. What it may not is refused in one place, and in the same words
/// whatever the format.
pub(super) trait Shape<'de>: Sized {
    type Value;

    fn path(&self) -> &Path<'_>;

    fn expected(&self) -> &'static str;

    fn scalar<E: Error>(self, scalar: Scalar) -> Result<Self::Value, E> {
        Err(flaw(self.path(), scalar, self.expected()))
    }

    fn table<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(flaw(self.path(), "a table", self.expected()))
    }

    fn list<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(flaw(self.path(), "a list", self.expected()))
    }
}

/// Reads a value of that shape.
pub(super) fn shaped<'de, S: Shape<'de>, D: Deserializer<'de>>(
    shape: S,
    from: D,
) -> Result<S::Value, D::Error> {
    from.deserialize_any(Shaped(shape))
}

struct Shaped<S>(S);

impl<'de, S: Shape<'de>> Visitor<'de> for Shaped<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to be {}", self.0.path(), self.0.expected())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<S::Value, E> {
        self.0.scalar(Scalar::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<S::Value, E> {
        self.0.scalar(Scalar::Integer(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<S::Value, E> {
        self.0.scalar(Scalar::Integer(number.into()))
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<S::Value, E> {
        self.0.scalar(Scalar::Integer(number))
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<S::Value, E> {
        let number = i128::try_from(number).unwrap_or(i128::MAX);
        self.0.scalar(Scalar::Integer(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<S::Value, E> {
        self.0.scalar(Scalar::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<S::Value, E> {
        self.0.scalar(Scalar::Text(text.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<S::Value, E> {
        self.0.scalar(Scalar::Null)
    }

    fn visit_none<E: Error>(self) -> Result<S::Value, E> {
        self.0.scalar(Scalar::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<S::Value, A::Error> {
        self.0.list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<S::Value, A::Error> {
        self.0.table(table)
    }
}

/// A value that is written as one word, or one number.
pub(super) trait PackedState: Sized {
    const EXPECTED: &'static str;

    fn from_scalar(scalar: &Scalar) -> Option<Self>;
}

impl<T: PackedState> Read for Option<T> {
    fn read<'de, D: Deserializer<'de>>(path: &Path<'_>, from: D) -> Result<Self, D::Error> {
        shaped(OneWord(At::<T>::new(path)), from)
    }
}

struct OneWord<'a, T>(At<'a, T>);

impl<T: PackedState> Shape<'_> for OneWord<'_, T> {
    type Value = Option<T>;

    fn path(&self) -> &Path<'_> {
        self.0.path
    }

    fn expected(&self) -> &'static str {
        T::EXPECTED
    }

    fn scalar<E: Error>(self, scalar: Scalar) -> Result<Option<T>, E> {
        match (T::from_scalar(&scalar), scalar) {
            (_, Scalar::Null) => Ok(None),
            (Some(word), _) => Ok(Some(word)),
            (None, scalar) => Err(flaw(self.0.path, scalar, T::EXPECTED)),
        }
    }
}

/// A word that must be there.
pub(super) fn word<'de, T: PackedState, D: Deserializer<'de>>(
    path: &Path<'_>,
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::read(path, from)?.ok_or_else(|| flaw(path, Scalar::Null, T::EXPECTED))
}

impl PackedState for u32 {
    const EXPECTED: &'static str = "a whole number from 0 to 4294967295";

    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Integer(number) => Self::try_from(*number).ok(),
            _ => None,
        }
    }
}

impl PackedState for f64 {
    const EXPECTED: &'static str = "a number";

    #[allow(clippy::cast_precision_loss)] // such numbers are far out of any range here
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Integer(number) => Some(*number as Self),
            Scalar::Float(number) => Some(*number),
            _ => None,
        }
    }
}

impl PackedState for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl PackedState for Arc<str> {
    const EXPECTED: &'static str = "a text";

    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Text(text) => Some(text.as_str().into()),
            _ => None,
        }
    }
}
