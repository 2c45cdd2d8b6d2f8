//! The spans in a line of OTLP JSON.

use super::value::Value;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use serde_json::{Error, Result};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A span. Its attributes are read on demand.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Span<'a> {
    #[serde(borrow)]
    pub(super) name: Value<'a>,
    /// A number of an enumeration, or its name, which some exporters write.
    pub(super) kind: Value<'a>,
    /// A number, or its text, which is how OTLP writes 64-bit integers.
    pub(super) start_time_unix_nano: Value<'a>,
    pub(super) end_time_unix_nano: Value<'a>,
    pub(super) status: Option<Status<'a>>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status<'a> {
    #[serde(borrow)]
    pub(super) code: Value<'a>,
}

/// The values of the attributes that are wanted, in their order.
pub(super) type Attributes<'a> = Vec<Value<'a>>;

#[derive(Deserialize)]
struct Traces<'a> {
    /// Tempo calls them `batches`.
    #[serde(borrow, rename = "resourceSpans", alias = "batches")]
    resource_spans: &'a RawValue,
}

/// The lists are raw, because the members of an object may have any order.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Option<Resource<'a>>,
    #[serde(borrow, rename = "scopeSpans", alias = "instrumentationLibrarySpans")]
    scope_spans: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource<'a> {
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScopeSpans<'a> {
    #[serde(borrow)]
    spans: Option<&'a RawValue>,
}

impl<'a> ResourceSpans<'a> {
    fn attributes(&self, wanted: &[String]) -> Result<Attributes<'a>> {
        let resource = self.resource.as_ref();
        attributes(resource.and_then(|resource| resource.attributes), wanted)
    }
}

/// Passes the spans of a line to `take`, with the attributes of their resources. A span may be malformed. An
/// error of `take` ends the line.
pub(super) fn read<'a>(
    line: &'a [u8],
    wanted: &[String],
    mut take: impl FnMut(&Attributes<'a>, RawSpan<'a>) -> Result<()>,
) -> Result<()> {
    let traces: Traces<'a> = serde_json::from_slice(line)?;
    each(
        Some(traces.resource_spans),
        |resource_spans: ResourceSpans<'a>| {
            let attributes = resource_spans.attributes(wanted)?;
            each(resource_spans.scope_spans, |scope_spans: ScopeSpans<'a>| {
                each(scope_spans.spans, |span| take(&attributes, RawSpan(span)))
            })
        },
    )
}

/// Returns the attributes of the first resource in a line.
pub(super) fn first_resource<'a>(line: &'a [u8], wanted: &[String]) -> Option<Attributes<'a>> {
    let traces: Traces<'a> = serde_json::from_slice(line).ok()?;
    let mut first = None;
    // The error ends the list.
    let _ = each(Some(traces.resource_spans), |spans: ResourceSpans<'a>| {
        first = spans.attributes(wanted).ok();
        Err(Error::custom("the first is enough"))
    });
    first
}

/// A span whose members were not read yet, so that a malformed one does not end its line.
#[derive(Clone, Copy)]
pub(super) struct RawSpan<'a>(&'a RawValue);

impl<'a> RawSpan<'a> {
    pub(super) fn parse(self) -> Result<Span<'a>> {
        serde_json::from_str(self.0.get())
    }
}

impl<'a> Span<'a> {
    pub(super) fn attributes(&self, wanted: &[String]) -> Result<Attributes<'a>> {
        attributes(self.attributes, wanted)
    }
}

fn attributes<'a>(list: Option<&'a RawValue>, wanted: &[String]) -> Result<Attributes<'a>> {
    let mut values = vec![Value::Missing; wanted.len()];
    each(list, |attribute: Attribute<'a>| {
        let found = wanted.iter().position(|key| *key == attribute.key);
        if let Some(place) = found.and_then(|index| values.get_mut(index)) {
            let value: Option<AnyValue<'a>> = match attribute.value {
                Some(value) => serde_json::from_str(value.get())?,
                None => None,
            };
            *place = value.unwrap_or_default().value();
        }
        Ok(())
    })?;
    Ok(values)
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    /// Read only if the attribute is wanted.
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

/// The value of an attribute, of which one member is set. Arrays, lists and bytes are missing values.
#[derive(Default, Deserialize)]
#[serde(default)]
struct AnyValue<'a> {
    #[serde(borrow, rename = "stringValue")]
    string: Value<'a>,
    #[serde(borrow, rename = "intValue")]
    int: Value<'a>,
    #[serde(borrow, rename = "boolValue")]
    bool: Value<'a>,
    #[serde(borrow, rename = "doubleValue")]
    double: Value<'a>,
}

impl<'a> AnyValue<'a> {
    fn value(self) -> Value<'a> {
        let values = [self.string, self.int, self.bool, self.double];
        let is_set = |value: &Value<'_>| *value != Value::Missing;
        values.into_iter().find(is_set).unwrap_or_default()
    }
}

/// Passes each element of an array to `take`, without a list of them in memory.
fn each<'a, T, F>(array: Option<&'a RawValue>, take: F) -> Result<()>
where
    T: Deserialize<'a>,
    F: FnMut(T) -> Result<()>,
{
    let Some(array) = array else { return Ok(()) };
    let mut deserializer = serde_json::Deserializer::from_str(array.get());
    Each(take, PhantomData).deserialize(&mut deserializer)
}

struct Each<T, F>(F, PhantomData<T>);

impl<'a, T: Deserialize<'a>, F: FnMut(T) -> Result<()>> DeserializeSeed<'a> for Each<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(
        self,
        deserializer: D,
    ) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a, T: Deserialize<'a>, F: FnMut(T) -> Result<()>> Visitor<'a> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> std::result::Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            if let Err(error) = (self.0)(item) {
                // What remains is skipped, because the text ends with the list.
                return Err(A::Error::custom(error));
            }
        }
        Ok(())
    }
}
