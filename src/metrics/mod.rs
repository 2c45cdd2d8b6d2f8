//! Reports the state and the calls of breakers through the [`metrics`](https://docs.rs/metrics)
//! facade.
//!
//! | name | type | labels |
//! |---|---|---|
//! | `breakerbox_calls_total` | counter | `breaker`, `outcome`: `success`, `failure`, `ignored`, `cancelled`, `late`, `refused`, `joined` |
//! | `breakerbox_outlived_trials_total` | counter | `breaker` |
//! | `breakerbox_would_trip_total` | counter | `breaker` |
//! | `breakerbox_transitions_total` | counter | `breaker`, `from`, `to` |
//! | `breakerbox_state` | gauge, 1 for the current state and 0 for the others | `breaker`, `state`: `closed`, `open`, `half_open`, `forced_open`, `disabled`, `metrics_only` |
//! | `breakerbox_failure_rate` | gauge, 0 to 1 | `breaker` |
//! | `breakerbox_ramp_up_share` | gauge, 0.1 to 1 | `breaker` |
//! | `breakerbox_call_duration_seconds` | histogram, [on request](ReporterBuilder::durations) | `breaker`, `outcome`: `success`, `failure`, `ignored` |
//!
//! # Cost
//!
//! Calls do not become slower. Breakers count their calls anyway, and a [report](Reporter::report)
//! reads the totals. A skipped report loses no counts while the breaker remains in the registry. If
//! [durations](ReporterBuilder::durations) are enabled, every call reads the clock twice and
//! records into a histogram.
//!
//! # Examples
//!
//! Install the recorder of an exporter, then create a reporter and call it regularly. The
//! [metrics guide](https://github.com/breakerbox/breakerbox/blob/main/docs/metrics.md) shows a
//! complete program for Prometheus.
//!
//! ```
//! use breakerbox::prelude::*;
//!
//! let registry = BreakerRegistry::new();
//! let reporter = breakerbox::metrics::install(&registry);
//!
//! registry.breaker("users-api").trip();
//!
//! // Before each scrape, or periodically with `report_every`.
//! // Sets `breakerbox_state{breaker="users-api",state="open"}` to 1.
//! reporter.report();
//! ```

mod durations;
mod export;
mod inner;
mod series;

use crate::error::ConfigError;
use crate::event::Listener;
use crate::registry::BreakerRegistry;
use crate::sync::Mutex;
use ::metrics::Label;
use durations::Durations;
use export::{Export, Keys};
use inner::Inner;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Creates a reporter of `registry` with the [default settings](ReporterBuilder#default).
///
/// The first report includes everything that the breakers have counted so far.
pub fn install(registry: &BreakerRegistry) -> Reporter {
    builder().start(registry)
}

/// Creates a builder for a [`Reporter`].
///
/// # Examples
///
/// ```
/// use breakerbox::BreakerRegistry;
/// use std::time::Duration;
///
/// let reporter = breakerbox::metrics::builder()
///     .label("registry", "upstreams")
///     .idle_timeout(Duration::from_secs(300))
///     .install(BreakerRegistry::global())?;
/// reporter.report();
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
pub fn builder() -> ReporterBuilder {
    ReporterBuilder::default()
}

/// Collects the settings of a [`Reporter`].
///
/// # Default
///
/// * no labels except those of each metric
/// * no durations
/// * no idle timeout
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is installed"]
pub struct ReporterBuilder {
    labels: Vec<Label>,
    durations: bool,
    idle_timeout: Option<Duration>,
}

impl ReporterBuilder {
    /// Adds a label to every series. Default: none.
    ///
    /// Use a label to distinguish registries whose breakers have the same names. Otherwise, they
    /// write to the same series. Names must be unique, not empty, and different from the labels
    /// that the metrics already have.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push(Label::new(name.into(), value.into()));
        self
    }

    /// Sets whether the durations of calls are recorded. Default: `false`.
    ///
    /// If enabled, every call of the registry reads the clock twice, sends an event and records
    /// into a histogram.
    pub fn durations(mut self, durations: bool) -> Self {
        self.durations = durations;
        self
    }

    /// Sets how long the name of a removed breaker keeps its series. Default: no limit.
    ///
    /// Afterwards, another name can take the [place](Reporter#many-names) of the series. `time`
    /// must be longer than zero. Use twice the time after which the exporter drops idle series: if
    /// a name returns later, its counters restart at zero, and the exporter must not hold the old
    /// series by then.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = Some(time);
        self
    }

    /// Creates a reporter of `registry`. The reporter does not keep the registry alive.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] that describes the first invalid setting.
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::BreakerRegistry;
    /// let builder = breakerbox::metrics::builder().label("breaker", "mine");
    /// let error = builder.install(BreakerRegistry::global()).unwrap_err();
    /// assert!(error.to_string().starts_with("label is \"breaker\", but must be"));
    /// ```
    pub fn install(self, registry: &BreakerRegistry) -> Result<Reporter, ConfigError> {
        for (index, label) in self.labels.iter().enumerate() {
            let name = label.key();
            let is_repeated = self.labels[..index].iter().any(|other| other.key() == name);
            if name.is_empty() || export::LABELS.contains(&name) || is_repeated {
                let allowed = format!("unique, not empty, and none of {:?}", export::LABELS);
                return Err(ConfigError::new("label", name, allowed));
            }
        }
        if self.idle_timeout == Some(Duration::ZERO) {
            let allowed = "longer than zero";
            return Err(ConfigError::new("idle_timeout", Duration::ZERO, allowed));
        }
        Ok(self.start(registry))
    }

    fn start(self, registry: &BreakerRegistry) -> Reporter {
        let shared = registry.inner();
        let inner = Arc::new(Inner {
            registry: Arc::downgrade(shared),
            limit: shared.capacity().saturating_mul(2),
            labels: self.labels,
            idle_timeout: self.idle_timeout,
            aggregator: Mutex::default(),
            durations: self.durations,
            duration_keys: Keys::default(),
        });
        if self.durations {
            shared.attach(&Listener::of(Durations(Arc::downgrade(&inner))));
        }
        Reporter { inner }
    }
}

