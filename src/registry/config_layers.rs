//! The layers of a document, by the table that they come from.

use crate::config::Layer;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An entry: the presets that it inherits first, itself last.
pub(crate) type Entry = Vec<Arc<Layer>>;

/// The entries of a document; empty without a document.
#[derive(Debug, Default)]
pub(crate) struct DocumentLayers {
    pub(crate) default: Entry,
    pub(crate) prefixes: BTreeMap<Arc<str>, Entry>,
    pub(crate) names: BTreeMap<Arc<str>, Entry>,
}
