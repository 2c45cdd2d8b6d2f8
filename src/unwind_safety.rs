//! Handles, permits and errors may cross `catch_unwind`.
//!
//! Their shared state consists of atomics and of values behind locks, and every lock is released with
//! the state whole: user code, which may panic, never runs while one is held. The compiler cannot
//! see that through the closures of listeners and predicates, so it is declared here.

use crate::breaker::CircuitBreaker;
use crate::error::CircuitOpen;
use crate::event::EventStream;
use crate::permit::Permit;
use crate::registry::BreakerRegistry;
use std::panic::{RefUnwindSafe, UnwindSafe};

macro_rules! unwind_safe {
    ($($Type:ty),* $(,)?) => {$(
        impl UnwindSafe for $Type {}
        impl RefUnwindSafe for $Type {}
    )*};
}

unwind_safe!(
    CircuitBreaker,
    BreakerRegistry,
    Permit,
    CircuitOpen,
    EventStream,
);