/// Reports the breakers of a registry to a recorder. Clones share their state.
///
/// # Series that end
///
/// After a breaker is evicted or removed, one more report contains its name, with the last reported
/// counters and 0 for every state. Calls that the breaker counted after the last regular report are
/// lost.
///
/// Later reports no longer touch the series of this name, whereas they touch all other series. An
/// exporter with an idle timeout therefore drops the series. The facade itself has no way to end
/// one. For `metrics-exporter-prometheus`, use `idle_timeout(MetricKindMask::ALL, Some(time))` with
/// several times the report interval.
///
/// If a name returns, its counters continue from the last reported values.
///
/// # Many names
///
/// The number of names with series is limited to twice the [capacity](BreakerRegistry::capacity) of
/// the registry. The limit includes names of removed breakers that are not
/// [forgotten](ReporterBuilder::idle_timeout) yet. All further names are counted together under the
/// empty name, which no breaker of a registry can have. Breakers that the registry does not keep
/// are not counted.
///
/// # Concurrency
///
/// Reports may run concurrently with each other, and while breakers are created and evicted. No
/// call is counted twice. No lock is held during calls to the recorder or to a clock.
///
/// # Examples
///
/// ```
/// # use breakerbox::BreakerRegistry;
/// let reporter = breakerbox::metrics::install(BreakerRegistry::global());
/// reporter.report();
/// ```
#[derive(Clone)]
#[must_use = "nothing is reported until `report` is called"]
pub struct Reporter {
    inner: Arc<Inner>,
}

impl Reporter {
    /// Reports all breakers to the recorder of the current thread if there is one, otherwise to the
    /// global recorder.
    ///
    /// Counters are set to their totals, so a recorder that is installed late receives complete
    /// counts. Each report reads all breakers of the registry. Call this method before each scrape,
    /// or every few seconds.
    ///
    /// # Panics
    ///
    /// Panics if the recorder panics. The next report then includes the values of this one.
    pub fn report(&self) {
        let inner = &*self.inner;
        let report = inner.read();
        ::metrics::with_recorder(|recorder| {
            let export = Export {
                recorder,
                labels: &inner.labels,
            };
            export.describe(inner.durations);
            export.report(&report);
        });
        inner.aggregator.lock().mark_exported(&report);
    }

    /// Reports every `time` until the registry is dropped, and then once more.
    ///
    /// # Panics
    ///
    /// Panics outside a Tokio runtime with time enabled, and under the conditions of
    /// [`report`](Self::report).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the reports and loses no counts.
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::BreakerRegistry;
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let reporter = breakerbox::metrics::install(BreakerRegistry::global());
    /// tokio::spawn(reporter.report_every(Duration::from_secs(5)));
    /// # });
    /// ```
    pub async fn report_every(self, time: Duration) {
        loop {
            let is_last = self.inner.registry.strong_count() == 0;
            self.report();
            if is_last {
                return;
            }
            tokio::time::sleep(time).await;
        }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter")
            .field("labels", &self.inner.labels)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::state::Flags;

    #[test]
    fn healthy_call_takes_fast_path_without_durations() {
        let registry = BreakerRegistry::new();
        let users = registry.breaker("users");
        let succeeds = || users.call(|| Ok::<_, ()>(())).expect("a closed circuit");
        let quiet = || {
            succeeds();
            let word = users.circuit.word();
            word.success_is_noop(word.generation())
        };
        let reporter = install(&registry);
        assert!(quiet());
        reporter.report();
        assert!(quiet());

        let durations = builder().durations(true).start(&registry);
        assert!(!quiet());
        assert!(
            users.circuit.word().has(Flags::SLOW_PATH) && users.circuit.word().has(Flags::TIMED)
        );
        drop(durations);
        // Flags are recomputed at the next state change.
        users.reset();
        users.trip();
        users.reset();
        assert!(quiet());
    }
}
