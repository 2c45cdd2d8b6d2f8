//! Who inherits from whom.

use super::overlay::Draft;
use super::path::Path;
use crate::config::{BreakerBuilder, Layer, Origin};
use crate::registry;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// The entries of a table, by name.
pub(super) type Entries = BTreeMap<Arc<str>, Draft>;

/// The most presets on the way from an entry to the last that it inherits from.
const MOST: usize = 16;

/// Refuses presets that are not there, and circles of them.
pub(super) fn check(path: &Path<'_>, entry: &Draft, presets: &Entries) -> Result<(), String> {
    let path = path.key("inherits");
    let mut chain: Vec<&str> = Vec::new();
    let mut next = entry.inherits.as_deref();
    while let Some(name) = next {
        let Some(preset) = presets.get(name) else {
            let mut message = format!("{path} leads to the preset {name:?}, which is not there");
            if chain.is_empty() {
                let there: Vec<_> = presets.keys().map(|name| &**name).collect();
                // Writing to a string does not fail.
                let _ = write!(message, ": there are {}", there.join(", "));
            }
            return Err(message);
        };
        if chain.contains(&name) {
            let round = chain.join(" -> ");
            return Err(format!("{path} leads round in a circle: {round} -> {name}"));
        }
        if chain.len() == MOST {
            return Err(format!("{path} leads through more than {MOST} presets"));
        }
        chain.push(name);
        next = preset.inherits.as_deref();
    }
    Ok(())
}

/// The layers of an entry: the presets that it inherits, the farthest first, then itself.
pub(super) fn layers(path: String, entry: &Draft, presets: &Entries) -> registry::Entry {
    if *entry == Draft::default() {
        return Vec::new();
    }
    let mut layers = vec![layer(path, entry)];
    let mut next = entry.inherits.as_ref();
    while let Some((name, preset)) = next.and_then(|name| presets.get_key_value(name)) {
        let path = Path::Key(&Path::Root, "presets").key(name).to_string();
        layers.push(layer(path, preset));
        next = preset.inherits.as_ref();
    }
    layers.reverse();
    layers
}

fn layer(path: String, entry: &Draft) -> Arc<Layer> {
    let builder = BreakerBuilder::from_settings(entry.overlay.settings());
    Arc::new(Layer::new(builder, Origin::Document(path.into(), None)))
}
