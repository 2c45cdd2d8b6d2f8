//! The registry: breakers by name, their settings, and their eviction.
//!
//! What clones of a registry share:
//!
//! * `inner`: the shared state, and every change to the map
//! * `breaker_map`: breakers by name, and which of them may be removed
//! * `handle_table`: per-core caches of handles, for calls by name
//! * `eviction`: which breakers leave when there is no room
//!
//! Settings:
//!
//! * `presets`: resolves a name to its settings
//! * `current_presets`: the presets in force, and live breakers that follow them
//! * `config_layers`: the layers of a document
//!
//! The public interface:
//!
//! * `breaker_registry`: [`BreakerRegistry`] and its lookups
//! * `register`: settings for one name
//! * `apply_config`: settings for many names, from a document
//! * `query`: reading, listing, removing
//! * `builder`, `global`, `error`
//! * `site`: the handles that a `#[circuit]` keeps

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
mod register;
mod site;

#[cfg(feature = "serde")]
pub(crate) use apply_config::{ApplyReport, LayersError};
pub use breaker_registry::BreakerRegistry;
pub use builder::RegistryBuilder;
#[cfg(feature = "serde")]
pub(crate) use config_layers::DocumentLayers;
pub use error::RegistryError;
#[cfg(feature = "metrics")]
pub(crate) use inner::Inner;
#[cfg(feature = "serde")]
pub(crate) use presets::MAX_PREFIXES;
pub use site::{Given, Global, In, Named, OfType, Site, SiteHandle};
