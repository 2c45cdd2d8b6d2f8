//! Trips: of the own circuit, and not older than the latest close.

use super::Audit;
use crate::store::Applied;
use breakerbox_fleet::protocol::{Op, Word};
use std::time::Duration;

/// A node never takes an opening for later than it was. Earlier is allowed: a late reply makes it so.
const TOLERANCE: Duration = Duration::from_millis(50);

/// An opening from before the latest close of the fleet's circuit does not open it again.
pub(super) fn not_older_than_the_close(
    audit: &mut Audit,
    now: Duration,
    node: usize,
    epoch: u32,
    applied: &Applied,
) {
    let Op::Trip { name, trip } = &applied.op else {
        return;
    };
    if applied.answer.word != Word::Opened {
        return;
    }
    let closed = audit
        .record(name)
        .closed
        .filter(|closed| closed.epoch == epoch);
    let Some(closed) = closed else { return };
    let opening = audit.circuit(node, name).own_openings.last().copied();
    let is_older = opening.is_some_and(|opening| opening < closed.at);
    if is_older || trip.at < closed.by_store {
        let what = format!(
            "{name}: a trip of n{node} from before the close at {:?}",
            closed.at
        );
        audit.report(now, "no stale opening", what);
    }
}

/// A node announces only openings of its own rules: adopted state is never published.
pub(super) fn announces_only_own_openings(
    audit: &mut Audit,
    now: Duration,
    node: usize,
    applied: &Applied,
) {
    let Op::Trip { name, trip } = &applied.op else {
        return;
    };
    let age = applied.now.since(trip.at);
    // The clock of the store has changed, so the age says nothing.
    if audit.epoch > 0 && audit.epoch_since + Duration::from_secs(30) > now {
        return;
    }
    let at = now.saturating_sub(age);
    let openings = &audit.circuit(node, name).own_openings;
    let is_own = openings
        .iter()
        .any(|opening| *opening + TOLERANCE > at && *opening <= now);
    if !is_own {
        let what = format!("{name}: n{node} announces an opening {age:?} ago that it did not have");
        audit.report(now, "own trips", what);
    }
}
