//! [`RuleChanges`]: how a layer changes the trip rules of lower layers.

use crate::rules::{RuleKind, TripRule};

/// The changes that a layer makes to the trip rules of lower layers. Equal rules are stored once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RuleChanges {
    /// Whether all lower rules are removed (`trip_rules`).
    replaces_all: bool,
    /// Whether lower consecutive rules are removed (`failure_threshold`).
    replaces_consecutive: bool,
    /// The rules of this layer.
    rules: Vec<TripRule>,
}

impl RuleChanges {
    /// Creates changes that replace all lower rules by `rules`.
    pub(crate) fn exactly(rules: impl IntoIterator<Item = TripRule>) -> Self {
        let mut changes = Self {
            replaces_all: true,
            ..Self::default()
        };
        rules.into_iter().for_each(|rule| changes.add(rule));
        changes
    }

    /// Adds `rule` unless an equal rule exists.
    pub(crate) fn add(&mut self, rule: TripRule) {
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
    }

    /// Replaces all consecutive rules by one with this threshold.
    pub(crate) fn set_failure_threshold(&mut self, failures: u32) {
        let rule = TripRule::consecutive_failures(failures);
        self.replace_consecutive(&[rule]);
        self.add(rule);
    }

    /// Removes the consecutive rules that are not in `others`.
    fn replace_consecutive(&mut self, others: &[TripRule]) {
        self.rules
            .retain(|rule| !is_consecutive(rule) || others.contains(rule));
        self.replaces_consecutive |= !self.replaces_all;
    }

    /// Returns the rules of this layer. After merging, these are the rules in force.
    pub(crate) fn rules(&self) -> &[TripRule] {
        &self.rules
    }

    /// Merges `upper` over `self`, with the same result as the corresponding builder calls.
    pub(super) fn merge(&mut self, upper: &Self) {
        if upper.replaces_all {
            *self = upper.clone();
            return;
        }
        if upper.replaces_consecutive {
            self.replace_consecutive(&upper.rules);
        }
        upper.rules.iter().for_each(|rule| self.add(*rule));
    }

    /// Returns `true` if no rule of `self` remains after merging `upper` over it.
    pub(super) fn is_overridden_by(&self, upper: &Self) -> bool {
        let is_dropped = |rule: &TripRule| {
            upper.rules.contains(rule) || upper.replaces_consecutive && is_consecutive(rule)
        };
        let consecutive = !self.replaces_consecutive || upper.replaces_consecutive;
        upper.replaces_all || !self.replaces_all && consecutive && self.rules.iter().all(is_dropped)
    }

    /// Returns what `self` adds to `earlier` rules that take precedence, and whether both conflict.
    pub(super) fn split_by(&self, earlier: &Self) -> (Option<Self>, bool) {
        if self.replaces_all || earlier.replaces_all {
            return (None, self != earlier);
        }
        let both = self.replaces_consecutive && earlier.replaces_consecutive;
        let mut rest = self.clone();
        let mut contradicts = false;
        rest.rules.retain(|rule| {
            let known = earlier.rules.contains(rule);
            contradicts |= both && !known && is_consecutive(rule);
            !(known || both && is_consecutive(rule))
        });
        rest.replaces_consecutive &= !both;
        let adds = rest.replaces_consecutive || !rest.rules.is_empty();
        (adds.then_some(rest), contradicts)
    }
}

/// Conversion to the keys of a document.
#[cfg(feature = "serde")]
impl RuleChanges {
    /// Returns `trip_rules`, `failure_threshold` and `trip_when`, which express these changes when
    /// applied in this order.
    pub(crate) fn to_keys(&self) -> (Option<Vec<TripRule>>, Option<u32>, Vec<TripRule>) {
        if self.replaces_all {
            return (Some(self.rules.clone()), None, Vec::new());
        }
        let mut added = self.rules.clone();
        let threshold = self.replaces_consecutive.then(|| {
            let at = added.iter().position(is_consecutive)?;
            match added.remove(at).kind {
                RuleKind::Consecutive(failures) => Some(failures),
                _ => None,
            }
        });
        (None, threshold.flatten(), added)
    }
}

fn is_consecutive(rule: &TripRule) -> bool {
    matches!(rule.kind, RuleKind::Consecutive(_))
}
