//! [`EnvoyFormat`]: an access log format of Envoy, and the values of a line.

use super::error::{FormatError, MappingError};
use super::ndjson;
use super::pattern::{Kind, Pattern, Variable};
use super::predicate::Predicate;
use super::sink::{BadReason, Names};
use super::value::Value;
use crate::Outcome;
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::str::{self, FromStr};
use std::sync::Arc;

/// An access log format of Envoy.
///
/// Parsed from a format string, or from a format dictionary in JSON. The default is Envoy's default format
/// string; [`istio`](Self::istio) and [`json`](Self::json) are other usual formats. A format needs
/// `%START_TIME%`, and `%RESPONSE_CODE%` or `%GRPC_STATUS%`. It should have `%RESPONSE_FLAGS%`. Times are
/// those of the default form, or have a format such as `%START_TIME(%s.%3f)%` or
/// `%START_TIME(%Y-%m-%dT%H:%M:%S)%`.
///
/// A line is one request, and one call: attempts that Envoy repeated are one call. Its duration is
/// `%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%`, otherwise `%DURATION%`. Its outcome comes from the flags, and
/// from the response code if no flag tells it:
///
/// | flags | outcome |
/// |---|---|
/// | `UF` `UC` `UR` `UT` `LR` `UPE` `UMSDR` `URX` `DF` | failure |
/// | `UH` `UO` `DO` `NR` `NC` `NFCF` `LH` `RL` `RLSE` `UAEX` `FI` `IH` `DPE` `OM` `RFCF` | never called, and [counted](super::ImportCounts::never_ran) |
/// | `DC` | cancelled |
/// | `DT`, and `SI` with a code below 500 | ignored |
/// | others, and none | by the code: see [`ok`](Self::ok). `%GRPC_STATUS%` decides if the format has it |
///
/// The long names of `%RESPONSE_FLAGS_LONG%` mean the same. A request without an upstream host was never
/// called, too. If `%RESPONSE_CODE_DETAILS%` is `via_upstream`, the server answered, and the flags of the
/// second row mean nothing.
///
/// # Default
///
/// * [`name`](Self::name): `%UPSTREAM_CLUSTER%`, `%REQ(:AUTHORITY)%` or `%UPSTREAM_HOST%`, the first that the
///   format has; otherwise the fixed name `envoy`
/// * [`instance`](Self::instance): `%HOSTNAME%` or `%ENVIRONMENT(POD_NAME)%`, if the format has it
/// * [`ok`](Self::ok): `status<500`
///
/// # Examples
///
/// ```
/// use breakerbox_replay::Outcome;
/// use breakerbox_replay::import::{EnvoyFormat, Importer};
///
/// let log = r#"[2026-03-01T10:00:00.310Z] "GET /v1 HTTP/2" 503 UF 0 91 12 - "-" "curl" "7c1f" "users-api" "10.0.0.1:80"
/// "#;
/// let import = Importer::new().instances(1).envoy(log.as_bytes(), EnvoyFormat::default())?;
/// let calls: Vec<_> = import.collect();
/// assert_eq!(calls[0].outcome, Outcome::Failure);
/// assert_eq!(&*calls[0].name, "users-api");
///
/// let dictionary = r#"{"at": "%START_TIME%", "code": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%"}"#;
/// let format: EnvoyFormat = dictionary.parse()?;
/// let log = r#"{"at":"2026-03-01T10:00:00.310Z","code":503,"flags":"UO"}
/// "#;
/// let mut import = Importer::new().instances(1).envoy(log.as_bytes(), format)?;
/// assert_eq!(import.by_ref().count(), 0);
/// assert_eq!(import.counts().never_ran, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct EnvoyFormat {
    layout: Layout,
    /// The operator of each role, as an index of the values.
    roles: [Option<usize>; Role::COUNT],
    /// The operators, in their order.
    operators: Vec<Operator>,
    fixed_name: Option<Arc<str>>,
    ok: Predicate,
    /// Whether the names of the values are a guess, so that lines may not have all of them.
    is_guess: bool,
}

/// How the values of a line are found.
#[derive(Clone, Debug)]
enum Layout {
    Text(Pattern),
    /// The path of each value in an object.
    Json(Vec<String>),
}

