//! [`NginxFormat`]: a `log_format`, and the variables of a line.

use super::error::{FormatError, MappingError};
use super::pattern::{Kind, Pattern, Variable};
use super::predicate::Predicate;
use crate::Outcome;
use std::str::{self, Chars};
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
/// A line is one call, or one call for each upstream server that nginx tried. These have the same
/// `$request_id`, if the format has it. An attempt for which nginx had no live server never ran, which
/// `$upstream_addr` tells. A status of 499 is a cancelled call. A format without upstream variables
/// describes requests instead of calls:
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
    pattern: Pattern,
    /// The variable of each role, as an index of the captures.
    roles: [Option<usize>; Role::COUNT],
    /// The names of the variables, in their order.
    variables: Vec<String>,
    fixed_name: Option<Arc<str>>,
    ok: Predicate,
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

    /// Returns `true` if the format has the variable, and its text is not UTF-8.
    pub(super) fn is_invalid(&self, role: Role) -> bool {
        self.roles[role as usize].is_some() && self.text(role).is_none()
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
        self.ok = Predicate::of_status(condition)?;
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

    /// Returns what a status means, or `None` if it is no status.
    pub(super) fn judge(&self, status: &str) -> Option<Outcome> {
        self.ok.judge(status)
    }

    fn set_role(&mut self, role: Role, variable: &str) -> Result<(), FormatError> {
        let name = variable.trim_start_matches('$');
        let is_it = |other: &String| other.strip_prefix('$') == Some(name);
        let found = self.variables.iter().position(is_it);
        let index =
            found.ok_or_else(|| FormatError(format!("the log_format has no variable ${name}")))?;
        self.roles[role as usize] = Some(index);
        Ok(())
    }

    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        let (text, escapes) = format_of(text)?;
        let (start, variables) = split(&text, escapes)?;
        let mut format = Self {
            pattern: Pattern::new(start, &variables)?,
            roles: [None; Role::COUNT],
            variables: variables
                .into_iter()
                .map(|variable| variable.name)
                .collect(),
            fixed_name: None,
            ok: Predicate::no_server_error(),
        };
        for (index, variable) in format.variables.iter().enumerate() {
            let role = Role::VARIABLES
                .iter()
                .find(|(name, _)| variable.strip_prefix('$') == Some(name));
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
        Some(Captures {
            texts: self.pattern.capture(line)?,
            roles: &self.roles,
        })
    }
}

/// Splits a format into the text before the first variable, and the variables. `escapes` says whether
/// quotes in values are escaped.
fn split(text: &str, escapes: bool) -> Result<(&str, Vec<Variable>), FormatError> {
    let mut pieces = text.split('$');
    let start = pieces.next().unwrap_or_default();
    let variables = pieces.map(|piece| {
        let in_braces = piece
            .strip_prefix('{')
            .and_then(|piece| piece.split_once('}'));
        let (name, after) = in_braces.unwrap_or_else(|| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            piece.split_at(piece.find(|c| !is_name(c)).unwrap_or(piece.len()))
        });
        if name.is_empty() {
            return Err(FormatError(
                "a `$` of the log_format names no variable".to_owned(),
            ));
        }
        Ok(Variable {
            name: format!("${name}"),
            kind: match name {
                "time_local" => Kind::LocalTime,
                "time_iso8601" => Kind::DateTime,
                name if name.starts_with("upstream_") => Kind::List,
                _ if escapes && after.starts_with('"') => Kind::Escaped,
                _ => Kind::Plain,
            },
            after: after.to_owned(),
        })
    });
    Ok((start, variables.collect::<Result<_, _>>()?))
}

/// Returns the format of a directive `log_format name [escape=…] 'a' 'b';`, or `text` if it is none, and
/// whether quotes in values are escaped.
fn format_of(text: &str) -> Result<(String, bool), FormatError> {
    let text = text.trim();
    let Some(directive) = text.strip_prefix("log_format") else {
        return Ok((text.to_owned(), true));
    };
    let mut format = String::new();
    let mut words = String::new();
    let mut characters = directive.chars();
    while let Some(quote) = characters.next() {
        if matches!(quote, '\'' | '"') {
            quoted(&mut characters, quote, &mut format)?;
        } else {
            words.push(quote);
        }
    }
    if format.is_empty() {
        return Err(FormatError(
            "the directive log_format has no quoted format".to_owned(),
        ));
    }
    Ok((format, !words.contains("escape=none")))
}

/// Reads text up to `quote`, with the escapes of a configuration of nginx.
fn quoted(characters: &mut Chars<'_>, quote: char, text: &mut String) -> Result<(), FormatError> {
    let unclosed = || FormatError("a quote of the log_format is not closed".to_owned());
    loop {
        match characters.next().ok_or_else(unclosed)? {
            '\\' => match characters.next().ok_or_else(unclosed)? {
                escaped @ ('\'' | '"' | '\\') => text.push(escaped),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                'n' => text.push('\n'),
                other => text.extend(['\\', other]),
            },
            end if end == quote => return Ok(()),
            other => text.push(other),
        }
    }
}
