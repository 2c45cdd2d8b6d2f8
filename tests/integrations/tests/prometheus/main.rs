//! The alert rules and the dashboard of docs/, against the exported series and a real Prometheus.
#![allow(missing_docs)]

mod alerts;
mod dashboard;
mod exported;
mod server;
mod tools;

/// The example that serves a page with all series.
#[path = "../../../../examples/integrations/src/bin/prometheus"]
mod example {
    pub(crate) mod page;
    pub(crate) mod service;
    pub(crate) mod sharing;
    pub(crate) mod store;
}
