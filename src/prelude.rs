//! What most code needs: `use breakerbox::prelude::*;`

pub use crate::{
    Backoff, BreakerBuilder, BreakerError, BreakerExt, BreakerRegistry, Cause, CircuitBreaker,
    CircuitOpen, Event, Mode, Outcome, Permit, Preset, Refusal, Snapshot, State, TripRule, Window,
};
