use super::duration::Exact;
use super::names::Verdict;
use crate::backoff::Backoff;
use crate::config::BreakerConfig;
use crate::registry::ApplyReport;
use crate::rules::TripRule;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What applying settings has changed.
///
/// It prints a line for each breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    created: Vec<Arc<str>>,
    changed: Vec<Change>,
    released: Vec<Change>,
    unchanged: usize,
}

/// What has changed of one live breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    breaker: Arc<str>,
    settings: Vec<(&'static str, String, String)>,
}

impl Change {
    /// The name of the breaker.
    pub fn breaker(&self) -> &str {
        &self.breaker
    }

    /// The settings that have changed: key, old value, new value. None when only judges or listeners
    /// have, or nothing.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.settings
            .iter()
            .map(|(key, old, new)| (*key, old.as_str(), new.as_str()))
    }
}

impl Applied {
    pub(super) fn new(report: ApplyReport) -> Self {
        let change = |breaker, old: &BreakerConfig, new: &BreakerConfig| Change {
            breaker,
            settings: described(old)
                .into_iter()
                .zip(described(new))
                .filter(|((_, old), (_, new))| old != new)
                .map(|((key, old), (_, new))| (key, old, new))
                .collect(),
        };
        let changed = report.reconfigured.into_iter();
        let released = report.released.into_iter();
        Self {
            created: report.created,
            changed: changed
                .map(|(name, (old, new))| change(name, &old, &new))
                .collect(),
            released: released
                .map(|(name, replaced)| match replaced {
                    Some((old, new)) => change(name, &old, &new),
                    None => Change {
                        breaker: name,
                        settings: Vec::new(),
                    },
                })
                .collect(),
            unchanged: report.unchanged,
        }
    }

    /// The names that have a breaker now and had none, sorted.
    pub fn created(&self) -> impl Iterator<Item = &str> {
        self.created.iter().map(|name| &**name)
    }

    /// The live breakers that got other settings, by name.
    pub fn changed(&self) -> &[Change] {
        &self.changed
    }

    /// The live breakers whose entry has gone, by name; they have what is due without it.
    pub fn released(&self) -> &[Change] {
        &self.released
    }

    /// How many live breakers were not touched.
    pub fn unchanged(&self) -> usize {
        self.unchanged
    }

    /// Whether nothing was created, changed or released.
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.changed.is_empty() && self.released.is_empty()
    }
}

/// The settings that are data, as text.
fn described(config: &BreakerConfig) -> [(&'static str, String); 13] {
    let settings = &config.settings;
    let rules: Vec<_> = config
        .trip_rules()
        .iter()
        .map(TripRule::to_string)
        .collect();
    let or = |time: Option<Duration>, none: &str| match time {
        Some(time) => Exact(time).to_string(),
        None => none.to_owned(),
    };
    let threshold = config.success_threshold();
    [
        ("trip_rules", rules.join("; ")),
        ("recovery", recovery(config.recovery_backoff())),
        (
            "reset_backoff_after",
            or(settings.reset_backoff_after, "as long as the last opening"),
        ),
        ("max_trip_for", Exact(config.max_trip_for()).to_string()),
        ("half_open_calls", config.half_open_calls().to_string()),
        ("success_threshold", threshold.to_string()),
        ("trial_timeout", Exact(config.trial_timeout()).to_string()),
        (
            "unexpected_errors_as",
            Verdict(settings.unexpected).to_string(),
        ),
        ("cancelled_as", Verdict(settings.cancelled).to_string()),
        ("cancelled_after", or(settings.cancelled_after, "off")),
        ("mode", config.mode().word().to_owned()),
        ("count_successes", config.count_successes().to_string()),
        (
            "capture_last_failure",
            config.capture_last_failure().to_string(),
        ),
    ]
}

fn recovery(backoff: Backoff) -> String {
    let first = Exact(backoff.first);
    if backoff == Backoff::constant(backoff.first) {
        return first.to_string();
    }
    let Backoff {
        factor,
        max,
        jitter,
        ..
    } = backoff;
    let max = Exact(max);
    format!("{first} times {factor} up to {max}, jitter {jitter}")
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.breaker)?;
        let mut gap = ": ";
        for (key, old, new) in &self.settings {
            write!(f, "{gap}{key}: {old} -> {new}")?;
            gap = ", ";
        }
        Ok(())
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing has changed");
        }
        let mut gap = "";
        for name in &self.created {
            write!(f, "{gap}created {name:?}")?;
            gap = "\n";
        }
        for (verb, changes) in [("changed", &self.changed), ("released", &self.released)] {
            for change in changes {
                write!(f, "{gap}{verb} {change}")?;
                gap = "\n";
            }
        }
        Ok(())
    }
}
