#![doc = include_str!("../docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backoff;
mod breaker;
mod call;
mod circuit;
mod classifier;
mod classify;
pub mod clock;
mod command;
mod config;
mod error;
mod event;
mod ext;
mod first_ready;
#[cfg(feature = "fleet")]
pub mod fleet;
mod function;
mod future;
// Not in doctests: those of the pages need other crates, so tests/integrations runs them.
#[cfg(all(doc, not(doctest)))]
pub mod guide;
mod handle;
mod health;
#[cfg(feature = "http")]
pub mod http;
mod macro_support;
#[cfg(feature = "metrics")]
pub mod metrics;
mod names;
mod panic;
mod permit;
pub mod prelude;
mod preset;
pub mod presets;
mod refusal_details;
mod registry;
mod rules;
#[cfg(feature = "serde")]
pub mod settings;
#[cfg(feature = "fleet")]
mod share;
mod snapshot;
mod state;
mod stream;
mod sync;
mod text;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "tracing")]
pub mod tracing;
#[doc(hidden)]
pub mod watch;

pub use backoff::Backoff;
pub use breaker::CircuitBreaker;
/// Guards every call of a function or method, sync or async, that returns a `Result`.
///
/// The signature stays as written. The error type must implement [`From<BreakerError>`](BreakerError),
/// unless there is a `fallback` and no `timeout`.
///
/// # Default
///
/// * `name`: the path of the function without its crate: `users::fetch_user`,
///   `users::Client::get`
/// * `registry`: [`BreakerRegistry::global`]
/// * `failure_threshold`, `recovery_timeout`, `half_open_calls`, `success_threshold`,
///   `trial_timeout`, `expected`, `ignored`, `trip_when`: the defaults of a
///   [`BreakerBuilder`](BreakerBuilder#default), or the values of the `preset` or `builder`
/// * `fail_if`, `classify`: the rules of the breaker
/// * `refused`: `From<BreakerError>`
/// * `fallback`, `timeout`: none
///
/// Settings apply when the breaker is created. The guide's page
/// [the decorator](https://docs.rs/breakerbox/latest/breakerbox/guide/decorator/index.html) describes
/// each setting.
///
/// # Errors
///
/// The error that the function returns. A refusal becomes the error that `refused` makes of
/// [`BreakerError::Open`], and an elapsed `timeout` the error that it makes of
/// [`BreakerError::TimedOut`]. Without `refused`, `From<BreakerError>` makes these errors.
///
/// # Panics
///
/// With `timeout`, outside a tokio runtime with time enabled.
///
/// # Cancel safety
///
/// The same as for [`WithBreaker`].
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
///
/// #[circuit(name = "users-api", failure_threshold = 10, recovery_timeout = "1m")]
/// async fn fetch_user(id: u64) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
///     Ok(format!("user {id}"))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// assert_eq!(fetch_user(42).await.unwrap(), "user 42");
/// # });
/// assert!(BreakerRegistry::global().get("users-api").is_some());
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(feature = "macros")]
pub use breakerbox_macros::circuit;
pub use classify::Outcome;
pub use command::Command;
pub use config::{BreakerBuilder, BreakerConfig, Explanation};
pub use error::{AllOpen, BreakerError, CallTimeout, CircuitOpen, ConfigError, is_refusal};
pub use event::{CallOutcome, CallRecord, Cause, Event, EventStream, NotKept};
pub use ext::BreakerExt;
pub use first_ready::first_ready;
pub use function::GuardedFn;
pub use future::{Fallback, FlattenErr, FlattenInto, RunPermit, WithBreaker};
pub use health::{Health, HealthStatus, Impaired};
pub use permit::Permit;
pub use preset::Preset;
pub use registry::{BreakerRegistry, CallRecording, RegistryBuilder, RegistryError};
pub use rules::{RuleSnapshot, TripRule, Window};
pub use snapshot::{Snapshot, Totals};
pub use state::{Mode, Refusal, State};
pub use stream::{ClassifyItem, GuardedStream};
/// How the other crates of this project show and check untrusted text.
#[doc(hidden)]
pub use text::{Escaped, needs_escape};

/// Type parameters and bounds of guarded futures and functions, for code that names such a type.
///
/// The module is hidden because these types are nearly always inferred.
#[doc(hidden)]
pub mod parts {
    pub use crate::classifier::{
        Classification, Classifier, Classify, ClassifyOutput, DefaultClassifier, FailIf, ResultLike,
    };
    pub use crate::ext::{AtMostEightArguments, GivesNoStream, GivesResult, NoResult, kind};
    pub use crate::function::{
        Answer, AsyncFallback, FallbackPolicy, Flattened, FlattenedInto, NoFallback, SyncFallback,
        WithFallback,
    };
    pub use crate::future::{
        DeferredCall, FallbackFn, FallbackFuture, Limit, NoTimeout, OnArgs, OnOpen, Timeout,
    };
    pub use crate::handle::{ByName, Handle};
    pub use crate::stream::{IdleLimit, IdleTimeout};
}

/// Items that the expansion of `#[circuit]` uses. They may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::macro_support::{
        Admitted, AsError, AsOutput, AsResult, AsValue, NewClassifier, Predicate, admit, any_error,
        apply_settings, call, call_maker, classify, convert, default_classifier, fail_if,
        fallback_output, guard_future, no_timeout, output_type_of, own_predicate, predicate,
        refused, return_type, return_type_of, started_timeout, timeout,
    };
    pub use crate::registry::{DefaultName, Given, Global, In, Named, OfType, Site, SiteHandle};
}

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
