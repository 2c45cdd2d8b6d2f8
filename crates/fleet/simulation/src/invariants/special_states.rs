//! Special states: no update of the fleet changes them.

use super::Audit;
use breakerbox::{Cause, State};
use std::time::Duration;

/// The fleet leaves circuits alone that are forced open, disabled or metrics-only.
pub(super) fn are_kept(
    audit: &mut Audit,
    now: Duration,
    node: usize,
    name: &str,
    (from, to): (State, State),
    cause: &Cause,
) {
    let is_special = matches!(
        from,
        State::ForcedOpen | State::Disabled | State::MetricsOnly
    );
    // What a command of an operator has disabled, the fleet enables.
    let is_own = from == State::Disabled && audit.circuit(node, name).is_disabled_by_fleet;
    if is_special && !is_own && matches!(cause, Cause::Fleet { .. }) {
        let what = format!("{name}: the fleet changed n{node} from {from} to {to}");
        audit.report(now, "special states", what);
    }
}
