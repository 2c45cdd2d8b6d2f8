//! Settings and observations as data. Available with the `serde` feature.
//!
//! [`Settings`] is a document in TOML, YAML or JSON that configures all breakers of a registry.
//! Snapshots, events and health reports can be serialized.

// * `document`: `Settings`, the whole document; `entry`: the settings of one breaker
// * `rule`, `backoff`, `share`, `words`, `duration`: values of settings
// * `strict`: error messages; the format adds the position
// * `observed`: serialization of snapshots and events
// * `apply`, `report`: applying a document, and the changes that it made

mod apply;
mod backoff;
mod document;
mod duration;
mod entry;
mod observed;
mod report;
mod rule;
mod share;
mod strict;
mod words;

pub use crate::config::Overruled;
pub use apply::ApplyError;
pub use document::Settings;
pub use report::{Applied, Change};

use crate::text::prefix;

/// Returns the known word that is closest to `word`, if `word` looks like a misspelling of it.
fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = prefix(word, 64);
    let known = known
        .into_iter()
        .map(|known| (distance(word, known), known));
    let (distance, closest) = known.min()?;
    (distance * 3 <= closest.len().min(word.len())).then_some(closest)
}

/// Returns the number of insertions, deletions, replacements and swaps of neighbours between the
/// words.
fn distance(word: &str, other: &str) -> usize {
    strsim::osa_distance(word, prefix(other, 64))
}
