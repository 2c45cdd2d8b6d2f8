//! [`Strict`]: a deserializer adapter with uniform error messages for all formats.
//!
//! The format adds the position: line, column and caret. The default messages of serde do not
//! contain the key, and they quote document text unescaped and in full.

use super::closest;
use crate::text::prefix;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::fmt;

/// The maximum number of bytes of document text that a message quotes.
pub(super) const MAX_QUOTED: usize = 64;

/// A deserializer whose errors contain the key, the rejected value and the allowed values.
pub(super) struct Strict<'k, D> {
    key: &'k str,
    from: D,
}

impl<D> Strict<'static, D> {
    pub(super) fn new(from: D) -> Self {
        Self {
            key: "the value",
            from,
        }
    }
}

impl<'de, D: Deserializer<'de>> Strict<'_, D> {
    fn visit<V: Visitor<'de>>(self, visitor: V, is_newtype: bool) -> Result<V::Value, D::Error> {
        let key = self.key;
        self.from.deserialize_any(StrictVisitor {
            key,
            visitor,
            is_newtype,
        })
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.visit(visitor, false)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let key = self.key;
        self.from.deserialize_option(StrictVisitor {
            key,
            visitor,
            is_newtype: false,
        })
    }

    /// Lets the visitor read and check the value while the format is positioned at it.
    ///
    /// Errors that are raised later would carry the position of the next value.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.visit(visitor, true)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct StrictVisitor<'k, V> {
    key: &'k str,
    visitor: V,
    is_newtype: bool,
}

macro_rules! scalars {
    ($($visit:ident($($value:ident: $type:ty)?): $found:expr;)*) => {$(
        fn $visit<E: Error>(self, $($value: $type)?) -> Result<V::Value, E> {
            let Self { key, visitor, is_newtype } = self;
            if is_newtype {
                let from = ($($value)?).into_deserializer();
                return visitor.visit_newtype_struct(Strict { key, from });
            }
            visitor.$visit($($value)?).map_err(|expected: Expected| {
                E::custom(format_args!("{key} is {}, but must be {expected}", $found))
            })
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for StrictVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    scalars! {
        visit_bool(flag: bool): flag;
        visit_i64(number: i64): number;
        visit_u64(number: u64): number;
        visit_i128(number: i128): number;
        visit_u128(number: u128): number;
        visit_f64(number: f64): format_args!("{number:?}");
        visit_str(text: &str): Quoted { text, most: MAX_QUOTED / 2 };
        visit_unit(): "missing";
        visit_none(): "missing";
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        let key = self.key;
        self.visitor.visit_some(Strict { key, from })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        let Self {
            key,
            visitor,
            is_newtype,
        } = self;
        if !is_newtype {
            return visitor.visit_seq(list);
        }
        let from = SeqAccessDeserializer::new(list);
        visitor.visit_newtype_struct(Strict { key, from })
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<V::Value, A::Error> {
        let Self {
            key,
            visitor,
            is_newtype,
        } = self;
        if is_newtype {
            let from = MapAccessDeserializer::new(from);
            return visitor.visit_newtype_struct(Strict { key, from });
        }
        let key = String::new();
        visitor.visit_map(StrictMap { key, from })
    }
}

/// A table that passes each key on to the deserializer of its value.
struct StrictMap<A> {
    /// The most recent key.
    key: String,
    from: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for StrictMap<A> {
    type Error = A::Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        let key = &mut self.key;
        self.from.next_key_seed(KeySeed { key, seed })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let key = &self.key;
        self.from.next_value_seed(StrictSeed { key, seed })
    }
}

struct StrictSeed<'k, T> {
    key: &'k str,
    seed: T,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for StrictSeed<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T::Value, D::Error> {
        let key = self.key;
        self.seed.deserialize(Strict { key, from })
    }
}

/// Reads a key and stores it for messages about its value.
struct KeySeed<'k, T> {
    key: &'k mut String,
    seed: T,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for KeySeed<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de, T: DeserializeSeed<'de>> Visitor<'de> for KeySeed<'_, T> {
    type Value = T::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T::Value, E> {
        let key: StrDeserializer<'_, Expected> = text.into_deserializer();
        let read = self.seed.deserialize(key).map_err(E::custom)?;
        *self.key = path_of_at_most(text, MAX_QUOTED / 2);
        Ok(read)
    }
}

/// Displays untrusted text in quotes, escaped and truncated.
pub(super) struct Quoted<'a> {
    pub(super) text: &'a str,
    /// The maximum number of bytes that are displayed.
    pub(super) most: usize,
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = prefix(self.text, self.most);
        write!(f, "{shown:?}")?;
        if shown.len() < self.text.len() {
            write!(f, "… ({} bytes)", self.text.len())?;
        }
        Ok(())
    }
}

/// Formats a key as part of a path. The key is quoted unless it consists of letters, digits and
/// underscores.
pub(super) fn path_of(key: &str) -> String {
    path_of_at_most(key, MAX_QUOTED)
}

pub(super) fn path_of_at_most(key: &str, most: usize) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !key.is_empty() && key.len() <= most && key.chars().all(is_plain) {
        return key.to_owned();
    }
    Quoted { text: key, most }.to_string()
}

/// An error without position: the allowed values of a key, or the complete message about a key.
#[derive(Debug)]
struct Expected(String);

impl Error for Expected {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self(match expected.to_string().as_str() {
            "u32" => "a whole number from 0 to 4294967295".to_owned(),
            "f64" => "a number".to_owned(),
            "a boolean" => "true or false".to_owned(),
            "a string" => "a string".to_owned(),
            "a sequence" => "a list".to_owned(),
            other => other.to_owned(),
        })
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let hint = closest(field, known.iter().copied());
        let hint = hint.map_or_else(String::new, |key| format!(" (did you mean {key}?)"));
        let field = path_of(field);
        let known = known.join(", ");
        Self(format!(
            "{field} is not a valid key here{hint}; valid keys are {known}"
        ))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Expected {}
