//! [`Format`]: what a file contains, stated or guessed.

use super::arguments::TrafficArguments;
use super::format_name::FormatName;
use crate::table::escaped;
use breakerbox_replay::import::{EnvoyFormat, Mapping, NginxFormat, OtlpFormat};
use serde_json::Value;
use std::error::Error;
use std::fmt::{self, Write as _};

/// What a file contains, and how calls are read from it.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    Recorder,
    Csv(Mapping),
    Ndjson(Mapping),
    Nginx(NginxFormat),
    Envoy(EnvoyFormat),
    Otlp(OtlpFormat),
    Rates(Mapping),
}

/// The format of access logs that most servers write by default.
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;
const COMMON: &str =
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#;

/// A file whose fields are not mapped.
#[derive(Debug)]
struct NotMapped {
    format: FormatName,
    fields: Vec<String>,
}

impl Error for NotMapped {}

impl fmt::Display for NotMapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = self.format.as_str();
        write!(
            f,
            "{format} needs --map, which says what the fields mean.\nThe fields are: "
        )?;
        f.write_str(&escaped(&self.fields.join(", ")))?;
        f.write_str(".\nFor example: --map ")?;
        f.write_str(&escaped(&suggestion(self.format, &self.fields)))
    }
}

/// Returns the format that the options state, or that the first line of the file tells, and whether it
/// was guessed.
pub(super) fn format(
    arguments: &TrafficArguments,
    first_line: &str,
) -> Result<(FormatName, Format, bool), Box<dyn Error>> {
    let name = arguments
        .format
        .map_or_else(|| guess(arguments, first_line), Ok)?;
    let mapping = || -> Result<Mapping, Box<dyn Error>> {
        let Some(map) = &arguments.map else {
            let fields = fields(arguments, first_line);
            return Err(NotMapped {
                format: name,
                fields,
            }
            .into());
        };
        // Options are further pairs. Quotes protect their commas.
        let mut text = map.clone();
        let pairs = [
            ("ok", &arguments.ok),
            ("name", &arguments.name),
            ("instance", &arguments.instance),
        ];
        for (key, value) in pairs {
            match value {
                Some(value) if value.starts_with('"') => {
                    let _ = write!(text, ",{key}={value}");
                }
                Some(value) => {
                    let _ = write!(text, ",{key}='{value}'");
                }
                None => {}
            }
        }
        let mapping: Mapping = text.parse()?;
        let only = |mapping: Mapping, condition: &String| mapping.only(condition);
        Ok(arguments.conditions.iter().try_fold(mapping, only)?)
    };
    let format = match name {
        FormatName::Recorder => Format::Recorder,
        FormatName::Csv => Format::Csv(mapping()?),
        FormatName::Ndjson => Format::Ndjson(mapping()?),
        FormatName::Rates => Format::Rates(mapping()?),
        FormatName::Nginx => Format::Nginx(nginx(arguments, first_line)?),
        FormatName::Envoy => Format::Envoy(envoy(arguments, first_line)?),
        FormatName::Otlp => Format::Otlp(otlp(arguments)?),
    };
    check_options(arguments, name)?;
    let is_stated = arguments.format.is_some() || arguments.log_format.is_some();
    Ok((name, format, !is_stated))
}

/// Refuses options that mean nothing for the format.
fn check_options(arguments: &TrafficArguments, format: FormatName) -> Result<(), Box<dyn Error>> {
    use FormatName::{Csv, Envoy, Ndjson, Nginx, Rates, Recorder};
    let is_mapped = matches!(format, Csv | Ndjson | Rates);
    let has_log_format = matches!(format, Nginx | Envoy);
    let text = |value: &Option<String>| value.is_some();
    let options = [
        ("--map", text(&arguments.map), is_mapped),
        ("--where", !arguments.conditions.is_empty(), is_mapped),
        ("--no-header", arguments.no_header, is_mapped),
        ("--log-format", text(&arguments.log_format), has_log_format),
        ("--ok", text(&arguments.ok), format != Recorder),
        ("--name", text(&arguments.name), format != Recorder),
        ("--instance", text(&arguments.instance), format != Recorder),
        ("--delimiter", arguments.delimiter != b',', is_mapped),
    ];
    let wrong = options
        .iter()
        .find(|(_, is_given, applies)| *is_given && !applies);
    if let Some((option, ..)) = wrong {
        let name = format.as_str();
        return Err(format!("{option} means nothing for the format {name}").into());
    }
    let has_many = arguments.instances.is_some_and(|count| count > 1);
    if format == Recorder && has_many {
        let text = "a recording contains the calls of one process, so --instances must be 1";
        return Err(text.into());
    }
    Ok(())
}