/// A command operator, such as `%REQ(X-REQUEST-ID?X-ID):36%`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Operator {
    name: String,
    arguments: String,
}

/// What an operator is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Start,
    Duration,
    UpstreamTime,
    Status,
    Grpc,
    Flags,
    Details,
    Attempts,
    Protocol,
    Cluster,
    Authority,
    Host,
    Name,
    Instance,
}

impl Role {
    const COUNT: usize = 14;

    fn of(operator: &Operator) -> Option<Self> {
        Some(match (&*operator.name, &*operator.arguments) {
            ("START_TIME", _) => Self::Start,
            ("DURATION", _) => Self::Duration,
            ("RESP" | "RESPONSE_HEADER", "X-ENVOY-UPSTREAM-SERVICE-TIME") => Self::UpstreamTime,
            ("RESPONSE_CODE", _) => Self::Status,
            ("GRPC_STATUS" | "GRPC_STATUS_NUMBER", _) => Self::Grpc,
            ("RESPONSE_FLAGS" | "RESPONSE_FLAGS_LONG", _) => Self::Flags,
            ("RESPONSE_CODE_DETAILS", _) => Self::Details,
            ("UPSTREAM_REQUEST_ATTEMPT_COUNT", _) => Self::Attempts,
            ("PROTOCOL", _) => Self::Protocol,
            ("UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW", _) => Self::Cluster,
            ("REQ" | "REQUEST_HEADER", header) if header.ends_with(":AUTHORITY") => Self::Authority,
            ("UPSTREAM_HOST", _) => Self::Host,
            ("HOSTNAME", _) | ("ENVIRONMENT", "POD_NAME") => Self::Instance,
            _ => return None,
        })
    }
}

/// What a breaker is named after, the best first.
const NAMES: [Role; 3] = [Role::Cluster, Role::Authority, Role::Host];

/// The values of one line.
pub(super) struct Fields<'a> {
    values: Vec<Value<'a>>,
    roles: &'a [Option<usize>; Role::COUNT],
}

impl<'a> Fields<'a> {
    /// Returns a value as text. `None` for `-`, which is how Envoy writes that there is no value.
    pub(super) fn text(&self, role: Role) -> Option<Cow<'_, str>> {
        let text = self.value(role)?.as_text()?;
        (text != "-").then_some(text)
    }

    /// Returns the value of an operator, if the format has it.
    pub(super) fn value(&self, role: Role) -> Option<&Value<'a>> {
        self.values.get(self.roles[role as usize]?)
    }
}

/// The default format string of Envoy.
const DEFAULT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
    %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
    %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \
    \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"";

/// The default format string of Istio. More operators may follow.
const ISTIO: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
    %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \
    \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
    %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \
    \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER% \
    %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS%";

/// The names that Istio, Contour and Envoy Gateway have for the values.
const JSON: &str = r#"{
    "start_time": "%START_TIME%",
    "duration": "%DURATION%",
    "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "protocol": "%PROTOCOL%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "authority": "%REQ(:AUTHORITY)%",
    "upstream_host": "%UPSTREAM_HOST%"
}"#;

impl Default for EnvoyFormat {
    /// Envoy's default format string.
    fn default() -> Self {
        Self::known(DEFAULT)
    }
}

impl FromStr for EnvoyFormat {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let text = text.trim();
        if text.starts_with('{') {
            let wrong = |error| FormatError(format!("the format is no dictionary: {error}"));
            let dictionary = serde_json::from_str(text).map_err(wrong)?;
            let (mut paths, mut operators) = (Vec::new(), Vec::new());
            collect(&dictionary, "", &mut paths, &mut operators)?;
            return Self::new(Layout::Json(paths), operators);
        }
        // A format ends with a line break, which configurations write as an escape.
        let text = text.trim_end_matches("\\n").trim_end();
        let (start, found) = split(text)?;
        let variables: Vec<Variable> = found.iter().map(|(_, it)| it.clone()).collect();
        let pattern = Pattern::new(&start, &variables)?;
        let operators = found.into_iter().map(|(operator, _)| operator).collect();
        Self::new(Layout::Text(pattern), operators)
    }
}

