//! Tells a recorder of the [`metrics`](https://docs.rs/metrics) facade what the breakers of a registry
//! do.
//!
//! | name | type | labels |
//! |---|---|---|
//! | `breakerbox_calls_total` | counter | `breaker`, `outcome`: `success`, `failure`, `ignored`, `cancelled`, `late`, `refused` |
//! | `breakerbox_transitions_total` | counter | `breaker`, `from`, `to` |
//! | `breakerbox_state` | gauge, 1 for the present state and 0 for the others | `breaker`, `state`: `closed`, `open`, `half_open`, `forced_open`, `disabled`, `metrics_only` |
//! | `breakerbox_failure_rate` | gauge, 0 to 1 | `breaker` |
//! | `breakerbox_call_duration_seconds` | histogram, [when asked for](ReporterBuilder::durations) | `breaker`, `outcome`: `success`, `failure`, `ignored` |
//!
//! # Cost
//!
//! Nothing is told while calls run: breakers count for themselves, exactly, and a
//! [report](Reporter::report) reads that. So a healthy call costs what it costs without metrics, and a
//! report in between or one left out loses nothing. (With durations every call reads the clock twice
//! and records what it took.)
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

mod books;
mod durations;
mod export;
mod inner;

use crate::error::ConfigError;
use crate::event::Listener;
use crate::registry::BreakerRegistry;
use crate::sync::Mutex;
use ::metrics::Label;
use durations::Durations;
use export::{DurationKeys, Export, Keys};
use inner::Inner;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Begins to keep the books of a registry, with the [default settings](ReporterBuilder#default).
///
/// What its breakers counted before is in the first report.
pub fn install(registry: &BreakerRegistry) -> Reporter {
    builder().start(registry)
}

/// Settings of a reporter to be.
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

/// Settings of a reporter to be.
///
/// # Default
///
/// * no labels but those of each metric
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
    /// Another label on every series. Where two registries have breakers of the same name, their series
    /// would be one without it, and show the larger of two counts. Each name once, and none that a
    /// metric has already. Default: none.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push(Label::new(name.into(), value.into()));
        self
    }

    /// Whether to record how long calls take. Every call of the registry then reads the clock twice,
    /// takes the longer way through its breaker, and records into a histogram. Default: no.
    pub fn durations(mut self, durations: bool) -> Self {
        self.durations = durations;
        self
    }

    /// How long after a breaker left its registry its name is forgotten, so that another can take its
    /// [place](Reporter#many-names). Give this twice the time after which your exporter ends series: a
    /// name that comes back begins at zero then, and an exporter that still had the old series would
    /// show that until the new count passes it. Longer than zero. Default: none is ever forgotten.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = Some(time);
        self
    }

    /// Begins to keep the books of a registry. They are kept until the last clone of the reporter is
    /// dropped; the registry is not kept alive by it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting that cannot work, its value and what it may be.
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
        for (at, label) in self.labels.iter().enumerate() {
            let name = label.key();
            let before = self.labels[..at].iter().map(Label::key);
            if name.is_empty()
                || export::LABELS.contains(&name)
                || before.into_iter().any(|n| n == name)
            {
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
        let durations = self.durations.then(Keys::default);
        let inner = Arc::new(Inner {
            registry: Arc::downgrade(shared),
            most: shared.capacity().saturating_mul(2),
            nobody: Arc::new(DurationKeys::new("", &self.labels)),
            labels: self.labels,
            idle_timeout: self.idle_timeout,
            books: Mutex::default(),
            durations,
        });
        let observer: Weak<Inner> = Arc::downgrade(&inner);
        shared.add_removal_observer(observer);
        if inner.durations.is_some() {
            shared.attach(&Listener::of(Durations(Arc::downgrade(&inner))));
        }
        Reporter { inner }
    }
}

/// Keeps the books of a registry, and shows them to the recorder; a clone keeps the same books.
///
/// # Series that end
///
/// A breaker that was evicted or removed is in one more report: its last counts, and 0 for every state.
/// After that nobody touches its series, while a report touches those of all others. So an exporter
/// with an idle timeout ends them; the facade itself knows no end of a series. For
/// `metrics-exporter-prometheus`: `idle_timeout(MetricKindMask::ALL, Some(time))`, a few times longer
/// than the time between two reports.
///
/// A name that comes back goes on where it was. What somebody does with the handle of a breaker that
/// was removed is not counted.
///
/// # Many names
///
/// At most twice as many names have series as the registry [can keep](BreakerRegistry::capacity)
/// breakers, those included that left and are not [forgotten](ReporterBuilder::idle_timeout) yet. Other
/// names, and those that came and went between two reports, are counted together under the empty name,
/// which no breaker of a registry has. A breaker that the registry does not keep is counted nowhere.
///
/// # Concurrency
///
/// Reports may run at the same time, and while breakers come and go: nothing is counted twice, or not
/// at all. No lock is held while the recorder is called, or a clock.
///
/// # Examples
///
/// ```
/// # use breakerbox::BreakerRegistry;
/// let reporter = breakerbox::metrics::install(BreakerRegistry::global());
/// reporter.report();
/// ```
#[derive(Clone)]
#[must_use = "the books are kept for as long as somebody holds the reporter"]
pub struct Reporter {
    inner: Arc<Inner>,
}

impl Reporter {
    /// Shows the recorder how things are: the one of this thread if there is one, else the global one.
    ///
    /// The counts are totals, so that a recorder that was installed late gets all of them. It takes
    /// about as long as to look at every breaker; call it before each scrape, or every few seconds.
    ///
    /// # Panics
    ///
    /// When the recorder does; the next report then has what this one had.
    pub fn report(&self) {
        let inner = &*self.inner;
        let page = inner.page();
        ::metrics::with_recorder(|recorder| {
            let export = Export {
                recorder,
                labels: &inner.labels,
            };
            export.describe(inner.durations.is_some());
            export.page(&page);
        });
        inner.books.lock().shown(&page);
    }

    /// Reports again and again, until the registry is gone; then for the last time.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled, and as [`report`](Self::report).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it just ends.
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
            let over = self.inner.registry.strong_count() == 0;
            self.report();
            if over {
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
