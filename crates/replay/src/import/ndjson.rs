//! [`Ndjson`]: lines of JSON objects.

use super::lines::Lines;
use super::mapping::Mapping;
use super::row::Row;
use super::sink::{BadReason, Sink};
use super::value::Value;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Lines of JSON objects, of which the fields of a mapping are read.
pub(super) struct Ndjson {
    lines: Lines,
    fields: Vec<String>,
}

impl Ndjson {
    pub(super) fn new(lines: Lines, mapping: &Mapping) -> Self {
        Self {
            lines,
            fields: mapping.fields().to_vec(),
        }
    }

    pub(super) fn read(&mut self, sink: &mut Sink, take: impl FnOnce(&mut Sink, &Row<'_>)) -> bool {
        let fields = &self.fields;
        sink.read_line(&mut self.lines, |sink, number, text| {
            match parse(text, fields) {
                Ok(values) => take(
                    sink,
                    &Row {
                        number,
                        text,
                        values: &values,
                    },
                ),
                Err(reason) => sink.bad(number, &reason, text),
            }
        })
    }
}

/// Reads the values of `fields` from the object in `text`.
pub(super) fn parse<'a>(text: &'a [u8], fields: &[String]) -> Result<Vec<Value<'a>>, BadReason> {
    let mut values = vec![Value::Missing; fields.len()];
    let wanted: Vec<_> = fields.iter().map(String::as_str).enumerate().collect();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let object = Object {
        wanted: &wanted,
        values: &mut values,
    };
    let object = object.deserialize(&mut deserializer);
    match object.and_then(|()| deserializer.end()) {
        Ok(()) => Ok(values),
        Err(error) => Err(BadReason::from(format!("no JSON object: {error}"))),
    }
}

/// An object whose members are read.
struct Object<'w, 'v, 'a> {
    /// The indices of the fields, and what is left of their names inside this object.
    wanted: &'w [(usize, &'w str)],
    values: &'v mut [Value<'a>],
}

impl<'a> DeserializeSeed<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = members.next_key()? {
            let mut inside = Vec::new();
            let mut itself = Vec::new();
            for (index, name) in self.wanted {
                match name.strip_prefix(&*key) {
                    Some("") => itself.push(*index),
                    Some(rest) => {
                        inside.extend(rest.strip_prefix('.').map(|rest| (*index, rest)));
                    }
                    None => {}
                }
            }
            if itself.is_empty() && inside.is_empty() {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let member = Member {
                inside: &inside,
                values: &mut *self.values,
            };
            let value = members.next_value_seed(member)?;
            for index in itself {
                if let Some(place) = self.values.get_mut(index) {
                    *place = value.clone();
                }
            }
        }
        Ok(())
    }
}

/// The name of a member, borrowed from the line if it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'a> serde::Deserialize<'a> for Key<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'a> Visitor<'a> for KeyVisitor {
            type Value = Key<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Key<'a>, E> {
                Ok(Key(text.into()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Key<'a>, E> {
                Ok(Key(text.to_owned().into()))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

/// The value of a member. Members of an object in it are read into `values`; arrays are skipped.
struct Member<'w, 'v, 'a> {
    inside: &'w [(usize, &'w str)],
    values: &'v mut [Value<'a>],
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let member = Member {
            inside: &[],
            values: &mut [],
        };
        member.deserialize(deserializer)
    }
}

impl<'a> DeserializeSeed<'a> for Member<'_, '_, 'a> {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Value<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Member<'_, '_, 'a> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value<'a>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value<'a>, E> {
        Ok(Value::Integer(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value<'a>, E> {
        #[allow(clippy::cast_precision_loss)] // a negative number is no time
        Ok(u64::try_from(value).map_or(Value::Float(value as f64), Value::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value<'a>, E> {
        Ok(Value::Float(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'a>, E> {
        Ok(Value::Missing)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Value<'a>, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'a>, E> {
        Ok(Value::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Value<'a>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Missing)
    }

    fn visit_map<A: MapAccess<'a>>(self, members: A) -> Result<Value<'a>, A::Error> {
        let object = Object {
            wanted: self.inside,
            values: self.values,
        };
        object.visit_map(members)?;
        Ok(Value::Missing)
    }
}
