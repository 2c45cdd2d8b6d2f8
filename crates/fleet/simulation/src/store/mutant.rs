//! [`StoreMutant`]: a store with one fault, which the invariants must find.

use breakerbox_fleet::protocol::{
    Answer, Message, Micros, Op, Phase, Record, RecordView, Version, Word,
};
use breakerbox_fleet::store::{Hello, Submitted, Table};

/// A store with one fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMutant {
    /// The verdict of a node that lost its lease counts.
    NoFence,
    /// A trip from before the latest close opens the circuit.
    NoStaleCheck,
    /// A close in the future rejects every trip.
    CloseInFuture,
    /// A lease is granted before the end of the open period.
    EarlyGrant,
    /// A lease is granted although another node holds it.
    GreedyLease,
    /// Each trip opens the circuit at once.
    QuorumIgnored,
    /// Votes survive the opening that they caused.
    VotesKept,
    /// A node cannot withdraw its vote.
    UnvoteIgnored,
    /// A request for the lease of a lost record is answered as closed.
    AbsentIsClosed,
    /// A verdict on a lost record does not count.
    AbsentIsFenced,
    /// A close forgets the attempt of the backoff.
    CloseForgetsAttempt,
    /// The hint of any node lengthens the open period.
    AnyoneLengthens,
    /// The versions of a store start again after a failover.
    SeenIgnored,
    /// Each renewal is published.
    RenewalsPublished,
}

impl StoreMutant {
    /// All mutants.
    pub const ALL: [Self; 14] = [
        Self::NoFence,
        Self::NoStaleCheck,
        Self::CloseInFuture,
        Self::EarlyGrant,
        Self::GreedyLease,
        Self::QuorumIgnored,
        Self::VotesKept,
        Self::UnvoteIgnored,
        Self::AbsentIsClosed,
        Self::AbsentIsFenced,
        Self::CloseForgetsAttempt,
        Self::AnyoneLengthens,
        Self::SeenIgnored,
        Self::RenewalsPublished,
    ];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoFence => "no_fence",
            Self::NoStaleCheck => "no_stale_check",
            Self::CloseInFuture => "close_in_future",
            Self::EarlyGrant => "early_grant",
            Self::GreedyLease => "taken_lease",
            Self::QuorumIgnored => "quorum_ignored",
            Self::VotesKept => "votes_kept",
            Self::UnvoteIgnored => "unvote_ignored",
            Self::AbsentIsClosed => "absent_is_closed",
            Self::AbsentIsFenced => "absent_is_fenced",
            Self::CloseForgetsAttempt => "close_forgets_attempt",
            Self::AnyoneLengthens => "anyone_lengthens",
            Self::SeenIgnored => "seen_ignored",
            Self::RenewalsPublished => "renewals_published",
        }
    }
}

