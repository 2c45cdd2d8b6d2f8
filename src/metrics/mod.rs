//! Reports the breakers of a registry to a recorder of the [`metrics`](https://docs.rs/metrics) facade.
//!
//! | name | type | labels |
//! |---|---|---|
//! | `breakerbox_calls_total` | counter | `breaker`, `outcome`: `success`, `failure`, `ignored`, `cancelled`, `late`, `refused` |
//! | `breakerbox_transitions_total` | counter | `breaker`, `from`, `to` |
//! | `breakerbox_state` | gauge, 1 for the current state and 0 for the others | `breaker`, `state`: `closed`, `open`, `half_open`, `forced_open`, `disabled`, `metrics_only` |
//! | `breakerbox_failure_rate` | gauge, 0 to 1 | `breaker` |
//! | `breakerbox_call_duration_seconds` | histogram, [on request](ReporterBuilder::durations) | `breaker`, `outcome`: `success`, `failure`, `ignored` |
//!
//! # Cost
//!
//! Calls cost what they cost without metrics. Breakers count their calls exactly, and a
//! [report](Reporter::report) reads the totals. A report that is left out loses nothing while the breaker
//! stays. With durations, every call reads the clock twice and records into a histogram.
//!
//! # Examples
//!
//! ```
//! use breakerbox::prelude::*;
//! use metrics_exporter_prometheus::PrometheusBuilder;
//!
//! let prometheus = PrometheusBuilder::new().install_recorder()?;
//! let registry = BreakerRegistry::new();
//! let reporter = breakerbox::metrics::install(&registry);
//!
//! registry.breaker("users-api").trip();
//!
//! reporter.report();                     // before each scrape, or every few seconds: report_every
//! let page = prometheus.render();
//! assert!(page.contains(r#"breakerbox_state{breaker="users-api",state="open"} 1"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
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

/// Returns a reporter of a registry, with the [default settings](ReporterBuilder#default).
///
/// The first report includes what the breakers counted before.
pub fn install(registry: &BreakerRegistry) -> Reporter {
    builder().start(registry)
}

/// Returns the settings of a new reporter.
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

/// The settings of a new [`Reporter`].
///
/// # Default
///
/// * no labels except those of each metric
/// * no durations of calls
/// * no idle timeout
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is installed"]
pub struct ReporterBuilder {
    labels: Vec<Label>,
    durations: bool,
    idle_timeout: Option<Duration>,
}

impl ReporterBuilder {
    /// Adds a label to every series. Two registries with breakers of the same name need one, because they
    /// would write to the same series otherwise. Each name may be given once, and not the name of a label
    /// that a metric already has. Default: none.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push(Label::new(name.into(), value.into()));
        self
    }

    /// Sets whether the durations of calls are recorded. Every call of the registry then reads the clock
    /// twice, sends an event and records into a histogram. Default: no.
    pub fn durations(mut self, durations: bool) -> Self {
        self.durations = durations;
        self
    }

    /// Sets the time after which the name of a breaker that left is forgotten, so that another name can
    /// take its [place](Reporter#many-names). Longer than zero; twice the time after which the exporter
    /// drops idle series. A forgotten name that comes back begins at zero, which an exporter that still
    /// has the old series would not show. Default: no name is forgotten.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = Some(time);
        self
    }

    /// Returns a reporter of `registry`. The reporter does not keep the registry alive.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting that cannot work, its value and the allowed values.
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
                let allowed = format!("given once, not empty, and none of {:?}", export::LABELS);
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

/// Reports the breakers of a registry to a recorder. A clone is the same reporter.
///
/// # Series that end
///
/// When a breaker was evicted or removed, one more report has its name: with the last reported counters,
/// and 0 for every state. Calls that the breaker counted after the last report are lost. After that, no
/// report touches the series of that name, while the series of all other names are touched each time. An
/// exporter with an idle timeout therefore drops them; the facade itself cannot end a series. For
/// `metrics-exporter-prometheus`, use `idle_timeout(MetricKindMask::ALL, Some(time))`, with several times
/// the interval between two reports.
///
/// A name that comes back continues from its last reported counters.
///
/// # Many names
///
/// At most twice as many names have series as the registry [can keep](BreakerRegistry::capacity)
/// breakers, including names whose breaker left and that are not
/// [forgotten](ReporterBuilder::idle_timeout) yet. Other names are counted together under the empty name,
/// which no breaker of a registry has. A breaker that the registry does not keep is not counted.
///
/// # Concurrency
///
/// Reports may run concurrently, and while breakers are created and evicted: no call is counted twice. No
/// lock is held while the recorder or a clock is called.
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
    /// Reports all breakers to the recorder of the current thread, or else to the global recorder.
    ///
    /// Counters are set to their totals, so a recorder that was installed late gets the whole counts. A
    /// report reads every breaker of the registry. Call it before each scrape, or every few seconds.
    ///
    /// # Panics
    ///
    /// If the recorder panics. The next report then includes what this one had.
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

    /// Reports at an interval until the registry has been dropped, and then once more.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled, and as [`report`](Self::report) does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the reports.
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
    fn a_healthy_call_is_quiet_unless_its_duration_is_asked_for() {
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
        // The next change of state ends the reading of clocks.
        users.reset();
        users.trip();
        users.reset();
        assert!(quiet());
    }
}
