//! [`transition`]: applies one operation to one record.
//!
//! The function decides everything that happens to records. Stores with scripts translate it; stores
//! without scripts run it between a read and a compare-and-swap.

use super::node::NodeId;
use super::op::{LeaseRequest, Op, Opening, Restoration, Trip};
use super::record::{Phase, Record, Vote};
use super::units::{Micros, in_micros};
use super::why::Why;
use super::word::Word;
use std::collections::HashSet;

/// What a store does with a record after an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing changed.
    None,
    /// Writes the record. Its version stays, and nothing is published.
    Keep(Record),
    /// Writes the record with a new version, and publishes it.
    Publish(Record),
    /// Removes the record, which no longer says anything. Nothing is published.
    Remove,
}

/// Applies one operation to one record.
///
/// * `record` was [read](Record::read) at `now`, the time of the store.
/// * `node` is the sender of the operation.
/// * `quorum` is the [effective quorum](Op::quorum).
///
/// # Examples
///
/// ```
/// use breakerbox_fleet::protocol::{Change, Micros, NodeId, Op, Phase, Record, Trip, Why, Word, transition};
/// use std::time::Duration;
///
/// let node = NodeId::new("web-1", "web-1-4711-0a1b2c3d").unwrap();
/// let now = Micros(1_790_000_000_000_000);
/// let op = Op::Trip {
///     name: "users-api".into(),
///     trip: Trip {
///         duration: Duration::from_secs(30),
///         at: now,
///         attempt: 0,
///         why: Why::Consecutive,
///         quorum: 1,
///         alone: false,
///         vote_ttl: Duration::from_secs(10),
///         reset_backoff_after: Duration::from_secs(30),
///     },
/// };
/// let (change, word) = transition(&Record::default(), &op, now, &node, op.quorum(1));
/// let Change::Publish(record) = change else { panic!() };
/// assert_eq!((record.phase, word), (Phase::Open, Word::Opened));
/// assert_eq!(record.left(now), Duration::from_secs(30));
/// ```
pub fn transition(
    record: &Record,
    op: &Op,
    now: Micros,
    node: &NodeId,
    quorum: u16,
) -> (Change, Word) {
    if !op.is_valid() {
        return (Change::None, Word::Bad);
    }
    match op {
        Op::Trip { trip, .. } => trip_record(record, trip, now, node, quorum),
        Op::Lease { request, .. } => lease_record(record, request, now, node),
        Op::Yield { token, .. } => yield_record(record, token, now, node),
        Op::Done { token, opening, .. } => end_lease(record, token, opening.as_ref(), now, node),
        Op::Unvote { .. } => withdraw_vote(record, now, node),
        Op::Restore { restoration, .. } => restore_record(record, restoration, now),
        Op::Close { .. } => close_by_command(record, now, node),
    }
}

fn trip_record(
    record: &Record,
    trip: &Trip,
    now: Micros,
    node: &NodeId,
    quorum: u16,
) -> (Change, Word) {
    let at = trip.at.min(now);
    if record.closed_at > at {
        return (Change::None, Word::Stale);
    }
    if record.holds(now) {
        if record.phase == Phase::Leased {
            return (Change::None, Word::Trying);
        }
        return (lengthen(record, trip, at, node), Word::Joined);
    }
    let others = live_votes(record, now, node);
    let votes = u16::try_from(others.len() + 1).unwrap_or(u16::MAX);
    if votes < quorum {
        let mut kept = record.clone();
        if record.phase == Phase::Absent {
            kept.phase = Phase::Votes;
        }
        kept.votes = others;
        kept.votes.push(Vote {
            node: node.node().to_owned(),
            cast: at,
            until: now.after(trip.vote_ttl),
        });
        return (Change::Keep(kept), Word::Voting(votes));
    }
    let closed_for = now.since(record.closed_at);
    let continues = match record.phase {
        Phase::Open | Phase::Leased => true,
        // In microseconds, like all stores.
        Phase::Closed => in_micros(closed_for) < in_micros(trip.reset_backoff_after),
        Phase::Absent | Phase::Votes => false,
    };
    let attempt = if continues {
        trip.attempt.max(record.attempt)
    } else {
        trip.attempt
    };
    let opening = Opening {
        duration: trip.duration,
        attempt,
        why: trip.why,
    };
    (
        Change::Publish(opened(record, &opening, at, node)),
        Word::Opened,
    )
}