fn guess(arguments: &TrafficArguments, line: &str) -> Result<FormatName, Box<dyn Error>> {
    let is_rates = || {
        let map = arguments.map.as_deref().unwrap_or_default();
        map.contains("calls=") && map.contains("failures=")
    };
    if line.is_empty() {
        return Err("there are no lines".into());
    }
    match &arguments.log_format {
        Some(format) if format == "istio" || format.contains("%START_TIME") => {
            return Ok(FormatName::Envoy);
        }
        Some(_) => return Ok(FormatName::Nginx),
        None if known_log_format(line).is_some() => return Ok(FormatName::Nginx),
        None if is_envoy_text(line) => return Ok(FormatName::Envoy),
        None => {}
    }
    if line.starts_with('{') {
        let object: Option<Value> = serde_json::from_str(line).ok();
        let has = |keys: &[&str]| {
            let has = |key: &&str| {
                object
                    .as_ref()
                    .is_some_and(|object| object.get(key).is_some())
            };
            keys.iter().all(has)
        };
        // A line of spans may be longer than what was read of it.
        let is_spans = has(&["resourceSpans"]) || line.starts_with("{\"resourceSpans\"");
        return Ok(match arguments.map {
            Some(_) if is_rates() => FormatName::Rates,
            None if has(&["recorder"]) || has(&["t", "b", "o"]) => FormatName::Recorder,
            None if is_spans => FormatName::Otlp,
            None if has(&["start_time", "response_code", "response_flags"]) => FormatName::Envoy,
            _ => FormatName::Ndjson,
        });
    }
    if is_rates() {
        return Ok(FormatName::Rates);
    }
    if arguments.map.is_some() || line.contains(char::from(arguments.delimiter)) {
        return Ok(FormatName::Csv);
    }
    Err(format!(
        "the first line is neither JSON nor CSV, and has no known log format:\n  {}\nFor lines of text, state \
         --log-format with the variables of nginx, as in '$time_iso8601 [$level] \"$request\" status: $status \
         time: $request_time'",
        excerpt(line)
    )
    .into())
}

/// Returns the beginning of a line.
fn excerpt(line: &str) -> String {
    const LENGTH: usize = 160;
    let mut text: String = escaped(line).chars().take(LENGTH).collect();
    if text.len() < line.len() {
        text.push('…');
    }
    text
}

fn nginx(arguments: &TrafficArguments, line: &str) -> Result<NginxFormat, Box<dyn Error>> {
    let text = match arguments.log_format.as_deref() {
        Some("combined") => COMBINED,
        Some("common") => COMMON,
        Some(format) => format,
        None => known_log_format(line).ok_or(
            "nginx needs --log-format: the log_format of its configuration, or the word combined or common",
        )?,
    };
    let format: NginxFormat = text.parse()?;
    let format = set(format, arguments.name.as_ref(), NginxFormat::name)?;
    let format = set(format, arguments.instance.as_ref(), NginxFormat::instance)?;
    Ok(set(format, arguments.ok.as_ref(), NginxFormat::ok)?)
}

fn envoy(arguments: &TrafficArguments, line: &str) -> Result<EnvoyFormat, Box<dyn Error>> {
    let format = match arguments.log_format.as_deref() {
        Some("istio") => EnvoyFormat::istio(),
        Some(format) => format.parse()?,
        None if line.starts_with('{') => EnvoyFormat::json(),
        None if words_after_request(line) == Some(ISTIO_WORDS) => EnvoyFormat::istio(),
        None => EnvoyFormat::default(),
    };
    let format = set(format, arguments.name.as_ref(), EnvoyFormat::name)?;
    let format = set(format, arguments.instance.as_ref(), EnvoyFormat::instance)?;
    Ok(set(format, arguments.ok.as_ref(), EnvoyFormat::ok)?)
}

fn otlp(arguments: &TrafficArguments) -> Result<OtlpFormat, Box<dyn Error>> {
    let mut format = OtlpFormat::new();
    if let Some(name) = &arguments.name {
        format = format.name(name);
    }
    if let Some(instance) = &arguments.instance {
        format = format.instance(instance);
    }
    if let Some(ok) = &arguments.ok {
        format = format.ok(ok)?;
    }
    Ok(format)
}

/// Passes the value of an option to a method of a format, if the option was given.
fn set<F, E>(
    format: F,
    value: Option<&String>,
    method: impl FnOnce(F, &str) -> Result<F, E>,
) -> Result<F, E> {
    match value {
        Some(value) => method(format, value),
        None => Ok(format),
    }
}

/// The words between the request and the next quoted value: code, flags, two sizes and two durations.
const ENVOY_WORDS: usize = 6;
/// In the format of Istio, these are code, flags and two details.
const ISTIO_WORDS: usize = 4;

/// Returns `true` for a line in one of the default formats of Envoy: `[2026-03-01T10:00:00.310Z] "…`.
fn is_envoy_text(line: &str) -> bool {
    let words = words_after_request(line);
    words.is_some_and(|words| [ENVOY_WORDS, ISTIO_WORDS].contains(&words))
}

