//! [`OtlpFormat`]: which spans of OTLP are calls, and what their attributes mean.

use super::error::MappingError;
use super::grpc;
use super::predicate::Predicate;
use super::value::Value;
use crate::Outcome;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// What the attributes of spans in OTLP JSON mean.
///
/// Spans of the kind `CLIENT` are calls, from their start to their end. The outcome comes from the first of
/// these that a span has:
///
/// | attribute | outcome |
/// |---|---|
/// | `breaker.outcome`, as breakerbox records it | if it is `refused`: the call never ran |
/// | `http.response.status_code`, `http.status_code` | [`ok`](Self::ok). The status of the span says more only below 400, because 4xx is an error of a client span by convention |
/// | `rpc.response.status_code`, `rpc.grpc.status_code`, `rpc.connect_rpc.error_code` | a gRPC status is a failure if it describes the health of the service: `UNKNOWN`, `DEADLINE_EXCEEDED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS`. `CANCELLED` is ignored |
/// | none of them | failure if the status of the span is `ERROR` |
///
/// # Default
///
/// * [`name`](Self::name): `breaker.name`, `peer.service`, `service.peer.name`, `server.address` or
///   `net.peer.name`, the first that the span has; otherwise the name of the span
/// * [`instance`](Self::instance): `service.instance.id` of the resource
/// * [`ok`](Self::ok): `status<500`
///
/// # Examples
///
/// ```
/// use breakerbox_replay::import::{Importer, OtlpFormat};
///
/// let line = r#"{"resourceSpans":[{
///     "resource":{"attributes":[{"key":"service.instance.id","value":{"stringValue":"web-1"}}]},
///     "scopeSpans":[{"spans":[{"kind":3,"name":"GET",
///         "startTimeUnixNano":"1772359200000000000","endTimeUnixNano":"1772359200012000000",
///         "attributes":[{"key":"peer.service","value":{"stringValue":"users-api"}}]}]}]}]}"#;
/// let line = line.replace('\n', "");
/// let import = Importer::new().otlp(std::io::Cursor::new(line), OtlpFormat::new())?;
/// let calls: Vec<_> = import.collect();
/// assert_eq!(&*calls[0].name, "users-api");
/// assert_eq!(calls[0].instance.as_deref(), Some("web-1"));
/// # Ok::<(), breakerbox_replay::import::ImportError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OtlpFormat {
    /// The keys of all attributes that are read.
    keys: Vec<String>,
    name: Name,
    /// An index of `keys`.
    instance: usize,
    is_instance_stated: bool,
    ok: Predicate,
}

#[derive(Clone, Debug)]
enum Name {
    Default,
    /// An index of the keys.
    Key(usize),
    Fixed(Arc<str>),
}

/// The attributes that are always read.
const KEYS: [&str; 13] = [
    "breaker.name",
    "peer.service",
    "service.peer.name",
    "server.address",
    "net.peer.name",
    "service.instance.id",
    "http.response.status_code",
    "http.status_code",
    "rpc.response.status_code",
    "rpc.grpc.status_code",
    "rpc.connect_rpc.error_code",
    "breaker.outcome",
    "error.type",
];

// Their indices.
const NAMES: Range<usize> = 0..5;
const INSTANCE: usize = 5;
const HTTP: Range<usize> = 6..8;
const RPC: Range<usize> = 8..11;
const OUTCOME: Range<usize> = 11..12;
const ERROR: Range<usize> = 12..13;

impl OtlpFormat {
    /// Creates the default format.
    pub fn new() -> Self {
        Self {
            keys: KEYS.map(str::to_owned).to_vec(),
            name: Name::Default,
            instance: INSTANCE,
            is_instance_stated: false,
            ok: Predicate::no_server_error(),
        }
    }

    /// Sets the attribute that names the breaker, of the span or else of its resource, or a fixed name in
    /// double quotes. A span without the attribute is bad.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        let fixed = name
            .strip_prefix('"')
            .and_then(|name| name.strip_suffix('"'));
        self.name = match fixed {
            Some(fixed) => Name::Fixed(fixed.into()),
            None => Name::Key(self.index_of(name)),
        };
        self
    }

    /// Sets the attribute that names the process that made the call, of the span or else of its resource,
    /// such as `k8s.pod.name`. A span without the attribute is bad.
    #[must_use]
    pub fn instance(mut self, attribute: &str) -> Self {
        self.instance = self.index_of(attribute);
        self.is_instance_stated = true;
        self
    }

    /// Sets the condition under which an HTTP status means success.
    ///
    /// # Errors
    ///
    /// A condition that is no comparison of `status`.
    pub fn ok(mut self, condition: &str) -> Result<Self, MappingError> {
        self.ok = Predicate::of_status(condition)?;
        Ok(self)
    }

    /// Returns the keys of the attributes that are read. Their indices are those of the values of a span.
    pub(super) fn keys(&self) -> &[String] {
        &self.keys
    }

    pub(super) fn is_instance_stated(&self) -> bool {
        self.is_instance_stated
    }

    fn index_of(&mut self, key: &str) -> usize {
        let found = self.keys.iter().position(|other| other == key);
        found.unwrap_or_else(|| {
            self.keys.push(key.to_owned());
            self.keys.len() - 1
        })
    }
}

impl Default for OtlpFormat {
    fn default() -> Self {
        Self::new()
    }
}

/// The attributes of a span and of its resource.
pub(super) struct Attributes<'f, 'a> {
    pub(super) format: &'f OtlpFormat,
    pub(super) span: &'f [Value<'a>],
    pub(super) resource: &'f [Value<'a>],
}

impl<'f> Attributes<'f, '_> {
    pub(super) fn instance(&self) -> Option<Cow<'f, str>> {
        self.text(self.format.instance)
    }

    /// Returns the name of the breaker. `span` is the name of the span.
    pub(super) fn name(&self, span: &'f str) -> Option<Cow<'f, str>> {
        match &self.format.name {
            Name::Default => {
                let named = self.first(NAMES);
                named.or_else(|| (!span.is_empty()).then_some(span.into()))
            }
            Name::Key(key) => self.text(*key),
            Name::Fixed(name) => Some((**name).into()),
        }
    }

    /// Returns the outcome and its label. `is_error` is the status of the span.
    pub(super) fn outcome(&self, is_error: bool) -> (Outcome, Option<Cow<'f, str>>) {
        if self.first(OUTCOME).as_deref() == Some("refused") {
            return (Outcome::Refused, None);
        }
        let error = self.first(ERROR);
        let by_status = || {
            if is_error {
                Outcome::Failure
            } else {
                Outcome::Success
            }
        };
        if let Some(status) = self.first(HTTP) {
            let is_of_client = status.starts_with('4');
            let outcome = match self.format.ok.judge(&status) {
                Some(Outcome::Success) if !is_of_client => by_status(),
                Some(outcome) => outcome,
                None => by_status(),
            };
            return (outcome, Some(status));
        }
        if let Some(status) = self.first(RPC) {
            let outcome = grpc::outcome_of(&status);
            return (outcome.unwrap_or_else(by_status), Some(status));
        }
        (by_status(), error)
    }

    /// Returns the first of these attributes that the span has.
    fn first(&self, keys: Range<usize>) -> Option<Cow<'f, str>> {
        let values = self.span.get(keys)?;
        values.iter().find_map(Value::as_text)
    }

    /// Returns an attribute of the span, or else of its resource.
    fn text(&self, key: usize) -> Option<Cow<'f, str>> {
        let text = |values: &'f [Value<'_>]| values.get(key)?.as_text();
        text(self.span).or_else(|| text(self.resource))
    }
}