/// Returns the votes of other nodes that count, one per node.
///
/// A vote from before the latest close describes an outage that is over.
fn live_votes(record: &Record, now: Micros, node: &NodeId) -> Vec<Vote> {
    let mut voters = HashSet::from([node.node()]);
    let mut live = Vec::new();
    for vote in &record.votes {
        let counts = vote.is_live(now) && vote.cast >= record.closed_at;
        if counts && voters.insert(&vote.node) {
            live.push(vote.clone());
        }
    }
    live
}

/// Only a hint of the instance that opened the circuit lengthens the open period. A client that is
/// limited by its own key would otherwise stop all others.
fn lengthen(record: &Record, trip: &Trip, at: Micros, node: &NodeId) -> Change {
    let until = at.after(trip.duration);
    let may_lengthen = trip.why == Why::Asked && record.by == node.instance();
    if !may_lengthen || until <= record.until {
        return Change::None;
    }
    let mut record = record.clone();
    record.until = until;
    record.duration = in_micros(trip.duration);
    Why::Asked.code().clone_into(&mut record.why);
    Change::Publish(record)
}

/// Opens the record at `at`. Deletes all votes.
fn opened(record: &Record, opening: &Opening, at: Micros, node: &NodeId) -> Record {
    Record {
        phase: Phase::Open,
        until: at.after(opening.duration),
        duration: in_micros(opening.duration),
        attempt: opening.attempt,
        by: node.instance().to_owned(),
        why: opening.why.code().to_owned(),
        closed_at: record.closed_at,
        version: record.version,
        rest: record.rest.clone(),
        ..Record::default()
    }
}

/// Closes the record. Keeps the attempt, so that the backoff of a flapping dependency continues.
fn closed(record: &Record, why: Why, now: Micros, node: &NodeId) -> Record {
    Record {
        phase: Phase::Closed,
        attempt: record.attempt,
        by: node.instance().to_owned(),
        why: why.code().to_owned(),
        closed_at: now,
        version: record.version,
        rest: record.rest.clone(),
        ..Record::default()
    }
}

fn lease_record(
    record: &Record,
    request: &LeaseRequest,
    now: Micros,
    node: &NodeId,
) -> (Change, Word) {
    let lease_until = now.after(request.duration);
    if record.phase == Phase::Leased && record.token == request.token {
        // Not published: other nodes ask when the lease would have ended.
        let mut kept = record.clone();
        kept.lease_until = lease_until;
        kept.lease_duration = in_micros(request.duration);
        let word = if record.wanted {
            Word::Wanted
        } else {
            Word::Granted
        };
        return (Change::Keep(kept), word);
    }
    let attempt = match record.phase {
        Phase::Absent | Phase::Votes => match request.opened_by_fleet {
            Some(attempt) => attempt,
            None => return (Change::None, Word::Absent),
        },
        Phase::Closed => return (Change::None, Word::Closed),
        Phase::Open if record.holds(now) => {
            let is_full = record.until == now.after_micros(record.duration);
            return (write_back(record, is_full), Word::Early);
        }
        Phase::Leased if record.holds(now) => {
            if !request.demand || record.wanted {
                let is_full = record.lease_until == now.after_micros(record.lease_duration);
                return (write_back(record, is_full), Word::Taken);
            }
            let mut wanted = record.clone();
            wanted.wanted = true;
            return (Change::Publish(wanted), Word::Taken);
        }
        Phase::Open | Phase::Leased => record.attempt,
    };
    let leased = Record {
        phase: Phase::Leased,
        attempt,
        token: request.token.clone(),
        lease_until,
        lease_duration: in_micros(request.duration),
        by: node.instance().to_owned(),
        why: Why::Lease.code().to_owned(),
        wanted: false,
        ..record.clone()
    };
    (Change::Publish(leased), Word::Granted)
}

