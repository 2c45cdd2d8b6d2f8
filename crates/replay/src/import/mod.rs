//! Traffic from files: the format of the [`Recorder`](crate::Recorder), CSV, NDJSON, the logs of nginx and
//! Envoy, spans of OpenTelemetry, and rates per interval.
//!
//! An [`Importer`] has the settings, and opens a source as an [`Import`], which is an iterator of calls
//! in the order of their start:
//!
//! ```
//! use breakerbox_replay::import::{Importer, Mapping};
//!
//! let log = "\
//! ts,upstream,status,latency
//! 2026-03-01T10:00:00.000Z,users-api,200,12
//! 2026-03-01T10:00:00.250Z,users-api,503,30
//! ";
//! let mapping: Mapping = "time=ts,name=upstream,duration=ms:latency,ok='status<500'".parse()?;
//! let mut import = Importer::new().instances(1).csv(log.as_bytes(), mapping)?;
//! let calls: Vec<_> = import.by_ref().collect();
//! assert_eq!(calls.len(), 2);
//! assert_eq!(import.counts().bad, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * `importer`: the settings, and one method for each format
//! * `iter`: the iterator
//! * `sink`: what the formats deliver calls to
//! * `order`: sorts calls by their start, within a bounded window
//! * `counts`, `caveat`, `sampled`, `error`: what an import says about its source
//! * `lines`, `gzip`: bounded lines of a source
//! * `row`, `rows`, `mapping`, `predicate`, `value`, `time`: from fields to calls
//! * `pattern`: from a line of text to its variables
//! * `recorded`, `ndjson`, `csv`, `nginx`, `nginx_format`, `rates`: the formats
//! * `envoy`, `envoy_format`, `otlp`, `otlp_format`, `otlp_spans`, `grpc`: those of proxies and traces

mod caveat;
mod counts;
mod csv;
mod envoy;
mod envoy_format;
mod error;
mod grpc;
mod gzip;
mod importer;
mod iter;
mod lines;
mod mapping;
mod ndjson;
mod nginx;
mod nginx_format;
mod order;
mod otlp;
mod otlp_format;
mod otlp_spans;
mod pattern;
mod predicate;
mod rates;
pub(crate) mod recorded;
mod row;
mod rows;
mod sampled;
mod sink;
mod time;
mod value;

pub use caveat::Caveat;
pub use counts::{BadLine, ImportCounts};
pub use envoy_format::EnvoyFormat;
pub use error::{FormatError, ImportError, MappingError};
pub use importer::Importer;
pub use iter::Import;
pub use mapping::Mapping;
pub use nginx_format::NginxFormat;
pub use otlp_format::OtlpFormat;
pub use sampled::{CountRule, check_sampled};
