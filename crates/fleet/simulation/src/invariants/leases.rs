//! Leases: one holder at a time, and none before the end of the open period.

use super::Audit;
use crate::store::Applied;
use breakerbox_fleet::protocol::{Op, Phase, Word};
use std::time::Duration;

/// Returns `true` if the store granted a lease that the sender did not have.
fn is_new_grant(applied: &Applied) -> bool {
    matches!(applied.answer.word, Word::Granted | Word::Wanted) && applied.is_published
}

/// No two nodes hold a lease of one circuit at the same time.
pub(super) fn one_holder(
    audit: &mut Audit,
    now: Duration,
    node: usize,
    epoch: u32,
    applied: &Applied,
) {
    let name = applied.op.name();
    let record = audit.record(name);
    let (known, known_epoch) = (record.lease.clone(), record.epoch);
    let Some(lease) = known.filter(|_| known_epoch == epoch) else {
        return;
    };
    let is_running = lease.until > applied.now && lease.token != applied.after.token;
    let holder = lease.node;
    if is_new_grant(applied) && is_running {
        let what = format!("{name}: lease for n{node} while n{holder} holds one");
        audit.report(now, "one holder", what);
    }
    // Only the holder and a command end a lease. A node that lost its lease has no verdict.
    let has_verdict = matches!(
        applied.answer.word,
        Word::Closed | Word::Opened | Word::Yielded
    );
    let is_command = matches!(applied.op, Op::Close { .. });
    if has_verdict && !is_command && applied.is_published && is_running && node != holder {
        let what = format!("{name}: verdict of n{node} while n{holder} holds the lease");
        audit.report(now, "one holder", what);
    }
}

/// No lease is granted before the end of the open period.
pub(super) fn not_before_the_end(
    audit: &mut Audit,
    now: Duration,
    node: usize,
    epoch: u32,
    applied: &Applied,
) {
    let name = applied.op.name();
    let record = audit.record(name);
    let is_early =
        record.phase == Phase::Open && record.epoch == epoch && record.until > applied.now;
    if is_new_grant(applied) && is_early {
        let left = record.until.since(applied.now);
        let what = format!("{name}: lease for n{node}, {left:?} before the end");
        audit.report(now, "no early grant", what);
    }
}
