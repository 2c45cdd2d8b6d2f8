//! Sources and assertions.

use breakerbox_replay::import::{
    EnvoyFormat, Import, ImportCounts, Importer, Mapping, NginxFormat, OtlpFormat,
};
use breakerbox_replay::{Call, Outcome};
use std::io::Cursor;
use std::time::Duration;

/// An importer for traffic of one process.
pub(crate) fn importer() -> Importer {
    Importer::new().instances(1)
}

pub(crate) fn mapping(text: &str) -> Mapping {
    text.parse().unwrap()
}

pub(crate) fn format(text: &str) -> NginxFormat {
    text.parse().unwrap()
}

pub(crate) fn source(text: impl AsRef<[u8]>) -> Cursor<Vec<u8>> {
    Cursor::new(text.as_ref().to_vec())
}

pub(crate) fn csv(text: impl AsRef<[u8]>, fields: &str) -> Import {
    importer().csv(source(text), mapping(fields)).unwrap()
}

pub(crate) fn ndjson(text: impl AsRef<[u8]>, fields: &str) -> Import {
    importer().ndjson(source(text), mapping(fields)).unwrap()
}

pub(crate) fn nginx(text: impl AsRef<[u8]>, log_format: &str) -> Import {
    importer().nginx(source(text), format(log_format)).unwrap()
}

pub(crate) fn envoy(text: impl AsRef<[u8]>, format: &str) -> Import {
    let format: EnvoyFormat = format.parse().unwrap();
    importer().envoy(source(text), format).unwrap()
}

pub(crate) fn otlp(text: impl AsRef<[u8]>) -> Import {
    importer().otlp(source(text), OtlpFormat::new()).unwrap()
}

pub(crate) fn recorded(text: impl AsRef<[u8]>) -> Import {
    Importer::new().recorded(source(text)).unwrap()
}

/// Reads the whole import.
pub(crate) fn read(mut import: Import) -> (Vec<Call>, ImportCounts) {
    let calls: Vec<_> = import.by_ref().collect();
    assert!(calls.is_sorted_by_key(|call| call.start), "{calls:?}");
    (calls, import.counts().clone())
}

/// Reads an import without bad lines.
#[track_caller]
pub(crate) fn calls(import: Import) -> Vec<Call> {
    let (calls, counts) = read(import);
    assert_eq!((counts.bad, &*counts.bad_lines), (0, &[][..]));
    assert_eq!(counts.broken, None);
    calls
}

/// Returns the reasons of the bad lines, with their numbers.
pub(crate) fn reasons(counts: &ImportCounts) -> Vec<(u64, &str)> {
    let reason = |bad: &'_ breakerbox_replay::import::BadLine| bad.number;
    let lines = counts.bad_lines.iter();
    lines
        .map(|bad| (reason(bad), bad.reason.as_str()))
        .collect()
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Start and duration in milliseconds, name and outcome.
pub(crate) fn brief(calls: &[Call]) -> Vec<(u64, Option<u64>, &str, Outcome)> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap();
    let brief = |call: &'_ Call| (millis(call.start), call.duration.map(millis), call.outcome);
    let calls = calls.iter();
    calls
        .map(|call| {
            let (start, duration, outcome) = brief(call);
            (start, duration, &*call.name, outcome)
        })
        .collect()
}
