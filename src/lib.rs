#![doc = include_str!("../docs/crate.md")]

mod backoff;
mod breaker;
mod classify;
pub mod clock;
mod config;
mod contain;
mod error;
mod event;
mod ext;
mod guard;
mod names;
mod permit;
pub mod prelude;
mod preset;
mod registry;
mod snapshot;
mod state;
mod sync;
mod text;
mod trip;

pub use backoff::Backoff;
pub use breaker::CircuitBreaker;
pub use classify::Outcome;
pub use config::{BreakerBuilder, BreakerConfig, ConfigError};
pub use error::{BreakerError, CallTimeout, CircuitOpen};
pub use event::{Cause, Event, EventStream, NotKept};
pub use ext::BreakerExt;
pub use guard::{Fallback, FlattenErr, GuardedFn, WithBreaker};
pub use permit::Permit;
pub use preset::Preset;
pub use registry::{BreakerRegistry, RegistryBuilder, RegistryError};
pub use snapshot::{RuleSnapshot, Snapshot, Totals};
pub use state::{Mode, Refusal, State};
pub use trip::{TripRule, Window};

/// The parts that the types of guarded futures and functions are made of; for writing those types
/// down, and for reading compiler messages.
pub mod parts {
    pub use crate::ext::{AtMostEightArguments, GivesResult, NoResult, kind};
    #[doc(hidden)]
    pub use crate::guard::Judgement;
    pub use crate::guard::{
        Answer, AsyncFallback, ByName, Classify, ClassifyOutput, Ending, FailIf, FallbackFuture,
        Flat, Handle, Judge, Lazy, Limit, NoFallback, NoTimeout, OnArgs, OnOpen, OrElse, Rescue,
        ResultLike, Rules, SyncFallback, Timeout,
    };
}

/// The README and the guide, compiled.
#[cfg(doctest)]
mod guide {
    macro_rules! pages {
        ($($name:ident = $path:literal),* $(,)?) => {$(
            #[doc = include_str!(concat!("../", $path))]
            pub struct $name;
        )*};
    }

    pages! {
        Readme = "README.md",
        Cancellation = "docs/cancellation.md",
        Classification = "docs/classification.md",
        ComingFromPython = "docs/coming-from-python.md",
        Composition = "docs/composition.md",
        Errors = "docs/errors.md",
        Events = "docs/events.md",
        GettingStarted = "docs/getting-started.md",
        Internals = "docs/internals.md",
        Performance = "docs/performance.md",
        Presets = "docs/presets.md",
        Recovery = "docs/recovery.md",
        Testing = "docs/testing.md",
        TripRules = "docs/trip-rules.md",
    }
}