/// Applies one operation, with the fault of `mutant`.
pub(super) fn submit_one(
    mutant: Option<StoreMutant>,
    table: &mut Table,
    hello: &Hello,
    seen: Version,
    op: &Op,
    now: Micros,
) -> (Submitted, Option<Message>) {
    let Some(mutant) = mutant else {
        return table.submit(hello, seen, std::slice::from_ref(op), now);
    };
    let mut op = op.clone();
    let mut seen = seen;
    let name = op.name().to_owned();
    let before = table.record(&name, hello, now);
    match mutant {
        StoreMutant::NoFence => op = without_fence(op, &before),
        StoreMutant::NoStaleCheck => {
            if let Op::Trip { trip, .. } = &mut op {
                trip.at = Micros(u64::MAX);
            }
        }
        StoreMutant::EarlyGrant
            if matches!(op, Op::Lease { .. }) && before.phase == Phase::Open =>
        {
            let ended = Record {
                until: now,
                ..before.clone()
            };
            table.put(&name, &ended.to_string(), before.version);
        }
        StoreMutant::GreedyLease
            if matches!(op, Op::Lease { .. }) && before.phase == Phase::Leased =>
        {
            let ended = Record {
                lease_until: now,
                ..before.clone()
            };
            table.put(&name, &ended.to_string(), before.version);
        }
        StoreMutant::QuorumIgnored => {
            if let Op::Trip { trip, .. } = &mut op {
                trip.quorum = 1;
            }
        }
        StoreMutant::AnyoneLengthens
            if matches!(op, Op::Trip { .. }) && before.phase == Phase::Open =>
        {
            let by = hello.node.instance().to_owned();
            let own = Record {
                by,
                ..before.clone()
            };
            table.put(&name, &own.to_string(), before.version);
        }
        StoreMutant::SeenIgnored => seen = Version(0),
        _ => {}
    }
    if let Some(word) = refusal(mutant, &op, &before, closed_at(table, &name) > now) {
        let (mut submitted, _) = table.submit(hello, seen, &[], now);
        let mut view = RecordView::of(&name, &before, now);
        if word == Word::Closed {
            (view.phase, view.version) = (Phase::Closed, submitted.head);
        }
        submitted.answers.push(Answer { word, view });
        return (submitted, None);
    }
    let (submitted, mut message) = table.submit(hello, seen, std::slice::from_ref(&op), now);
    let after = table.record(&name, hello, now);
    match mutant {
        StoreMutant::VotesKept if message.is_some() && after.phase != Phase::Leased => {
            let kept = Record {
                votes: before.votes,
                ..after.clone()
            };
            table.put(&name, &kept.to_string(), after.version);
        }
        StoreMutant::CloseForgetsAttempt if after.phase == Phase::Closed => {
            let closed = Record {
                attempt: 0,
                ..after.clone()
            };
            table.put(&name, &closed.to_string(), after.version);
        }
        StoreMutant::RenewalsPublished if message.is_none() && after.phase == Phase::Leased => {
            if matches!(op, Op::Lease { .. }) {
                message = Some(republished(table, hello, &name, &after, now));
            }
        }
        _ => {}
    }
    (submitted, message)
}

/// Returns the answer to an operation that the mutant does not apply.
fn refusal(mutant: StoreMutant, op: &Op, before: &Record, in_future: bool) -> Option<Word> {
    let is_lost = before.phase.is_unknown();
    match (mutant, op) {
        (StoreMutant::CloseInFuture, Op::Trip { .. }) if in_future => Some(Word::Stale),
        (StoreMutant::UnvoteIgnored, Op::Unvote { .. }) => Some(Word::Unvoted),
        (StoreMutant::AbsentIsClosed, Op::Lease { .. }) if is_lost => Some(Word::Closed),
        (StoreMutant::AbsentIsFenced, Op::Done { .. }) if is_lost => Some(Word::Fenced),
        _ => None,
    }
}

/// A verdict without the token of the lease counts.
fn without_fence(op: Op, before: &Record) -> Op {
    match op {
        Op::Done { name, opening, .. } if before.phase == Phase::Leased => {
            let token = before.token.clone();
            Op::Done {
                name,
                token,
                opening,
            }
        }
        Op::Done {
            name,
            opening: None,
            ..
        } if before.phase == Phase::Open => Op::Close { name },
        Op::Yield { name, .. } if before.phase == Phase::Leased => {
            let token = before.token.clone();
            Op::Yield { name, token }
        }
        op => op,
    }
}

/// Returns the time of the latest close as it is written, even if it lies in the future.
fn closed_at(table: &Table, name: &str) -> Micros {
    let mut records = table.records();
    let text = records
        .find(|(record, _)| *record == name)
        .map(|(_, text)| text);
    let field = text.and_then(|text| text.split(' ').nth(10));
    Micros(field.and_then(|field| field.parse().ok()).unwrap_or(0))
}

fn republished(
    table: &mut Table,
    hello: &Hello,
    name: &str,
    record: &Record,
    now: Micros,
) -> Message {
    let previous = table.head();
    let version = Version::next(previous, Version(0), now);
    let record = Record {
        version,
        ..record.clone()
    };
    table.put(name, &record.to_string(), version);
    table.set_head(version);
    Message {
        previous,
        version,
        instance: hello.node.instance().to_owned(),
        has_commands: false,
        records: vec![RecordView::of(name, &record, now)],
    }
}
