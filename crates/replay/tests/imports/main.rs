//! Importers: which calls the lines of each format make, and what becomes of broken input.
#![allow(missing_docs)]
#![allow(clippy::format_collect, clippy::format_push_string)] // texts are short

mod csv;
mod envoy;
mod gzip;
mod hostile;
mod instances;
mod mappings;
mod ndjson;
mod nginx;
mod order;
mod otlp;
mod properties;
mod rates;
mod recorded;
mod sampled;
mod support;
mod times;
