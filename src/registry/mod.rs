//! The registry: breakers by name, their settings, and their eviction.
//!
//! Shared by all clones of a registry:
//!
//! * `inner`: the shared state, and every change to the map
//! * `breaker_map`: the map from names to breakers, and removal from it
//! * `handle_table`: caches of handles for calls by name, about two per core
//! * `eviction`: the choice of breakers to evict from a full registry
//!
//! Settings:
//!
//! * `presets`: resolution of a name to its settings
//! * `current_presets`: the current presets, and changes of live breakers
//! * `config_layers`: the layers of a document
//!
//! The public interface:
//!
//! * `breaker_registry`: [`BreakerRegistry`] and its lookups
//! * `register`: settings for one name
//! * `apply_config`: settings for many names, from a document
//! * `query`: reading, listing and removing
//! * `recording`: recorders of calls
//! * `builder`: the settings of a registry
//! * `global`: the registry of the process
//! * `error`: errors of registration
//! * `site`: the handles that the call site of a `#[circuit]` keeps

#[cfg(feature = "serde")]
mod apply_config;
mod breaker_map;
mod breaker_registry;
mod builder;
mod config_layers;
mod current_presets;
mod error;
mod eviction;
mod global;
mod handle_table;
mod inner;
mod presets;
mod query;
mod recording;
mod register;
mod site;

#[cfg(feature = "serde")]
pub(crate) use apply_config::{ApplyReport, LayersError};
pub use breaker_registry::BreakerRegistry;
pub use builder::RegistryBuilder;
#[cfg(feature = "serde")]
pub(crate) use config_layers::DocumentLayers;
pub use error::RegistryError;
pub(crate) use inner::Inner;
#[cfg(feature = "serde")]
pub(crate) use presets::MAX_PREFIXES;
pub use recording::CallRecording;
pub use site::{DefaultName, Given, Global, In, Named, OfType, Site, SiteHandle};
