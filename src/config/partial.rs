//! [`PartialSettings`]: the single list of settings, and all code that derives from the list.
//!
//! A builder, a preset, a document entry and a `#[circuit]` attribute are all partial settings.
//! Merging, checking, comparing and describing settings are generated from one macro invocation, so
//! a new setting cannot be missing from one of them.

use super::redaction::Redaction;
use super::rule_changes::RuleChanges;
use super::{BreakerConfig, check};
use crate::backoff::Backoff;
use crate::classify::{ErrorClassifier, ErrorRule, Outcome};
use crate::error::ConfigError;
use crate::event::Listener;
#[cfg(feature = "fleet")]
use crate::share::Share;
use crate::state::Mode;
use crate::text::ExactDuration;
use std::time::Duration;

/// Defines [`PartialSettings`] from a list of `field ("key"): type, check, default;`, each of which may
/// have an attribute `cfg`.
///
/// The key names the setting in messages. The check receives the key and the value. The default
/// describes the value in force when no layer sets it.
macro_rules! settings {
    ($($(#[$cfg:meta])* $field:ident ($key:literal): $type:ty, $check:expr, $default:expr;)*) => {
        /// Some of the settings of a breaker. A setting without a value is `None`.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(crate) struct PartialSettings {
            $($(#[$cfg])* pub(crate) $field: Option<$type>,)*
        }

        impl PartialSettings {
            /// The keys of all settings, in declaration order.
            pub(crate) const KEYS: &'static [&'static str] = &[$($(#[$cfg])* $key),*];

            /// Merges `upper` over `self`.
            pub(crate) fn merge(&mut self, upper: &Self) {
                $($(#[$cfg])* match (&mut self.$field, &upper.$field) {
                    (Some(lower), Some(upper)) => lower.merge(upper),
                    (None, Some(upper)) => self.$field = Some(upper.clone()),
                    (_, None) => {}
                })*
            }

            /// Checks each setting that has a value, independently of the others.
            pub(crate) fn check_each(&self) -> Result<(), ConfigError> {
                $($(#[$cfg])* if let Some(value) = &self.$field {
                    let check: fn(&str, &$type) -> Result<(), ConfigError> = $check;
                    check($key, value)?;
                })*
                Ok(())
            }

            /// Returns the settings of `self` whose values differ from those in `old`.
            pub(crate) fn changed_since(&self, old: &Self) -> Self {
                Self {
                    $($(#[$cfg])* $field: self.$field.clone().filter(|new| old.$field.as_ref() != Some(new)),)*
                }
            }

            /// Removes every setting of which nothing is left after merging `upper` over it.
            pub(crate) fn remove_overridden(&mut self, upper: &Self) {
                $($(#[$cfg])* if let (Some(lower), Some(upper)) = (&self.$field, &upper.$field) {
                    if lower.is_overridden_by(upper) {
                        self.$field = None;
                    }
                })*
            }

            /// Removes every setting that `other` names.
            pub(crate) fn remove_named_in(&mut self, other: &Self) {
                $($(#[$cfg])* if other.$field.is_some() {
                    self.$field = None;
                })*
            }

            /// Splits `self` against `earlier` settings of the same rank, which take precedence.
            ///
            /// Returns the settings that `self` adds, and the keys of those that contradict
            /// `earlier`.
            pub(crate) fn split_by(&self, earlier: &Self) -> (Self, Vec<&'static str>) {
                let mut added = self.clone();
                let mut contradicted = Vec::new();
                $($(#[$cfg])* if let (Some(later), Some(earlier)) = (&self.$field, &earlier.$field) {
                    let (rest, contradicts) = later.split_by(earlier);
                    added.$field = rest;
                    if contradicts {
                        contradicted.push($key);
                    }
                })*
                (added, contradicted)
            }

            /// Returns the keys of all settings that have a value.
            pub(crate) fn named(&self) -> impl Iterator<Item = &'static str> {
                [$($(#[$cfg])* self.$field.is_some().then_some($key)),*].into_iter().flatten()
            }

            /// Describes the setting called `key`, with one text for each part.
            ///
            /// Returns `None` if the setting has no value.
            pub(crate) fn describe(&self, key: &str) -> Option<Vec<String>> {
                match key {
                    $($(#[$cfg])* $key => self.$field.as_ref().map(Setting::describe),)*
                    _ => None,
                }
            }

            /// Describes the default value of the setting called `key`.
            pub(crate) fn describe_default(config: &BreakerConfig, key: &str) -> Vec<String> {
                let describe: fn(&BreakerConfig) -> Vec<String> = match key {
                    $($(#[$cfg])* $key => $default,)*
                    _ => |_| Vec::new(),
                };
                describe(config)
            }
        }
    };
}

settings! {
    trip_rules ("trip_rules"): RuleChanges,
        |_, changes| check::rules(changes.rules()),
        |config| config.trip_rules().iter().map(ToString::to_string).collect();
    recovery_backoff ("recovery"): Backoff,
        |_, backoff| check::backoff(backoff),
        |config| config.recovery_backoff().describe();
    reset_backoff_after ("reset_backoff_after"): Duration,
        check::positive,
        |_| text("the last delay");
    ramp_up ("ramp_up"): Duration,
        check::ramp_up,
        |_| text("off");
    max_trip_for ("max_trip_for"): Duration,
        check::positive,
        |config| config.max_trip_for().describe();
    half_open_calls ("half_open_calls"): u32,
        |key, calls| check::trials(key, *calls),
        |config| config.half_open_calls().describe();
    success_threshold ("success_threshold"): u32,
        |key, calls| check::trials(key, *calls),
        |config| config.success_threshold().describe();
    trial_timeout ("trial_timeout"): Duration,
        check::positive,
        |config| config.trial_timeout().describe();
    error_rules ("error_rules"): ErrorClassifier,
        |_, _| Ok(()),
        |_| text("every error is a failure");
    unexpected_errors_as ("unexpected_errors_as"): Outcome,
        check::unexpected,
        |config| config.unexpected_errors_as().describe();
    cancelled_as ("cancelled_as"): Outcome,
        check::cancelled,
        |config| config.cancelled_as().describe();
    cancelled_after ("cancelled_after"): Duration,
        check::positive,
        |_| text("off");
    mode ("mode"): Mode,
        |_, _| Ok(()),
        |config| config.mode().describe();
    count_successes ("count_successes"): bool,
        |_, _| Ok(()),
        |config| config.count_successes().describe();
    capture_last_failure ("capture_last_failure"): bool,
        |_, _| Ok(()),
        |config| config.capture_last_failure().describe();
    redact_last_failure ("redact_last_failure"): Redaction,
        |_, _| Ok(()),
        |_| text("off");
    #[cfg(feature = "fleet")]
    fleet ("fleet"): Share,
        |key, share| check::share(key, *share),
        |_| text("that of the fleet");
    listeners ("on_event"): Vec<Listener>,
        |_, _| Ok(()),
        |_| text("none");
}

impl PartialSettings {
    /// Checks the merged settings of all layers, including constraints between settings.
    pub(crate) fn check_together(&self) -> Result<(), ConfigError> {
        self.check_each()?;
        let trials = self.half_open_calls.unwrap_or(super::HALF_OPEN_CALLS);
        let successes = self.success_threshold.unwrap_or(trials);
        check::success_threshold(successes, trials)
    }
}

fn text(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

/// Defines how a setting merges and how it is described. By default, the upper value wins.
pub(super) trait Setting: Clone + PartialEq {
    /// Merges `upper` over `self`.
    fn merge(&mut self, upper: &Self) {
        *self = upper.clone();
    }

    /// Returns `true` if nothing of this value remains after merging `upper` over it.
    fn is_overridden_by(&self, _upper: &Self) -> bool {
        true
    }

    /// Returns what `self` adds to an `earlier` value that takes precedence, and whether both
    /// conflict.
    fn split_by(&self, earlier: &Self) -> (Option<Self>, bool) {
        (None, self != earlier)
    }

    /// Describes each part of the value.
    fn describe(&self) -> Vec<String>;
}

macro_rules! values {
    ($($(#[$cfg:meta])* $type:ty: |$value:ident| $text:expr;)*) => {$(
        $(#[$cfg])*
        impl Setting for $type {
            fn describe(&self) -> Vec<String> {
                let $value = self;
                vec![$text]
            }
        }
    )*};
}

values! {
    u32: |number| number.to_string();
    bool: |flag| flag.to_string();
    Duration: |time| ExactDuration(*time).to_string();
    Backoff: |backoff| backoff_text(*backoff);
    Outcome: |outcome| outcome_text(*outcome);
    Mode: |mode| mode.as_str().to_owned();
    #[cfg(feature = "fleet")]
    Share: |share| share.to_string();
    Redaction: |_redaction| "a closure".to_owned();
}

impl Setting for Vec<Listener> {
    fn merge(&mut self, upper: &Self) {
        append(self, upper);
    }

    fn is_overridden_by(&self, upper: &Self) -> bool {
        contains_all(upper, self)
    }

    fn split_by(&self, earlier: &Self) -> (Option<Self>, bool) {
        (
            Some(without(self, earlier)).filter(|rest| !rest.is_empty()),
            false,
        )
    }

    fn describe(&self) -> Vec<String> {
        self.iter().map(|_| "a listener".to_owned()).collect()
    }
}

impl Setting for ErrorClassifier {
    fn merge(&mut self, upper: &Self) {
        if upper.is_own {
            *self = upper.clone();
        } else {
            append(&mut self.expected, &upper.expected);
            append(&mut self.ignored, &upper.ignored);
            append(&mut self.trip_for, &upper.trip_for);
        }
    }

    fn is_overridden_by(&self, upper: &Self) -> bool {
        upper.is_own
            || !self.is_own
                && contains_all(&upper.expected, &self.expected)
                && contains_all(&upper.ignored, &self.ignored)
                && contains_all(&upper.trip_for, &self.trip_for)
    }

    fn split_by(&self, earlier: &Self) -> (Option<Self>, bool) {
        let rest = Self {
            is_own: self.is_own && !earlier.is_own,
            expected: without(&self.expected, &earlier.expected),
            ignored: without(&self.ignored, &earlier.ignored),
            trip_for: without(&self.trip_for, &earlier.trip_for),
        };
        (Some(rest).filter(|rest| *rest != Self::default()), false)
    }

    fn describe(&self) -> Vec<String> {
        fn parts<A>(kind: &str, rules: &[ErrorRule<A>]) -> impl Iterator<Item = String> {
            let part = move |rule: &ErrorRule<A>| format!("{kind} {}", rule.type_name());
            rules.iter().map(part)
        }
        let own = self.is_own.then(|| "no inherited rules".to_owned());
        own.into_iter()
            .chain(parts("expected", &self.expected))
            .chain(parts("ignored", &self.ignored))
            .chain(parts("trip for", &self.trip_for))
            .collect()
    }
}

impl Setting for RuleChanges {
    fn merge(&mut self, upper: &Self) {
        self.merge(upper);
    }

    fn is_overridden_by(&self, upper: &Self) -> bool {
        self.is_overridden_by(upper)
    }

    fn split_by(&self, earlier: &Self) -> (Option<Self>, bool) {
        self.split_by(earlier)
    }

    fn describe(&self) -> Vec<String> {
        self.rules().iter().map(ToString::to_string).collect()
    }
}

fn backoff_text(backoff: Backoff) -> String {
    let first = ExactDuration(backoff.first);
    if backoff == Backoff::constant(backoff.first) {
        return first.to_string();
    }
    let max = ExactDuration(backoff.max);
    let Backoff { factor, jitter, .. } = backoff;
    format!("first {first}, factor {factor}, max {max}, jitter {jitter}")
}

fn outcome_text(outcome: Outcome) -> String {
    match outcome {
        Outcome::Success => "success".to_owned(),
        Outcome::Failure => "failure".to_owned(),
        Outcome::Ignored => "ignored".to_owned(),
        Outcome::TripFor(time) => format!("trip for {}", ExactDuration(time)),
    }
}

/// Appends the items of `others` that are not in `items`.
fn append<T: Clone + PartialEq>(items: &mut Vec<T>, others: &[T]) {
    for other in others {
        if !items.contains(other) {
            items.push(other.clone());
        }
    }
}

fn contains_all<T: PartialEq>(items: &[T], others: &[T]) -> bool {
    others.iter().all(|other| items.contains(other))
}

fn without<T: Clone + PartialEq>(items: &[T], others: &[T]) -> Vec<T> {
    items
        .iter()
        .filter(|item| !others.contains(item))
        .cloned()
        .collect()
}
