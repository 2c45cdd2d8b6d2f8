//! Versions: they only rise.

use super::Audit;
use crate::store::Applied;
use std::time::Duration;

/// A published record has a version above all that its writer had seen, and above all of its epoch.
pub(super) fn only_rise(
    audit: &mut Audit,
    now: Duration,
    node: usize,
    epoch: u32,
    applied: &Applied,
) {
    let name = applied.op.name();
    let version = applied.after.version;
    let record = audit.record(name);
    let is_old = record.epoch == epoch && version <= record.version;
    if applied.is_published && (is_old || version <= applied.seen) {
        let seen = applied.seen.max(record.version);
        let what = format!("{name}: n{node} wrote version {version}, and knew {seen}");
        audit.report(now, "rising versions", what);
    }
}
