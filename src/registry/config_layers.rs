//! [`DocumentLayers`]: the layers of a document by default, prefix and name.

use crate::config::Layer;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An entry of a document: the layers of the presets that it inherits, then its own layer.
pub(crate) type Entry = Vec<Arc<Layer>>;

/// The entries of a document. Empty if no document was applied.
#[derive(Debug, Default)]
pub(crate) struct DocumentLayers {
    pub(crate) default: Entry,
    pub(crate) prefixes: BTreeMap<Arc<str>, Entry>,
    pub(crate) names: BTreeMap<Arc<str>, Entry>,
}
