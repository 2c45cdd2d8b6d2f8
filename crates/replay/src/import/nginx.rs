//! Access logs of nginx, by their `log_format`.

use super::lines::Lines;
use super::nginx_format::{Captures, NginxFormat, Role};
use super::sink::{BadReason, Format, Names, Sink, label};
use super::time::{TimeFormat, Unit, nginx_local};
use super::value::Value;
use crate::{Call, Outcome};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Reads an access log.
///
/// A line is a request. It is one call, or one call for each upstream server that nginx tried:
/// `$upstream_status` and `$upstream_response_time` are lists then. In `a, b : c`, a comma comes before
/// another attempt, and a colon before an internal redirect. The attempts follow each other, and the
/// last one ends at the time of the line.
pub(super) struct Nginx {
    lines: Lines,
    format: NginxFormat,
}

impl Nginx {
    pub(super) fn new(lines: Lines, format: NginxFormat) -> Self {
        Self { lines, format }
    }
}

impl Format for Nginx {
    fn read(&mut self, sink: &mut Sink) -> bool {
        let format = &self.format;
        sink.read_line(&mut self.lines, |sink, number, text| {
            match request(format, text, &mut sink.names) {
                Ok(request) => request.push(number, sink),
                Err(reason) => sink.bad(number, &reason, text),
            }
        })
    }
}

/// A line: the calls of one request.
struct Request {
    end: Duration,
    calls: Vec<Call>,
    never_ran: u64,
}

impl Request {
    fn push(self, number: u64, sink: &mut Sink) {
        sink.counts.never_ran += self.never_ran;
        for call in self.calls {
            sink.push(number, self.end, call);
        }
    }
}

/// One entry of the lists of a line.
struct Attempt<'a> {
    duration: Option<Duration>,
    /// The status, or `None` if the log does not say it.
    status: Option<&'a str>,
    address: Option<&'a str>,
    /// Whether nginx tried another server afterwards, because this one failed.
    is_retried: bool,
}

fn request(format: &NginxFormat, line: &[u8], names: &mut Names) -> Result<Request, BadReason> {
    let captures = format
        .capture(line)
        .ok_or("the line does not have the log_format")?;
    let end = end_of(&captures)?;
    let attempts = attempts(format, &captures)?;
    let status = captures.text(Role::Status);
    let text = |role| {
        captures
            .text(role)
            .filter(|text| !matches!(*text, "" | "-"))
    };
    let instance = text(Role::Instance).map(|instance| names.intern(instance));
    let request = text(Role::Request).map(Arc::<str>::from);
    let fixed = match format.fixed_name() {
        Some(name) => Some(name.clone()),
        None if captures.is_invalid(Role::Name) => return Err("the name is no UTF-8".into()),
        None => text(Role::Name).map(|name| names.intern(name)),
    };
    let mut calls = Vec::with_capacity(attempts.len());
    let mut never_ran = 0;
    let mut ends = end;
    // Backwards: each attempt ends where the next one starts.
    for attempt in attempts.iter().rev() {
        let ended = attempt.ended(format, status)?;
        let Some((outcome, error)) = ended.filter(|_| !attempt.has_no_server()) else {
            never_ran += 1;
            continue;
        };
        let name = match (&fixed, attempt.address) {
            (Some(name), _) => name.clone(),
            (None, Some(address)) => names.intern(address),
            (None, None) => return Err("no name".into()),
        };
        ends = ends.saturating_sub(attempt.duration.unwrap_or_default());
        calls.push(Call {
            start: ends,
            name,
            instance: instance.clone(),
            duration: attempt.duration,
            outcome,
            error: error.map(|error| names.intern(label(error))),
            request: request.clone(),
        });
    }
    calls.reverse();
    Ok(Request {
        end,
        calls,
        never_ran,
    })
}

/// Returns the time of a line, which nginx writes at the end of the request.
fn end_of(captures: &Captures<'_>) -> Result<Duration, BadReason> {
    let time = if let Some(text) = captures.text(Role::Msec) {
        TimeFormat::Unix(Unit::Seconds).parse(&Value::Text(text.into()))
    } else if let Some(text) = captures.text(Role::Iso8601) {
        TimeFormat::Rfc3339.parse(&Value::Text(text.into()))
    } else {
        captures.text(Role::LocalTime).and_then(nginx_local)
    };
    time.ok_or("no time".into())
}

