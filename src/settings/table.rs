//! Tables and lists.

use super::path::Path;
use super::read::{At, Read, Scalar, Shape, flaw, shaped};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

/// A value that is written as a table with known keys.
pub(super) trait Table: Default {
    const EXPECTED: &'static str = "a table";
    const KEYS: &'static [&'static str];

    /// Reads the value of one of the keys.
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &Path<'_>,
        map: &mut A,
    ) -> Result<(), A::Error>;

    /// The same as one text, where that is possible.
    fn from_text(_: &str) -> Option<Self> {
        None
    }
}

/// `None` for null, as if the key were left out.
pub(super) fn table<'de, T: Table, D: Deserializer<'de>>(
    path: &Path<'_>,
    from: D,
) -> Result<Option<T>, D::Error> {
    shaped(Keys(At::<T>::new(path)), from)
}

struct Keys<'a, T>(At<'a, T>);

impl<'de, T: Table> Shape<'de> for Keys<'_, T> {
    type Value = Option<T>;

    fn path(&self) -> &Path<'_> {
        self.0.path
    }

    fn expected(&self) -> &'static str {
        T::EXPECTED
    }

    fn scalar<E: Error>(self, scalar: Scalar) -> Result<Option<T>, E> {
        let read = match &scalar {
            Scalar::Null => return Ok(None),
            Scalar::Text(text) => T::from_text(text),
            _ => None,
        };
        let wrong = || flaw(self.0.path, scalar, T::EXPECTED);
        read.ok_or_else(wrong).map(Some)
    }

    fn table<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        let mut table = T::default();
        let mut seen = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let place = self.0.path.key(&key);
            let Some(known) = T::KEYS.iter().find(|known| **known == key) else {
                let known = T::KEYS.join(", ");
                let refusal = format!("{place} is no key that is known here: there are {known}");
                return map.next_value_seed(Refused(refusal, PhantomData));
            };
            if seen.contains(&known) {
                return Err(twice(&place));
            }
            seen.push(known);
            table.field(known, &place, &mut map)?;
        }
        Ok(Some(table))
    }
}

/// Refuses a value unread: at its place, as formats that know lines will say.
struct Refused<T>(String, PhantomData<T>);

impl<'de, T> DeserializeSeed<'de> for Refused<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<T, D::Error> {
        Err(D::Error::custom(self.0))
    }
}

/// The value of the key read last.
pub(super) fn value<'de, T: Read, A: MapAccess<'de>>(
    path: &Path<'_>,
    map: &mut A,
) -> Result<T, A::Error> {
    map.next_value_seed(At::new(path))
}

fn twice<E: Error>(place: &Path<'_>) -> E {
    E::custom(format_args!("{place} is given twice"))
}

/// A table whose keys are somebody's names.
impl<T: Read> Read for BTreeMap<Arc<str>, T> {
    fn read<'de, D: Deserializer<'de>>(path: &Path<'_>, from: D) -> Result<Self, D::Error> {
        shaped(AnyKeys(At::<T>::new(path)), from)
    }
}

struct AnyKeys<'a, T>(At<'a, T>);

impl<'de, T: Read> Shape<'de> for AnyKeys<'_, T> {
    type Value = BTreeMap<Arc<str>, T>;

    fn path(&self) -> &Path<'_> {
        self.0.path
    }

    fn expected(&self) -> &'static str {
        "a table"
    }

    fn scalar<E: Error>(self, scalar: Scalar) -> Result<Self::Value, E> {
        match scalar {
            Scalar::Null => Ok(BTreeMap::new()),
            scalar => Err(flaw(self.0.path, scalar, self.expected())),
        }
    }

    fn table<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut named = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let place = self.0.path.key(&name);
            if named.contains_key(&*name) {
                return Err(twice(&place));
            }
            let value = map.next_value_seed(At::new(&place))?;
            named.insert(name.as_str().into(), value);
        }
        Ok(named)
    }
}

/// A list of values; empty and left out are two things.
impl<T: Read> Read for Option<Vec<T>> {
    fn read<'de, D: Deserializer<'de>>(path: &Path<'_>, from: D) -> Result<Self, D::Error> {
        shaped(Items(At::<T>::new(path)), from)
    }
}

struct Items<'a, T>(At<'a, T>);

impl<'de, T: Read> Shape<'de> for Items<'_, T> {
    type Value = Option<Vec<T>>;

    fn path(&self) -> &Path<'_> {
        self.0.path
    }

    fn expected(&self) -> &'static str {
        "a list"
    }

    fn scalar<E: Error>(self, scalar: Scalar) -> Result<Self::Value, E> {
        match scalar {
            Scalar::Null => Ok(None),
            scalar => Err(flaw(self.0.path, scalar, self.expected())),
        }
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(At::new(&self.0.path.item(items.len())))? {
            items.push(item);
        }
        Ok(Some(items))
    }
}
