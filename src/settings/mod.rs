//! Settings as data: a document in TOML, YAML or JSON for all breakers of a registry, and what can be seen of
//! breakers as data. With the feature `serde`.

// * `document`: `Settings`, and `inherit`: presets that inherit from others
// * `overlay`, `rule`, `backoff`, `names`: the settings as tables and words
// * `duration`: `"1m 30s"`
// * `read`, `table`, `path`: reading that knows where it is. `#[serde(deny_unknown_fields)]` names a key but
//   not its place, and wrapping errors from outside loses the place in the file. Each value is therefore
//   read by a seed that knows its path and refuses there, which gives every format the same message with
//   its own line and column.
// * `observed`: snapshots and events
// * `apply`, `report`

mod apply;
mod backoff;
mod document;
mod duration;
mod inherit;
mod names;
mod observed;
mod overlay;
mod path;
mod read;
mod report;
mod rule;
mod table;

pub use apply::ApplyError;
pub use document::Settings;
pub use report::{Applied, Change};
