//! Messages: one for each real change, and none otherwise.

use super::Audit;
use crate::store::Applied;
use breakerbox_fleet::protocol::{Phase, Record};
use std::time::Duration;

/// A published record says something new.
pub(super) fn tell_real_changes(audit: &mut Audit, now: Duration, node: usize, applied: &Applied) {
    let said = |record: &Record| {
        let Record {
            phase,
            attempt,
            wanted,
            until,
            ..
        } = *record;
        (
            phase,
            attempt,
            wanted,
            until,
            record.token.clone(),
            record.why.clone(),
        )
    };
    let Applied {
        before, after, op, ..
    } = applied;
    // An opening that was over when it arrived, and arrives once more.
    let is_over = after.phase == Phase::Open && after.until < applied.now;
    if applied.is_published && !is_over && said(before) == said(after) {
        let what = format!("{}: n{node} published a record without a change", op.name());
        audit.report(now, "messages", what);
    }
}
