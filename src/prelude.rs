//! Re-exports of the most common types and traits: `use breakerbox::prelude::*;`

pub use crate::{
    AllOpen, Backoff, BreakerBuilder, BreakerError, BreakerExt, BreakerRegistry, Cause,
    CircuitBreaker, CircuitOpen, ClassifyItem, ConfigError, Event, EventStream, Mode, Outcome,
    Permit, Preset, Refusal, RegistryBuilder, RegistryError, Snapshot, State, TripRule, Window,
    first_ready, is_refusal,
};
#[cfg(feature = "macros")]
pub use breakerbox_macros::circuit;
