//! [`Track`]: what a node knows of one circuit, and what it has done about it.

use super::known::Known;
use super::timing::Time;
use crate::protocol::{Micros, Version};
use crate::share::Share;
use breakerbox::State;
use breakerbox::fleet::{Mark, View};
use std::time::Duration;

/// What a node knows of one circuit, and what it has done about it.
// The flags are independent of each other.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug)]
pub(crate) struct Track {
    pub(crate) share: Share,
    /// What the store last said.
    pub(crate) known: Option<Known>,
    /// Whether a full pull did not find the known record.
    pub(crate) lost: bool,
    /// Whether the registry has a breaker of this name.
    pub(crate) has_breaker: bool,
    /// The mark and the state that were seen last.
    pub(crate) mark: Option<Mark>,
    pub(crate) state: State,
    /// The mark with which the latest look found nothing to do before its time.
    pub(crate) settled: Option<Mark>,
    /// When the present opening began.
    pub(crate) opened: Option<Time>,
    /// The same instant, by the clock of the store.
    pub(crate) opened_at: Option<Micros>,
    /// The version of the record that keeps this circuit open.
    pub(crate) joined: Option<Version>,
    /// Records up to this version are not applied: a local command came later.
    pub(crate) passed_over: Version,
    /// Commands of operators up to this version are not followed: a local command came later.
    pub(crate) overruled: Version,
    /// Whether the circuit follows a command of an operator.
    pub(crate) obedience: Obedience,
    /// The openings up to this version that were reported as ignored.
    pub(crate) ignored: Version,
    /// What became of the report of the present opening.
    pub(crate) report: Report,
    /// Until when the present opening was announced.
    pub(crate) announced: Time,
    /// Whether the store may have a vote of this node.
    pub(crate) voted: bool,
    /// The version of the close for which a stale trip has closed this circuit.
    pub(crate) stale_closed: Version,
    pub(crate) lease: Option<Lease>,
    /// The token of the request for a lease that has no definite answer yet.
    pub(crate) token: Option<String>,
    /// When to ask for a lease, and the end of the open period for which that was planned.
    pub(crate) plan: Option<Plan>,
    /// Refused calls beyond this number are demand. `None` if there is demand already.
    pub(crate) baseline: Option<u64>,
    pub(crate) last_trial_failed: bool,
    /// The version of the record from which this circuit recovered without a lease.
    pub(crate) recovered: Option<Version>,
    /// Whether the store did not apply the latest request for a lease. Time alone half-opens then.
    pub(crate) lease_failed: bool,
    /// When to follow a close of the fleet.
    pub(crate) close_at: Option<Time>,
    /// When to restore the lost record.
    pub(crate) restore_at: Option<Time>,
    /// When to send again after a failure.
    pub(crate) retry_at: Time,
}

/// What became of the report of an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The store has not answered yet.
    Pending,
    /// The trip is a vote that is sent again at this time.
    Voted { again: Time },
    /// The fleet has opened the circuit.
    Joined,
    /// The opening followed the fleet, and is never reported.
    Adopted,
    /// The opening stays local.
    Local,
}

/// Whether a circuit follows a command of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obedience {
    /// There is no command.
    None,
    Follows,
    /// A local command came later.
    Overruled,
}

/// A planned request for a lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) floor: Time,
    pub(crate) ask_at: Time,
}

/// The lease of a half-open period.
// The flags are independent of each other.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) token: String,
    pub(crate) renew_at: Time,
    /// When an unrenewed lease counts as lost: before its end.
    pub(crate) lost_at: Time,
    /// Whether another node waits.
    pub(crate) wanted: bool,
    /// Whether the circuit was half-opened for this lease.
    pub(crate) trying: bool,
    /// Whether the trials have failed. The lease is kept until the store knows.
    pub(crate) failed: bool,
    /// Whether the lease is given back. No trial starts any more.
    pub(crate) yielding: bool,
    /// When a trial was last seen, and the figures by which it is seen.
    pub(crate) active_at: Time,
    pub(crate) refused: u64,
    pub(crate) trials_left: u32,
}

impl Lease {
    /// Creates a lease that was requested or renewed at `sent`.
    pub(crate) fn new(token: String, now: Time) -> Self {
        Self {
            token,
            renew_at: now,
            lost_at: now,
            wanted: false,
            trying: false,
            failed: false,
            yielding: false,
            active_at: now,
            refused: 0,
            trials_left: 0,
        }
    }

    /// Counts the lease from the time of sending: the store has granted it later.
    pub(crate) fn renew(&mut self, sent: Time, length: Duration, wanted: bool) {
        self.renew_at = sent + length / 3;
        self.lost_at = sent + length * 4 / 5;
        self.wanted = wanted;
    }

    /// Notes whether trials run.
    pub(crate) fn note_activity(&mut self, view: &View, now: Time) {
        let is_active = view.in_flight > 0
            || view.waiting > 0
            || view.refused > self.refused
            || view.trials_left < self.trials_left;
        self.refused = view.refused;
        self.trials_left = view.trials_left;
        if is_active {
            self.active_at = now;
        }
    }
}

impl Track {
    pub(crate) fn new(share: Share) -> Self {
        Self {
            share,
            known: None,
            lost: false,
            has_breaker: false,
            mark: None,
            state: State::Closed,
            settled: None,
            opened: None,
            opened_at: None,
            joined: None,
            passed_over: Version(0),
            overruled: Version(0),
            obedience: Obedience::None,
            ignored: Version(0),
            report: Report::Pending,
            announced: Time::ZERO,
            voted: false,
            stale_closed: Version(0),
            lease: None,
            token: None,
            plan: None,
            baseline: Some(0),
            last_trial_failed: false,
            recovered: None,
            lease_failed: false,
            close_at: None,
            restore_at: None,
            retry_at: Time::ZERO,
        }
    }

    /// Returns the version of the known record, or zero.
    pub(crate) fn version(&self) -> Version {
        self.known
            .as_ref()
            .map_or(Version(0), |known| known.version)
    }

    /// Whether calls wait for the circuit to recover.
    pub(crate) fn has_demand(&self, view: &View) -> bool {
        view.waiting > 0 || self.baseline.is_none_or(|baseline| view.refused > baseline)
    }

    /// Forgets everything except what the store said.
    pub(crate) fn leave(&mut self) {
        self.joined = None;
        self.token = None;
        self.plan = None;
        self.close_at = None;
        self.restore_at = None;
        self.lease_failed = false;
    }

    /// Sets how far the circuit is shared. A vote is sent again, because it contains the quorum.
    pub(crate) fn set_share(&mut self, share: Share) {
        if self.share != share {
            self.share = share;
            self.announce_again();
        }
    }

    /// Whether the circuit is local, and the store has nothing of this node.
    pub(crate) fn has_left(&self) -> bool {
        self.share == Share::local() && self.lease.is_none() && !self.voted
    }

    /// Whether the track says nothing that a new one would not say.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_none()
            && self.lease.is_none()
            && !self.voted
            && self.joined.is_none()
            && self.passed_over == Version(0)
            && self.overruled == Version(0)
            && self.obedience == Obedience::None
            && self.opened.is_none()
    }
}
