//! [`NginxFormat`]: a `log_format`, and the variables of a line.

use super::error::{FormatError, MappingError};
use super::predicate::Predicate;
use super::value::Value;
use crate::Outcome;
use memchr::memmem::Finder;
use std::str;
use std::sync::Arc;

/// A `log_format` of nginx.
///
/// Parsed from the format alone, or from the whole directive. The format needs a time: `$msec`,
/// `$time_iso8601` or `$time_local`, preferably `$msec`, because the others have whole seconds. It needs
/// an outcome: `$upstream_status` or `$status`. Durations come from `$upstream_response_time`, otherwise
/// from `$request_time`.
///
/// Logs of other servers can be read, too, if each line has the same text between its values. Their
/// `$time_iso8601` may have a space after the date, and no offset.
///
/// A line is one call, or one call for each upstream server that nginx tried. A format without
/// upstream variables describes requests instead of calls:
/// [`Caveat::ServerLog`](super::Caveat::ServerLog) says so.
///
/// # Default
///
/// * [`name`](Self::name): `$proxy_host`, `$server_name`, `$host` or `$upstream_addr`, the first that the
///   format has; otherwise the fixed name `nginx`
/// * [`instance`](Self::instance): `$hostname`, if the format has it
/// * [`ok`](Self::ok): `status<500`
///
/// # Examples
///
/// ```
/// use breakerbox_replay::import::{Importer, NginxFormat};
///
/// let format: NginxFormat = r#"
///     log_format upstream '$msec "$request" $status '
///                         '[$upstream_addr] [$upstream_status] [$upstream_response_time]';
/// "#
/// .parse()?;
/// let log = r#"1772000000.500 "GET / HTTP/1.1" 200 [10.0.0.1:80, 10.0.0.2:80] [502, 200] [0.100, 0.200]
/// "#;
/// let import = Importer::new().instances(1).nginx(log.as_bytes(), format)?;
/// let calls: Vec<_> = import.collect();
/// assert_eq!(calls.len(), 2);
/// assert_eq!(&*calls[0].name, "10.0.0.1:80");
/// assert_eq!(calls[0].end(), calls[1].start);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct NginxFormat {
    parts: Vec<Part>,
    /// The variable of each role, as an index of the captures.
    roles: [Option<usize>; Role::COUNT],
    /// The names of the variables, in their order.
    variables: Vec<String>,
    fixed_name: Option<Arc<str>>,
    ok: Predicate,
}

/// A variable, and the text between it and the next one.
#[derive(Clone, Debug)]
struct Part {
    kind: Kind,
    /// `None` for the last variable of a line.
    after: Option<Finder<'static>>,
}

/// How the end of a variable is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The text before the first variable.
    Start,
    Plain,
    /// May contain `, ` and ` : `.
    List,
    /// 26 bytes with a space.
    LocalTime,
    /// May have a space between date and time, as other servers write it.
    DateTime,
}

/// What a variable is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Msec,
    Iso8601,
    LocalTime,
    Status,
    RequestTime,
    UpstreamStatus,
    UpstreamTime,
    UpstreamAddress,
    Name,
    Instance,
    Request,
}

impl Role {
    const COUNT: usize = 11;

    /// The variables with a fixed role.
    const VARIABLES: [(&'static str, Self); 10] = [
        ("msec", Self::Msec),
        ("time_iso8601", Self::Iso8601),
        ("time_local", Self::LocalTime),
        ("status", Self::Status),
        ("request_time", Self::RequestTime),
        ("upstream_status", Self::UpstreamStatus),
        ("upstream_response_time", Self::UpstreamTime),
        ("upstream_addr", Self::UpstreamAddress),
        ("hostname", Self::Instance),
        ("request_id", Self::Request),
    ];
}

/// The variables of one line.
pub(super) struct Captures<'a> {
    texts: Vec<&'a [u8]>,
    roles: &'a [Option<usize>; Role::COUNT],
}

impl<'a> Captures<'a> {
    /// Returns the text of a variable, if the format has it and the text is UTF-8.
    pub(super) fn text(&self, role: Role) -> Option<&'a str> {
        str::from_utf8(self.texts.get(self.roles[role as usize]?)?).ok()
    }
}