/// Returns the attempts of a line in their order.
fn attempts<'a>(
    format: &NginxFormat,
    captures: &Captures<'a>,
) -> Result<Vec<Attempt<'a>>, BadReason> {
    if !format.is_upstream_log() {
        let duration = captures.text(Role::RequestTime).map(seconds).transpose()?;
        return Ok(vec![Attempt {
            duration: duration.flatten(),
            status: captures.text(Role::Status),
            address: None,
            is_retried: false,
        }]);
    }
    let list = |role| captures.text(role).map(entries).unwrap_or_default();
    let times = list(Role::UpstreamTime);
    let statuses = list(Role::UpstreamStatus);
    let addresses = list(Role::UpstreamAddress);
    let lengths = [times.len(), statuses.len(), addresses.len()];
    let length = lengths.into_iter().max().unwrap_or(0);
    if lengths.iter().any(|other| *other != 0 && *other != length) {
        return Err("the lists of the upstream variables have different lengths".into());
    }
    let whole = captures.text(Role::RequestTime).filter(|_| length == 1);
    (0..length)
        .map(|index| {
            let time = times.get(index).map(|(time, _)| *time).or(whole);
            let separator = [&times, &statuses, &addresses]
                .into_iter()
                .find_map(|list| list.get(index))
                .map(|(_, separator)| *separator);
            Ok(Attempt {
                duration: time.map(seconds).transpose()?.flatten(),
                status: statuses.get(index).map(|(status, _)| *status),
                address: addresses.get(index).map(|(address, _)| *address),
                is_retried: separator == Some(Separator::Attempt),
            })
        })
        .collect()
}

/// What follows an entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separator {
    Attempt,
    Redirect,
    End,
}

/// Splits `a, b : c` into its entries, each with what follows it.
fn entries(list: &str) -> Vec<(&str, Separator)> {
    let mut entries = Vec::new();
    let mut rest = list;
    loop {
        let comma = rest.find(", ");
        let colon = rest.find(" : ");
        let next = match (comma, colon) {
            (Some(comma), Some(colon)) if comma < colon => Some((comma, 2, Separator::Attempt)),
            (Some(comma), None) => Some((comma, 2, Separator::Attempt)),
            (_, Some(colon)) => Some((colon, 3, Separator::Redirect)),
            (None, None) => None,
        };
        let Some((at, width, separator)) = next else {
            entries.push((rest, Separator::End));
            return entries;
        };
        entries.extend(rest.get(..at).map(|entry| (entry, separator)));
        rest = rest.get(at + width..).unwrap_or_default();
    }
}

/// Parses a time in seconds. `-` is no time.
fn seconds(text: &str) -> Result<Option<Duration>, BadReason> {
    if matches!(text, "-" | "") {
        return Ok(None);
    }
    let time = Unit::Seconds.duration(&Value::Text(text.into()));
    time.map(Some).ok_or("no duration".into())
}

impl<'a> Attempt<'a> {
    /// Returns `true` if nginx had no live server: the address is the name of the group then.
    fn has_no_server(&self) -> bool {
        let is_name = |address: &str| !address.contains(':') && address.parse::<IpAddr>().is_err();
        self.address.is_some_and(is_name)
    }

    /// Returns the outcome and its label, or `None` if nginx sent nothing to a server. `status` is that of
    /// the request.
    fn ended(
        &self,
        format: &NginxFormat,
        status: Option<&'a str>,
    ) -> Result<Option<(Outcome, Option<&'a str>)>, BadReason> {
        let judged = |status: &'a str| {
            let outcome = format.judge(status).ok_or("no status")?;
            Ok(Some((outcome, Some(status))))
        };
        let is_abandoned = status.is_some_and(is_of_closed_client) && !self.is_retried;
        let cancelled = || (Outcome::Cancelled, status);
        Ok(match self.status {
            Some("-" | "") if is_abandoned && self.duration.is_some() => Some(cancelled()),
            Some("-" | "") => None,
            Some(own) if is_of_closed_client(own) => Some((Outcome::Cancelled, Some(own))),
            Some(own) => return judged(own),
            None if self.is_retried => Some((Outcome::Failure, None)),
            None if self.duration.is_none() && self.address.is_none_or(|text| text == "-") => None,
            None if is_abandoned => Some(cancelled()),
            None => return judged(status.ok_or("no status")?),
        })
    }
}

/// Returns `true` for a client that closed the connection before the server answered.
fn is_of_closed_client(status: &str) -> bool {
    matches!(status, "499" | "000")
}

impl FromStr for NginxFormat {
    type Err = super::error::FormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}
