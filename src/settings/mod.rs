//! Settings as data: a document in TOML, YAML or JSON for all breakers of a registry, and what can be seen of
//! breakers as data. With the feature `serde`.

// * `document`: `Settings`; `entry`: the settings of one breaker
// * `rule`, `backoff`, `words`, `duration`: values of settings
// * `strict`: what messages say; the format adds where
// * `observed`: snapshots and events
// * `apply`, `report`

mod apply;
mod backoff;
mod document;
mod duration;
mod entry;
mod observed;
mod report;
mod rule;
mod strict;
mod words;

pub use crate::config::Overruled;
pub use apply::ApplyError;
pub use document::Settings;
pub use report::{Applied, Change};

use crate::text::prefix;

/// Returns the known word that `word` may be a misspelling of.
fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = prefix(word, 64);
    let known = known
        .into_iter()
        .map(|known| (distance(word, known), known));
    let (distance, closest) = known.min()?;
    (distance * 3 <= closest.len().min(word.len())).then_some(closest)
}

/// Returns how many characters must be added, removed, replaced or swapped with the next.
fn distance(word: &str, other: &str) -> usize {
    strsim::osa_distance(word, prefix(other, 64))
}
