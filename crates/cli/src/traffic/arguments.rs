//! The options that say which calls are read.

// The comments of fields are texts of the help, which shows backticks.
#![allow(clippy::doc_markdown)]

use super::format_name::FormatName;
use crate::values::duration;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Which calls are read, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Traffic")]
pub(crate) struct TrafficArguments {
    /// Files of calls, plain or gzip; - is standard input. Several files are merged by time
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The format. Default: guessed from the first line
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<FormatName>,
    /// CSV, NDJSON and rates: the fields of a call, as in
    /// time=ts,duration=ms:latency,ok='status<500',name=upstream.
    /// Keys: time or end, duration, ok or outcome, name, instance, error, request;
    /// for rates calls, failures, p50, p99. Units: ns, us, ms, s. The name "users" in double quotes is
    /// fixed
    #[arg(long, value_name = "KEY=FIELD,…")]
    pub(crate) map: Option<String>,
    /// CSV and NDJSON: reads only lines for which this condition holds; repeatable
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub(crate) conditions: Vec<String>,
    /// CSV: there is no header; fields are the numbers of columns, from 1
    #[arg(long)]
    pub(crate) no_header: bool,
    /// CSV: the separator
    #[arg(long, default_value = ",", value_parser = separator, value_name = "CHARACTER")]
    pub(crate) delimiter: u8,
    /// nginx: the log_format, or the word combined or common. Envoy: the format string or dictionary, or the
    /// word istio
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Which calls succeeded, as in 'status<500'
    #[arg(long, value_name = "CONDITION")]
    pub(crate) ok: Option<String>,
    /// The field with the name of the breaker (nginx: a variable such as $proxy_host, or a fixed name; Envoy:
    /// an operator such as %UPSTREAM_HOST%, or a fixed name; OTLP: an attribute)
    #[arg(long, value_name = "FIELD")]
    pub(crate) name: Option<String>,
    /// The field with the process that made the call (nginx: a variable such as $hostname; Envoy: an operator;
    /// OTLP: an attribute such as k8s.pod.name)
    #[arg(long, value_name = "FIELD", conflicts_with = "instances")]
    pub(crate) instance: Option<String>,
    /// How many processes made the calls, if no field says which: calls are dealt at random
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) instances: Option<u32>,
    /// The files contain only a part of the calls, such as sampled traces
    #[arg(long)]
    pub(crate) sampled: bool,
    /// Reads only the calls of this breaker; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) breaker: Vec<String>,
    /// Calls that take this long count as bad, even if they succeed, as in 2s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) slow_from: Option<Duration>,
    /// An outage, instead of those found with hindsight; repeatable. Times are UTC: 10:00..10:20,
    /// 2026-03-01T10:00:00Z..2026-03-01T10:20:00Z, Unix seconds, or 5m..10m after the first call. For
    /// one breaker: NAME=10:00..10:20
    #[arg(long, value_name = "FROM..UNTIL")]
    pub(crate) outage: Vec<String>,
    /// How late a line may come, relative to lines of later calls. At least the longest duration of a
    /// call
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "2m")]
    pub(crate) reorder_within: Duration,
    /// The most breakers: one for each name and process. More of them are usually a wrong field
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) most_breakers: usize,
}

/// Parses a separator: one ASCII character, or `\t`.
fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        b"\\t" => Ok(b'\t'),
        _ => Err("the separator is one ASCII character, or \\t".to_owned()),
    }
}