impl EnvoyFormat {
    /// Returns the default format string of Istio.
    pub fn istio() -> Self {
        Self::known(ISTIO)
    }

    /// Returns the format of objects with the usual names: `start_time`, `response_code`, `response_flags`,
    /// `response_code_details`, `duration`, `upstream_service_time`, `protocol`, `upstream_cluster`,
    /// `authority` and `upstream_host`.
    pub fn json() -> Self {
        Self {
            is_guess: true,
            ..Self::known(JSON)
        }
    }

    fn known(text: &str) -> Self {
        text.parse().expect("the format is well-formed")
    }

    /// Sets the operator that names the breaker, such as `%UPSTREAM_HOST%`, or a fixed name.
    ///
    /// # Errors
    ///
    /// An operator that the format does not have.
    pub fn name(mut self, name: &str) -> Result<Self, FormatError> {
        if name.starts_with('%') {
            self.set_role(Role::Name, name)?;
            self.fixed_name = None;
        } else {
            self.fixed_name = Some(name.into());
        }
        Ok(self)
    }

    /// Sets the operator that names the process that made the call, such as `%ENVIRONMENT(POD)%`.
    ///
    /// # Errors
    ///
    /// An operator that the format does not have.
    pub fn instance(mut self, operator: &str) -> Result<Self, FormatError> {
        self.set_role(Role::Instance, operator)?;
        Ok(self)
    }

    /// Sets the condition under which a response code means success.
    ///
    /// # Errors
    ///
    /// A condition that is no comparison of `status`.
    pub fn ok(mut self, condition: &str) -> Result<Self, MappingError> {
        self.ok = Predicate::of_status(condition)?;
        Ok(self)
    }

    /// Returns `true` if the format says what became of the upstream call, and not only of the request.
    pub fn is_upstream_log(&self) -> bool {
        [Role::Flags, Role::Host, Role::Cluster, Role::Details]
            .iter()
            .any(|role| self.has(*role))
    }

    pub(super) fn has(&self, role: Role) -> bool {
        self.roles[role as usize].is_some()
    }

    /// Returns the name of the breaker.
    pub(super) fn name_of(&self, fields: &Fields<'_>, names: &mut Names) -> Option<Arc<str>> {
        if let Some(name) = &self.fixed_name {
            return Some(name.clone());
        }
        let found = if self.has(Role::Name) {
            fields.text(Role::Name)
        } else {
            NAMES.into_iter().find_map(|role| fields.text(role))
        };
        Some(names.intern(&found?))
    }

    /// Returns `true` if the line says that the operator has no value.
    pub(super) fn is_unset(&self, fields: &Fields<'_>, role: Role) -> bool {
        match fields.value(role) {
            None => false,
            Some(Value::Missing) => !self.is_guess,
            Some(_) => fields.text(role).is_none(),
        }
    }

    pub(super) fn judge(&self, status: &str) -> Option<Outcome> {
        self.ok.judge(status)
    }

    fn new(layout: Layout, operators: Vec<Operator>) -> Result<Self, FormatError> {
        let mut roles = [None; Role::COUNT];
        for (index, operator) in operators.iter().enumerate() {
            if let Some(role) = Role::of(operator) {
                roles[role as usize].get_or_insert(index);
            }
        }
        let has = |role: Role| roles[role as usize].is_some();
        if !has(Role::Start) {
            return Err(FormatError(
                "the format has no time: it needs %START_TIME%".to_owned(),
            ));
        }
        if !has(Role::Status) && !has(Role::Grpc) {
            return Err(FormatError(
                "the format has no outcome: it needs %RESPONSE_CODE%".to_owned(),
            ));
        }
        let has_name = NAMES.into_iter().any(has);
        Ok(Self {
            layout,
            roles,
            operators,
            fixed_name: (!has_name).then(|| "envoy".into()),
            ok: Predicate::no_server_error(),
            is_guess: false,
        })
    }

    fn set_role(&mut self, role: Role, text: &str) -> Result<(), FormatError> {
        let (_, found) = split(text)?;
        let wanted = found.first().map(|(operator, _)| operator);
        let is_it = |operator: &Operator| Some(operator) == wanted;
        let index = self.operators.iter().position(is_it);
        let index =
            index.ok_or_else(|| FormatError(format!("the format has no operator {text}")))?;
        self.roles[role as usize] = Some(index);
        Ok(())
    }

