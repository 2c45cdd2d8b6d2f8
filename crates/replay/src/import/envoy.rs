//! Access logs of Envoy, as text or JSON.

use super::envoy_format::{EnvoyFormat, Fields, Role};
use super::grpc;
use super::lines::Lines;
use super::sink::{BadReason, Format, Names, Sink, label};
use super::time::{TimeFormat, Unit};
use super::value::Value;
use crate::{Call, Outcome};
use std::borrow::Cow;
use std::time::Duration;

/// The call failed at the upstream, or on the way there.
const FAILED: [&str; 18] = [
    "UF",
    "UC",
    "UR",
    "UT",
    "LR",
    "UPE",
    "UMSDR",
    "URX",
    "DF",
    "UpstreamConnectionFailure",
    "UpstreamConnectionTermination",
    "UpstreamRemoteReset",
    "UpstreamRequestTimeout",
    "LocalReset",
    "UpstreamProtocolError",
    "UpstreamMaxStreamDurationReached",
    "UpstreamRetryLimitExceeded",
    "DnsResolutionFailed",
];

/// Envoy answered without the upstream.
const NEVER_CALLED: [&str; 30] = [
    "UH",
    "UO",
    "DO",
    "NR",
    "NC",
    "NFCF",
    "LH",
    "RL",
    "RLSE",
    "UAEX",
    "FI",
    "IH",
    "DPE",
    "OM",
    "RFCF",
    "NoHealthyUpstream",
    "UpstreamOverflow",
    "DropOverload",
    "NoRouteFound",
    "NoClusterFound",
    "NoFilterConfigFound",
    "FailedLocalHealthCheck",
    "RateLimited",
    "RateLimitServiceError",
    "UnauthorizedExternalService",
    "FaultInjected",
    "InvalidEnvoyRequestHeaders",
    "DownstreamProtocolError",
    "OverloadManagerTerminated",
    "ResponseFromCacheFilter",
];

const CANCELLED: [&str; 2] = ["DC", "DownstreamConnectionTermination"];
const IDLE: [&str; 2] = ["SI", "StreamIdleTimeout"];
const ENDED: [&str; 2] = ["DT", "DurationTimeout"];

/// Reads an access log.
pub(super) struct Envoy {
    lines: Lines,
    format: EnvoyFormat,
}

impl Envoy {
    pub(super) fn new(lines: Lines, format: EnvoyFormat) -> Self {
        Self { lines, format }
    }
}

impl Format for Envoy {
    fn read(&mut self, sink: &mut Sink) -> bool {
        let format = &self.format;
        sink.read_line(&mut self.lines, |sink, number, text| {
            let fields = format.fields(text);
            match fields.and_then(|fields| call(format, &fields, &mut sink.names)) {
                Ok(Some((written, call))) => sink.push(number, written, call),
                Ok(None) => sink.counts.never_ran += 1,
                Err(reason) => sink.bad(number, &reason, text),
            }
        })
    }
}

/// Returns the call of a line, and when the line was written. `None` if the upstream was never called.
fn call(
    format: &EnvoyFormat,
    fields: &Fields<'_>,
    names: &mut Names,
) -> Result<Option<(Duration, Call)>, BadReason> {
    let start = fields
        .value(Role::Start)
        .and_then(|value| TimeFormat::Guess.parse(value));
    let start = start.ok_or("no time")?;
    let Some((outcome, error)) = ended(format, fields)? else {
        return Ok(None);
    };
    let whole = duration(fields, Role::Duration)?;
    let call = Call {
        start,
        name: format.name_of(fields, names).ok_or("no name")?,
        instance: fields
            .text(Role::Instance)
            .map(|instance| names.intern(&instance)),
        duration: duration(fields, Role::UpstreamTime)?.or(whole),
        outcome,
        error: error.map(|error| names.intern(label(&error))),
        request: None,
    };
    // The line is written once the response was sent.
    Ok(Some((
        start.saturating_add(whole.unwrap_or_default()),
        call,
    )))
}

/// Returns a duration in milliseconds.
fn duration(fields: &Fields<'_>, role: Role) -> Result<Option<Duration>, BadReason> {
    match fields.value(role) {
        None | Some(Value::Missing) => Ok(None),
        Some(Value::Text(text)) if matches!(&**text, "-" | "") => Ok(None),
        Some(value) => match Unit::Millis.duration(value) {
            Some(duration) => Ok(Some(duration)),
            None => Err("no duration".into()),
        },
    }
}

type Ended<'f> = (Outcome, Option<Cow<'f, str>>);

/// Returns the outcome and its label. `None` if the upstream was never called.
fn ended<'f>(format: &EnvoyFormat, fields: &'f Fields<'_>) -> Result<Option<Ended<'f>>, BadReason> {
    let flags = fields.text(Role::Flags).unwrap_or_default();
    let find = |known: &[&'static str]| {
        let mut flags = flags.split(',').map(str::trim);
        flags.find_map(|flag| known.iter().find(|known| **known == flag).copied())
    };
    if let Some(flag) = find(&FAILED) {
        return Ok(Some((Outcome::Failure, Some(flag.into()))));
    }
    let answered = fields.text(Role::Details).as_deref() == Some("via_upstream");
    if !answered && (find(&NEVER_CALLED).is_some() || has_no_upstream(format, fields)) {
        return Ok(None);
    }
    if let Some(flag) = find(&CANCELLED) {
        return Ok(Some((Outcome::Cancelled, Some(flag.into()))));
    }
    if let Some(flag) = find(&ENDED) {
        return Ok(Some((Outcome::Ignored, Some(flag.into()))));
    }
    let grpc = fields.text(Role::Grpc).map(|code| {
        let outcome = grpc::outcome_of(&code);
        (outcome.unwrap_or(Outcome::Failure), Some(code))
    });
    let status = fields.text(Role::Status);
    let Some(status) = status.filter(|status| status != "0") else {
        // Envoy derives a status of gRPC from a code that is missing, too.
        return match grpc.filter(|_| !format.has(Role::Status)) {
            Some(ended) => Ok(Some(ended)),
            None => without_code(format, fields).map(Some),
        };
    };
    let outcome = format.judge(&status).ok_or("no response code")?;
    if let Some(flag) = find(&IDLE).filter(|_| outcome == Outcome::Success) {
        return Ok(Some((Outcome::Ignored, Some(flag.into()))));
    }
    let grpc = grpc.filter(|_| outcome == Outcome::Success);
    Ok(Some(grpc.unwrap_or((outcome, Some(status)))))
}

/// Returns `true` if Envoy chose no upstream, or made no attempt.
fn has_no_upstream(format: &EnvoyFormat, fields: &Fields<'_>) -> bool {
    format.is_unset(fields, Role::Host)
        || format.is_unset(fields, Role::Cluster)
        || fields.text(Role::Attempts).as_deref() == Some("0")
}

/// Returns the outcome of a line without a response code: a TCP connection, or a request of HTTP that the
/// client gave up before the response began.
fn without_code<'f>(format: &EnvoyFormat, fields: &'f Fields<'_>) -> Result<Ended<'f>, BadReason> {
    if fields.text(Role::Protocol).is_some() {
        return Ok((Outcome::Cancelled, None));
    }
    // Without flags, the end of a connection says nothing.
    if format.has(Role::Flags) {
        Ok((Outcome::Success, None))
    } else {
        Err("no response code".into())
    }
}