impl NginxFormat {
    /// Sets the variable that names the breaker, such as `$proxy_host`, or a fixed name.
    ///
    /// # Errors
    ///
    /// A variable that the format does not have.
    pub fn name(mut self, name: &str) -> Result<Self, FormatError> {
        if name.starts_with('$') {
            self.set_role(Role::Name, name)?;
            self.fixed_name = None;
        } else {
            self.fixed_name = Some(name.into());
        }
        Ok(self)
    }

    /// Sets the variable that names the process that made the call, such as `$hostname`.
    ///
    /// # Errors
    ///
    /// A variable that the format does not have.
    pub fn instance(mut self, variable: &str) -> Result<Self, FormatError> {
        self.set_role(Role::Instance, variable)?;
        Ok(self)
    }

    /// Sets the condition under which a status means success.
    ///
    /// # Errors
    ///
    /// A condition that is no comparison of `status`.
    pub fn ok(mut self, condition: &str) -> Result<Self, MappingError> {
        let mut field = String::new();
        let ok = Predicate::parse(condition, |name| {
            name.clone_into(&mut field);
            0
        })?;
        if field != "status" {
            return Err(MappingError(format!(
                "the condition `{condition}` is not about `status`, which is all that is compared here"
            )));
        }
        self.ok = ok;
        Ok(self)
    }

    /// Returns `true` if the format describes upstream calls, and not only requests.
    pub fn is_upstream_log(&self) -> bool {
        let has = |role: Role| self.roles[role as usize].is_some();
        has(Role::UpstreamStatus) || has(Role::UpstreamTime) || has(Role::UpstreamAddress)
    }

    pub(super) fn has_instance(&self) -> bool {
        self.roles[Role::Instance as usize].is_some()
    }

    pub(super) fn fixed_name(&self) -> Option<&Arc<str>> {
        self.fixed_name.as_ref()
    }

    pub(super) fn judge(&self, status: &str) -> Outcome {
        match self.ok.holds(&[Value::Text(status.into())]) {
            Some(true) => Outcome::Success,
            _ => Outcome::Failure,
        }
    }

    fn set_role(&mut self, role: Role, variable: &str) -> Result<(), FormatError> {
        let name = variable.trim_start_matches('$');
        let found = self.variables.iter().position(|other| other == name);
        let index =
            found.ok_or_else(|| FormatError(format!("the log_format has no variable ${name}")))?;
        self.roles[role as usize] = Some(index);
        Ok(())
    }

    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        let text = format_of(text)?;
        let mut format = Self {
            parts: Vec::new(),
            roles: [None; Role::COUNT],
            variables: Vec::new(),
            fixed_name: None,
            ok: Predicate::parse("status<500", |_| 0)
                .map_err(|MappingError(text)| FormatError(text))?,
        };
        format.split(&text)?;
        for (index, variable) in format.variables.iter().enumerate() {
            let role = Role::VARIABLES.iter().find(|(name, _)| name == variable);
            if let Some((_, role)) = role {
                format.roles[*role as usize].get_or_insert(index);
            }
        }
        format.check()?;
        let names = ["proxy_host", "server_name", "host"];
        let has_name = names
            .into_iter()
            .any(|name| format.set_role(Role::Name, name).is_ok());
        if !has_name && format.roles[Role::UpstreamAddress as usize].is_none() {
            format.fixed_name = Some("nginx".into());
        }
        Ok(format)
    }

    /// Splits the format into variables and the text between them.
    fn split(&mut self, text: &str) -> Result<(), FormatError> {
        let mut pieces = text.split('$');
        let start = pieces.next().unwrap_or_default();
        let mut kind = Kind::Start;
        let mut after = start.to_owned();
        for piece in pieces {
            let in_braces = piece
                .strip_prefix('{')
                .and_then(|piece| piece.split_once('}'));
            let (name, rest) = in_braces.unwrap_or_else(|| {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                piece.split_at(piece.find(|c| !is_name(c)).unwrap_or(piece.len()))
            });
            if name.is_empty() {
                return Err(FormatError(
                    "a `$` of the log_format names no variable".to_owned(),
                ));
            }
            if kind != Kind::Start && after.is_empty() {
                return Err(FormatError(format!(
                    "there must be text between ${name} and the variable before it"
                )));
            }
            self.parts.push(Part {
                kind,
                after: Some(Finder::new(after.as_bytes()).into_owned()),
            });
            kind = match name {
                "time_local" => Kind::LocalTime,
                "time_iso8601" => Kind::DateTime,
                name if name.starts_with("upstream_") => Kind::List,
                _ => Kind::Plain,
            };
            rest.clone_into(&mut after);
            self.variables.push(name.to_owned());
        }
        if kind == Kind::Start {
            return Err(FormatError("the log_format has no variables".to_owned()));
        }
        let after = (!after.trim_end().is_empty())
            .then(|| Finder::new(after.trim_end().as_bytes()).into_owned());
        self.parts.push(Part { kind, after });
        Ok(())
    }

    fn check(&self) -> Result<(), FormatError> {
        let has_any = |roles: &[Role]| {
            roles
                .iter()
                .any(|role| self.roles[*role as usize].is_some())
        };
        if !has_any(&[Role::Msec, Role::Iso8601, Role::LocalTime]) {
            return Err(FormatError(
                "the log_format has no time: it needs $msec, $time_iso8601 or $time_local"
                    .to_owned(),
            ));
        }
        if !has_any(&[Role::Status, Role::UpstreamStatus]) {
            return Err(FormatError(
                "the log_format has no outcome: it needs $upstream_status or $status".to_owned(),
            ));
        }
        Ok(())
    }

    /// Returns the variables of a line, or `None` if the line does not have this format.
    pub(super) fn capture<'a>(&'a self, line: &'a [u8]) -> Option<Captures<'a>> {
        let mut texts = Vec::with_capacity(self.variables.len());
        let mut rest = line;
        for part in &self.parts {
            let end = part.end(rest)?;
            let (text, after) = rest.split_at_checked(end)?;
            let skipped = part.after.as_ref().map_or(0, |after| after.needle().len());
            rest = after.get(skipped..)?;
            if part.kind != Kind::Start {
                texts.push(text);
            } else if !text.is_empty() {
                return None;
            }
        }
        Some(Captures {
            texts,
            roles: &self.roles,
        })
    }
}