    /// Returns the values of a line.
    pub(super) fn fields<'a>(&'a self, line: &'a [u8]) -> Result<Fields<'a>, BadReason> {
        let values = match &self.layout {
            Layout::Text(pattern) => {
                let texts = pattern
                    .capture(line)
                    .ok_or("the line does not have the format")?;
                let value = |text: &&'a [u8]| match str::from_utf8(text) {
                    Ok(text) => Value::Text(text.into()),
                    Err(_) => Value::Missing,
                };
                texts.iter().map(value).collect()
            }
            Layout::Json(paths) => ndjson::parse(line, paths)?,
        };
        Ok(Fields {
            values,
            roles: &self.roles,
        })
    }
}

/// Collects the operators of a dictionary, and the paths of their values.
fn collect(
    dictionary: &Map<String, Json>,
    prefix: &str,
    paths: &mut Vec<String>,
    operators: &mut Vec<Operator>,
) -> Result<(), FormatError> {
    for (key, value) in dictionary {
        let path = format!("{prefix}{key}");
        match value {
            Json::Object(inner) => collect(inner, &format!("{path}."), paths, operators)?,
            Json::String(text) => {
                // A text around the operator would be part of the value.
                let (start, found) = split(text)?;
                if let ("", [(operator, variable)]) = (&*start, &*found) {
                    if variable.after.is_empty() {
                        paths.push(path);
                        operators.push(operator.clone());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

type Split = (String, Vec<(Operator, Variable)>);

/// Splits a format string into the text before the first operator, and the operators with the text after
/// each of them.
fn split(text: &str) -> Result<Split, FormatError> {
    let mut start = String::new();
    let mut found: Vec<(Operator, Variable)> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let plain = match rest.split_once('%') {
            None => std::mem::take(&mut rest),
            Some((before, after)) if after.starts_with('%') => {
                rest = after.get(1..).unwrap_or_default();
                push(&mut start, &mut found, before);
                "%"
            }
            Some((before, after)) => {
                push(&mut start, &mut found, before);
                let (operator, written, behind) = operator(after)
                    .ok_or_else(|| FormatError(format!("`%{after}` begins no operator")))?;
                rest = behind;
                let kind = if operator.name == "START_TIME" {
                    Kind::DateTime
                } else {
                    Kind::Plain
                };
                let variable = Variable {
                    name: format!("%{written}%"),
                    kind,
                    after: String::new(),
                };
                found.push((operator, variable));
                ""
            }
        };
        push(&mut start, &mut found, plain);
    }
    Ok((start, found))
}

/// Adds text after the last operator.
fn push(start: &mut String, found: &mut [(Operator, Variable)], text: &str) {
    match found.last_mut() {
        Some((_, variable)) => variable.after.push_str(text),
        None => start.push_str(text),
    }
}

/// Parses an operator after its first `%`. Returns it, its text, and what follows it.
fn operator(text: &str) -> Option<(Operator, &str, &str)> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let (name, mut rest) = text.split_at(text.find(|c| !is_name(c))?);
    let mut arguments = "";
    if let Some(inside) = rest.strip_prefix('(') {
        // Formats of times contain `%`, and expressions contain parentheses and colons.
        let is_end = |at: &usize| {
            let behind = inside.get(at + 1..).unwrap_or_default();
            without_length(behind).starts_with('%')
        };
        let end = inside.match_indices(')').map(|(at, _)| at).find(is_end)?;
        arguments = inside.get(..end)?;
        rest = inside.get(end + 1..)?;
    }
    let behind = without_length(rest)
        .strip_prefix('%')
        .filter(|_| !name.is_empty())?;
    let written = text.get(..text.len() - behind.len() - 1)?;
    let operator = Operator {
        name: name.to_owned(),
        arguments: arguments.to_ascii_uppercase(),
    };
    Some((operator, written, behind))
}

/// Returns the text after the maximum length of an operator, such as `:36`, if it begins with one.
fn without_length(text: &str) -> &str {
    match text.strip_prefix(':') {
        Some(length) => length.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => text,
    }
}
