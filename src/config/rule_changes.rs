//! [`RuleChanges`]: what a layer does to the trip rules of the layers below.

use crate::rules::{RuleKind, TripRule};

/// What a layer does to the trip rules of the layers below. Equal rules count once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RuleChanges {
    /// Drops all rules below: `trip_rules`.
    replaces_all: bool,
    /// Drops the consecutive rules below: `failure_threshold`.
    replaces_consecutive: bool,
    /// The rules of this layer.
    rules: Vec<TripRule>,
}

impl RuleChanges {
    /// Returns exactly these rules, whatever lies below.
    pub(crate) fn exactly(rules: impl IntoIterator<Item = TripRule>) -> Self {
        let mut changes = Self {
            replaces_all: true,
            ..Self::default()
        };
        rules.into_iter().for_each(|rule| changes.add(rule));
        changes
    }

    /// Adds a rule.
    pub(crate) fn add(&mut self, rule: TripRule) {
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
    }

    /// Replaces the consecutive rules.
    pub(crate) fn set_failure_threshold(&mut self, failures: u32) {
        self.drop_consecutive();
        self.add(TripRule::consecutive_failures(failures));
    }

    fn drop_consecutive(&mut self) {
        self.rules.retain(|rule| !is_consecutive(rule));
        self.replaces_consecutive |= !self.replaces_all;
    }

    /// The rules of this layer; of the merged layers, the rules in force.
    pub(crate) fn rules(&self) -> &[TripRule] {
        &self.rules
    }

    /// Merges `upper` over these rules, as the methods of the builder would.
    pub(super) fn merge(&mut self, upper: &Self) {
        if upper.replaces_all {
            *self = upper.clone();
            return;
        }
        if upper.replaces_consecutive {
            self.drop_consecutive();
        }
        upper.rules.iter().for_each(|rule| self.add(*rule));
    }

    /// Whether no rule is left once `upper` is merged over these.
    pub(super) fn is_overridden_by(&self, upper: &Self) -> bool {
        let is_dropped = |rule: &TripRule| {
            upper.rules.contains(rule) || upper.replaces_consecutive && is_consecutive(rule)
        };
        let consecutive = !self.replaces_consecutive || upper.replaces_consecutive;
        upper.replaces_all || !self.replaces_all && consecutive && self.rules.iter().all(is_dropped)
    }

    /// Returns what these rules add to `earlier` ones that win, and whether they contradict them.
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

/// The same as the methods of the builder, and as the keys of a document.
#[cfg(feature = "serde")]
impl RuleChanges {
    /// Returns `trip_rules`, `failure_threshold` and `trip_when`, which make these changes in this order.
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
