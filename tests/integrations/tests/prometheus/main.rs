//! The alert rules and the dashboard of docs/, against the exported series and a real Prometheus.
#![allow(missing_docs)]

mod alerts;
mod dashboard;
mod exported;
mod tools;
