//! Implementation of the fuzz targets.
//!
//! * `world`: one breaker and all operations on it, compared with the model in `tests/model`
//! * `calls`: guarded calls; `classification`: how their results are classified
//! * `clock`, `errors`, `listener`: clocks, errors and listeners that misbehave
//! * `registry`: a registry with a small capacity and many names, compared with its own model
//! * `documents`: settings from text
//! * `fleet`: messages, records and replies of a fleet
//! * `imports`: recorded traffic in every format
//! * `input`: settings and steps from bytes
#![forbid(unsafe_code)]

mod calls;
mod classification;
mod clock;
mod documents;
mod errors;
mod fleet;
mod imports;
mod input;
mod listener;
mod registry;
mod world;

/// Fuzzes one breaker: any settings, and any interleaving of calls, time, commands and panics.
pub fn breaker(data: &[u8]) {
    let _ = world::run(data);
}

/// Fuzzes a registry with a small capacity: any names in any order.
pub fn registry(data: &[u8]) {
    let _ = registry::run(data);
}

/// Fuzzes settings: any text, and any settings from code.
pub fn settings(data: &[u8]) {
    let _ = documents::run(data);
}

/// Fuzzes messages of a fleet: any text.
pub fn message(data: &[u8]) {
    fleet::message(data);
}

/// Fuzzes a record of a fleet: any text, and any operations on it.
pub fn record(data: &[u8]) {
    let _ = fleet::record(data);
}

/// Fuzzes replies of the scripts: any lines.
pub fn reply(data: &[u8]) {
    fleet::reply(data);
}

/// Fuzzes CSV: a mapping in the first line, and any text.
pub fn import_csv(data: &[u8]) {
    imports::csv(data);
}

/// Fuzzes NDJSON: a mapping in the first line, and any text.
pub fn import_ndjson(data: &[u8]) {
    imports::ndjson(data);
}

/// Fuzzes logs of nginx: a `log_format` in the first line, and any text.
pub fn import_nginx(data: &[u8]) {
    imports::nginx(data);
}

/// Fuzzes rates: a mapping in the first line, and any text.
pub fn import_rates(data: &[u8]) {
    imports::rates(data);
}

/// Fuzzes recordings: any text.
pub fn import_recorded(data: &[u8]) {
    imports::recorded(data);
}

/// Fuzzes logs of Envoy: a format in the first line, and any text.
pub fn import_envoy(data: &[u8]) {
    imports::envoy(data);
}

/// Fuzzes spans of OTLP: any text.
pub fn import_otlp(data: &[u8]) {
    imports::otlp(data);
}
