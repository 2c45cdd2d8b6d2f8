//! What most code needs: `use breakerbox::prelude::*;`

pub use crate::{
    BreakerBuilder, BreakerError, BreakerExt, BreakerRegistry, CircuitBreaker, CircuitOpen,
    Outcome, Preset, State, TripRule, Window,
};