/// Writes a record whose whole time is left, because its end may have been cut. The clock of a store
/// that is behind, or an end in the far future, would otherwise be cut anew at each read.
fn write_back(record: &Record, is_full: bool) -> Change {
    if is_full {
        Change::Keep(record.clone())
    } else {
        Change::None
    }
}

fn yield_record(record: &Record, token: &str, now: Micros, node: &NodeId) -> (Change, Word) {
    if let Some(word) = not_holding(record, token) {
        return (Change::None, word);
    }
    let freed = Record {
        phase: Phase::Open,
        until: now,
        token: String::new(),
        lease_until: Micros(0),
        lease_duration: 0,
        by: node.instance().to_owned(),
        why: Why::Yielded.code().to_owned(),
        wanted: false,
        ..record.clone()
    };
    (Change::Publish(freed), Word::Yielded)
}

fn end_lease(
    record: &Record,
    token: &str,
    opening: Option<&Opening>,
    now: Micros,
    node: &NodeId,
) -> (Change, Word) {
    // The verdict of a holder is all that is known of a circuit whose record was lost.
    let is_fenced = not_holding(record, token) == Some(Word::Fenced);
    if is_fenced {
        return (Change::None, Word::Fenced);
    }
    if let Some(opening) = opening {
        let record = opened(record, opening, now, node);
        return (Change::Publish(record), Word::Opened);
    }
    let record = closed(record, Why::Succeeded, now, node);
    (Change::Publish(record), Word::Closed)
}

/// Returns the answer to a sender that does not hold the lease, or `None` if it does.
fn not_holding(record: &Record, token: &str) -> Option<Word> {
    match record.phase {
        Phase::Absent | Phase::Votes => Some(Word::Absent),
        Phase::Leased if record.token == token => None,
        Phase::Closed | Phase::Open | Phase::Leased => Some(Word::Fenced),
    }
}

fn withdraw_vote(record: &Record, now: Micros, node: &NodeId) -> (Change, Word) {
    if record.votes.is_empty() {
        return (Change::None, Word::Unvoted);
    }
    let others = live_votes(record, now, node);
    if others.is_empty() && record.phase == Phase::Votes {
        return (Change::Remove, Word::Unvoted);
    }
    let mut kept = record.clone();
    kept.votes = others;
    (Change::Keep(kept), Word::Unvoted)
}

fn restore_record(record: &Record, restoration: &Restoration, now: Micros) -> (Change, Word) {
    if !record.phase.is_unknown() {
        let word = match record.phase {
            Phase::Closed => Word::Closed,
            Phase::Leased => Word::Trying,
            _ => Word::Joined,
        };
        return (Change::None, word);
    }
    let restored = Record {
        phase: Phase::Open,
        until: now.after(restoration.left),
        duration: in_micros(restoration.left),
        attempt: restoration.attempt,
        by: restoration.by.clone(),
        why: restoration.why.clone(),
        version: record.version,
        rest: record.rest.clone(),
        ..Record::default()
    };
    (Change::Publish(restored), Word::Restored)
}

fn close_by_command(record: &Record, now: Micros, node: &NodeId) -> (Change, Word) {
    match record.phase {
        Phase::Absent | Phase::Votes => (Change::None, Word::Absent),
        Phase::Closed => (Change::None, Word::Closed),
        Phase::Open | Phase::Leased => {
            let record = closed(record, Why::Command, now, node);
            (Change::Publish(record), Word::Closed)
        }
    }
}
