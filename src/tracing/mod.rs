//! Logs the events of breakers through [`tracing`](https://docs.rs/tracing).
//!
//! [`install`] logs a registry and all its breakers, and [`install_for`] logs a breaker outside a
//! registry. All events have the target `breakerbox`. The module creates no spans. Events belong to
//! the span of the call that caused them, and [`LogBuilder::span_fields`] records the result of each
//! call in the fields of that span.
//!
//! | level | events |
//! |---|---|
//! | error | a listener panicked; settings were rejected without a way to return an error |
//! | warn | a circuit opened or was forced open; all other warnings of [`Event`](crate::Event); every 1st, 2nd, 4th, 8th, … name that is not kept |
//! | info | all other state changes; the end of a ramp-up; a metrics-only breaker would have opened; new settings |
//! | debug | breakers were added or removed; a circuit ramps up; the remaining names that are not kept |
//! | trace | every completed, refused or joined call, [if enabled](LogBuilder::calls) |
//!
//! # Cost
//!
//! Logging adds no cost to calls unless [`LogBuilder::calls`] or [`LogBuilder::span_fields`] is enabled.
//!
//! # Examples
//!
//! ```
//! use breakerbox::prelude::*;
//!
//! // Install a subscriber first, such as `tracing_subscriber::fmt().init()`.
//! let registry = BreakerRegistry::new();
//! breakerbox::tracing::install(&registry);
//! registry.breaker("users-api").because("INC-123").force_open();
//! // WARN breakerbox: circuit opened breaker="users-api" from="closed" to="forced_open" cause="a command: INC-123" reason="INC-123"
//! ```

/// Logs an event with the target `breakerbox` and the name of its breaker.
macro_rules! log {
    ($level:ident $event:ident, $($fields_and_message:tt)+) => {
        ::tracing::$level!(target: "breakerbox", breaker = $event.breaker(), $($fields_and_message)+)
    };
}

mod call_log;
mod change_log;
mod span_fields;

use crate::breaker::CircuitBreaker;
use crate::event::Listener;
use crate::registry::BreakerRegistry;
use call_log::CallLog;
use change_log::ChangeLog;
use span_fields::SpanFields;
use std::sync::Arc;

/// Logs the state changes and warnings of a registry and all its breakers from now on.
///
/// Repeated calls for the same registry have no further effect.
///
/// # Examples
///
/// ```
/// use breakerbox::BreakerRegistry;
///
/// breakerbox::tracing::install(BreakerRegistry::global());
/// ```
pub fn install(registry: &BreakerRegistry) {
    builder().install(registry);
}

/// Logs the state changes and warnings of one breaker from now on.
///
/// Repeated calls for the same breaker have no further effect. If the registry of the breaker is
/// also [logged](install), events of the breaker are logged twice.
///
/// # Examples
///
/// ```
/// use breakerbox::CircuitBreaker;
///
/// let ledger = CircuitBreaker::builder().name("ledger").build()?;
/// breakerbox::tracing::install_for(&ledger);
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
pub fn install_for(breaker: &CircuitBreaker) {
    builder().install_for(breaker);
}

/// Creates a builder for a log.
pub fn builder() -> LogBuilder {
    LogBuilder::default()
}

/// Collects the settings of a log.
///
/// # Default
///
/// * state changes and warnings, but no calls
/// * no fields in spans
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is installed"]
pub struct LogBuilder {
    calls: bool,
    span_fields: bool,
}

impl LogBuilder {
    /// Sets whether every completed or refused call is logged, at level trace. Default: `false`.
    ///
    /// If enabled, every call sends an event, even if the subscriber discards it.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::CircuitBreaker;
    ///
    /// let ledger = CircuitBreaker::builder().name("ledger").build()?;
    /// breakerbox::tracing::builder().calls(true).install_for(&ledger);
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn calls(mut self, calls: bool) -> Self {
        self.calls = calls;
        self
    }

    /// Sets whether every call records its result in fields of the current span. Default: `false`.
    ///
    /// | field | value |
    /// |---|---|
    /// | `breaker.name` | the name of the breaker |
    /// | `breaker.state` | the state of the circuit after the call, such as `half_open` |
    /// | `breaker.outcome` | `success`, `failure`, `ignored`, `trip_for`, `refused` or `joined` |
    /// | `breaker.refusal` | of a refused call: `open`, `trials_taken`, `forced` or `ramping_up` |
    ///
    /// A span must declare the fields, usually as [`Empty`](::tracing::field::Empty). Fields that the span
    /// does not declare are left out. The current span is the span around the guarded call, not a span
    /// inside it. Give each guarded call a span of its own: a second call records the fields again, and a
    /// subscriber may show both values. The state is absent if the registry does not keep the breaker.
    ///
    /// If enabled, every call sends an event, even if the span declares no such field.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::CircuitBreaker;
    /// use tracing::field::Empty;
    ///
    /// let ledger = CircuitBreaker::builder().name("ledger").build()?;
    /// breakerbox::tracing::builder().span_fields(true).install_for(&ledger);
    ///
    /// let span = tracing::info_span!("transfer", breaker.name = Empty, breaker.outcome = Empty);
    /// let _ = span.in_scope(|| ledger.call(|| Err::<(), _>("refused")));
    /// // breaker.name = "ledger", breaker.outcome = "failure"
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn span_fields(mut self, span_fields: bool) -> Self {
        self.span_fields = span_fields;
        self
    }

    /// Logs a registry and all its breakers, like [`install`].
    pub fn install(self, registry: &BreakerRegistry) {
        let fields = SpanFields::of_registry(Arc::downgrade(registry.inner()));
        self.attach(fields, |listener| registry.inner().attach(listener));
    }

    /// Logs one breaker, like [`install_for`].
    pub fn install_for(self, breaker: &CircuitBreaker) {
        let fields = SpanFields::of_circuit(Arc::downgrade(&breaker.circuit));
        self.attach(fields, |listener| breaker.circuit.attach(listener));
    }

    /// Attaches a separate listener for each part, so that a part can be enabled after the log was
    /// installed.
    fn attach(self, fields: SpanFields, attach: impl Fn(&Listener)) {
        attach(&Listener::of(ChangeLog::default()));
        if self.calls {
            attach(&Listener::of(CallLog));
        }
        if self.span_fields {
            attach(&Listener::of(fields));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::state::Flags;

    #[test]
    fn healthy_call_sends_event_only_on_request() {
        let registry = BreakerRegistry::new();
        let users = registry.breaker("users");
        install(&registry);
        install_for(&users);
        let new = registry.breaker("new");
        for breaker in [&users, &new] {
            assert!(!breaker.circuit.word().has(Flags::SLOW_PATH));
        }
        builder().calls(true).install(&registry);
        for breaker in [&users, &new, &registry.breaker("newer")] {
            assert!(breaker.circuit.word().has(Flags::SLOW_PATH));
        }
        let standalone = CircuitBreaker::builder().build().unwrap();
        builder().span_fields(true).install_for(&standalone);
        assert!(standalone.circuit.word().has(Flags::SLOW_PATH));
    }
}