/// Returns the number of words after the request of a line of Envoy.
fn words_after_request(line: &str) -> Option<usize> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] \"")?;
    let is_time = time.ends_with('Z') && time.as_bytes().get(10) == Some(&b'T');
    let (_, rest) = rest.split_once("\" ").filter(|_| is_time)?;
    let (words, _) = rest.split_once('"')?;
    Some(words.split_whitespace().count())
}

/// Returns the combined or common format if the line has it: `1.2.3.4 - - [01/Mar/2026:10:00:00 +0000] "…`.
fn known_log_format(line: &str) -> Option<&'static str> {
    let (client, rest) = line.split_once(" - ")?;
    let (_, rest) = rest.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    let is_time = time.len() == 26 && time.as_bytes().get(2) == Some(&b'/');
    if client.contains(' ') || !is_time {
        return None;
    }
    let quotes = rest.matches('"').count();
    Some(if quotes >= 5 { COMBINED } else { COMMON })
}

/// Returns the fields of the first line.
fn fields(arguments: &TrafficArguments, line: &str) -> Vec<String> {
    if let Ok(Value::Object(object)) = serde_json::from_str(line) {
        let mut fields = Vec::new();
        for (key, value) in object {
            match value {
                Value::Object(inner) => {
                    fields.extend(inner.keys().map(|inner| format!("{key}.{inner}")));
                }
                _ => fields.push(key),
            }
        }
        return fields;
    }
    let columns = line.split(char::from(arguments.delimiter));
    if arguments.no_header {
        return (1..=columns.count())
            .map(|number| number.to_string())
            .collect();
    }
    columns
        .map(|column| column.trim().trim_matches('"').to_owned())
        .collect()
}

/// Returns a mapping that the names of the fields suggest.
fn suggestion(format: FormatName, fields: &[String]) -> String {
    let find = |words: &[&str]| {
        let is_like = |field: &&String| {
            let field = field.to_lowercase();
            words.iter().any(|word| field.contains(word))
        };
        fields.iter().find(is_like).map(String::as_str)
    };
    let called = |name: &str| {
        let mut fields = fields.iter();
        let found = fields.find(|field| field.eq_ignore_ascii_case(name));
        found.map(String::as_str)
    };
    let time = find(&["timestamp", "time", "start", "date", "ts"]);
    let time = time.or_else(|| called("t")).unwrap_or("TIME");
    let status = find(&["status", "code"]);
    let success = find(&["success"]).or_else(|| called("ok"));
    let calls = find(&["calls", "count", "total", "requests"]);
    let failures = find(&["fail", "error"]);
    let are_rates = (status.or(success), calls.is_some(), failures.is_some()) == (None, true, true);
    if format == FormatName::Rates || are_rates {
        let (calls, failures) = (calls.unwrap_or("CALLS"), failures.unwrap_or("FAILURES"));
        return format!("time={time},calls={calls},failures={failures}");
    }
    let mut text = format!("time={time}");
    if let Some(duration) = find(&["duration", "latency", "elapsed", "took"]) {
        let _ = write!(text, ",duration=ms:{duration}");
    }
    match (status, success) {
        (Some(status), _) => {
            let _ = write!(text, ",ok='{status}<500'");
        }
        (None, Some(success)) => {
            let _ = write!(text, ",ok={success}");
        }
        (None, None) => text += ",ok='STATUS<500'",
    }
    if let Some(name) = find(&["upstream", "service", "host", "name", "operation"]) {
        let _ = write!(text, ",name={name}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_formats_are_recognized() {
        let common = r#"10.0.0.1 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12"#;
        assert_eq!(known_log_format(common), Some(COMMON));
        let combined = format!("{common} \"-\" \"curl\"");
        assert_eq!(known_log_format(&combined), Some(COMBINED));
        for other in ["", "a - b", "ts,status", "x - [time] \"\"", r#"{"t":1}"#] {
            assert_eq!(known_log_format(other), None, "{other}");
        }
    }

    #[test]
    fn default_formats_of_envoy_are_recognized() {
        let start = "[2026-03-01T10:00:00.310Z] \"GET /a b HTTP/2\" 200 -";
        assert!(is_envoy_text(&format!("{start} 0 1 2 - \"-\"")));
        assert!(is_envoy_text(&format!("{start} via_upstream - \"-\" 0")));
        for other in [start, "[x] \"\" 1 2 3 4 \"", "", "[\"a\"]"] {
            assert!(!is_envoy_text(other), "{other}");
        }
    }

    #[test]
    fn mapping_is_suggested_from_names_of_fields() {
        let fields = ["ts", "upstream", "status", "latency"].map(str::to_owned);
        assert_eq!(
            suggestion(FormatName::Csv, &fields),
            "time=ts,duration=ms:latency,ok='status<500',name=upstream"
        );
        let rates = ["t", "calls", "failed"].map(str::to_owned);
        for format in [FormatName::Rates, FormatName::Csv] {
            assert_eq!(
                suggestion(format, &rates),
                "time=t,calls=calls,failures=failed"
            );
        }
    }
}
