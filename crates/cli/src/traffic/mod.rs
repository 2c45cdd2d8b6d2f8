//! Traffic from files: which calls are read, and what is said about them.
//!
//! * `arguments`: the options
//! * `source`: a file that is read several times
//! * `format`, `format_name`: what a file contains
//! * `opening`: opens an import
//! * `merged`: the calls of several files in their order
//! * `surveyed`: the first pass
//! * `outage`: outages that are stated

mod arguments;
mod format;
mod format_name;
mod merged;
mod opening;
mod outage;
mod source;
mod surveyed;

pub(crate) use arguments::TrafficArguments;
pub(crate) use surveyed::{Surveyed, survey};