impl Part {
    /// Returns where the variable ends in `rest`, which begins with it.
    fn end(&self, rest: &[u8]) -> Option<usize> {
        let Some(after) = &self.after else {
            return Some(rest.len());
        };
        match self.kind {
            Kind::Start => rest.starts_with(after.needle()).then_some(0),
            Kind::Plain => after.find(rest),
            Kind::DateTime => {
                const DATE: usize = "2026-03-01".len();
                let from = if rest.get(DATE) == Some(&b' ') {
                    DATE + 1
                } else {
                    0
                };
                Some(from + after.find(rest.get(from..)?)?)
            }
            Kind::LocalTime => {
                let (_, after_time) = rest.split_at_checked(26)?;
                after_time.starts_with(after.needle()).then_some(26)
            }
            Kind::List => {
                let in_list = |at: usize| {
                    let before = rest.get(..at).unwrap_or_default();
                    let behind = rest.get(at..).unwrap_or_default();
                    before.ends_with(b",")
                        || before.ends_with(b" :")
                        || behind.starts_with(b", ")
                        || behind.starts_with(b" : ")
                };
                after.find_iter(rest).find(|at| !in_list(*at))
            }
        }
    }
}

/// Returns the format of a directive `log_format name [escape=…] 'a' 'b';`, or `text` if it is none.
fn format_of(text: &str) -> Result<String, FormatError> {
    let text = text.trim();
    let Some(directive) = text.strip_prefix("log_format") else {
        return Ok(text.to_owned());
    };
    let mut format = String::new();
    let mut rest = directive;
    while let Some(at) = rest.find(['\'', '"']) {
        let quoted = rest.get(at..).unwrap_or_default();
        let quote = if quoted.starts_with('"') { '"' } else { '\'' };
        let quoted = quoted.get(1..).unwrap_or_default();
        let Some((piece, after)) = quoted.split_once(quote) else {
            return Err(FormatError(
                "a quote of the log_format is not closed".to_owned(),
            ));
        };
        format.push_str(piece);
        rest = after;
    }
    if format.is_empty() {
        return Err(FormatError(
            "the directive log_format has no quoted format".to_owned(),
        ));
    }
    Ok(format)
}
