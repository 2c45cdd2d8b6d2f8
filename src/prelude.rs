//! Re-exports of the most common types and traits: `use breakerbox::prelude::*;`

pub use crate::{
    Backoff, BreakerBuilder, BreakerError, BreakerExt, BreakerRegistry, Cause, CircuitBreaker,
    CircuitOpen, ClassifyItem, ConfigError, Event, EventStream, Mode, Outcome, Permit, Preset,
    Refusal, RegistryBuilder, RegistryError, Snapshot, State, TripRule, Window, is_refusal,
};
#[cfg(feature = "macros")]
pub use breakerbox_macros::circuit;
