//! Importers: which calls the lines of each format make, and what becomes of broken input.
#![allow(missing_docs)]

mod csv;
mod gzip;
mod hostile;
mod instances;
mod mappings;
mod ndjson;
mod nginx;
mod order;
mod properties;
mod rates;
mod recorded;
mod sampled;
mod support;
mod times;
