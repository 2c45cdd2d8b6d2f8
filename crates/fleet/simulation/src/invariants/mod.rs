//! The invariants of a fleet, checked at each step.
//!
//! An [`Audit`] keeps its own account of what the store granted and of what the circuits did. It never
//! looks at the whole fleet, so that a step costs what it changes. Only the agreement of all nodes is
//! checked at points in time.
//!
//! | invariant | excluded |
//! |---|---|
//! | 1. [one holder](leases::one_holder) | leases of an earlier epoch of the store |
//! | 1. [no trial after its lease](trials::ends_with_its_lease) | `half_open_calls` trials of a node that was paused |
//! | 2. [no trial without a lease](trials::needs_a_lease) | nodes linked for less than grace + lease, or paused within that time; circuits below the quorum, or with a local command; policies that do not adopt |
//! | 3. [no early grant](leases::not_before_the_end) | records of an earlier epoch |
//! | 4. [no stale opening](trips::not_older_than_the_close) | closes of an earlier epoch |
//! | 5. [rising versions](versions::only_rise) | between epochs: versions that the writer had not seen |
//! | 6. [agreement](agreement::disagreement) | nodes that are down or paused; local commands; policies that do not adopt; records that changed within 1.5 s |
//! | 7. recovery | nodes with a bad path, or with less than one call per second |
//! | 8. a store that never comes is like no fleet | compared in `tests/alone.rs` |
//! | 9. [special states](special_states::are_kept) | none |
//! | 10. [commands](commands::survive), [followed](commands::is_followed) | commands that end within 0.1 s |
//! | 10. [closes](commands::has_closed) | stores that lost or replaced their data since |
//! | 11. [bounds](bounds::excess) | none |
//! | 12. [messages](messages::tell_real_changes) | an opening that was over when it arrived |
//! | 12. [own trips](trips::announces_only_own_openings) | 30 s after the store lost or replaced its data |
//!
//! An *epoch* begins when the store loses or replaces its data.

pub(crate) mod agreement;
pub(crate) mod bounds;
pub(crate) mod commands;
mod leases;
mod messages;
mod reach;
mod special_states;
mod trials;
mod trips;
mod versions;

pub use reach::Reach;

use crate::store::Applied;
use breakerbox::fleet::CauseKind;
use breakerbox::{Cause, State};
use breakerbox_fleet::protocol::{Command, Micros, Phase, RecordView, Version, Word};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How long a node may take to act on what has arrived.
const REACTION: Duration = Duration::from_millis(100);

/// A broken invariant.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The time since the start of the simulation.
    pub at: Duration,
    /// The name of the invariant.
    pub invariant: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (
            at,
            Self {
                invariant, what, ..
            },
        ) = (self.at.as_secs_f64(), self);
        write!(f, "{at:.3}: {invariant}: {what}")
    }
}

/// The account of the checker.
#[derive(Debug)]
pub struct Audit {
    /// The broken invariants, at most 20.
    pub violations: Vec<Violation>,
    /// What was counted.
    pub figures: Figures,
    grace: Duration,
    lease: Duration,
    half_open_calls: u32,
    pub(crate) reach: Reach,
    records: BTreeMap<String, RecordModel>,
    nodes: Vec<NodeModel>,
    epoch_since: Duration,
    epoch: u32,
}

/// What the checker counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Trips that opened a circuit of the fleet.
    pub opened: u64,
    /// Closes of a circuit of the fleet.
    pub closed: u64,
    /// Trips that were too old.
    pub stale: u64,
    /// Granted leases.
    pub leases: u64,
    /// Records that were announced to a store that had lost them.
    pub restored: u64,
    /// Trials with a lease.
    pub leased_trials: u64,
    /// Trials without a lease.
    pub local_trials: u64,
    /// Openings by the fleet.
    pub adopted: u64,
}

impl Figures {
    /// Adds the figures of another run.
    pub fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.closed += other.closed;
        self.stale += other.stale;
        self.leases += other.leases;
        self.restored += other.restored;
        self.leased_trials += other.leased_trials;
        self.local_trials += other.local_trials;
        self.adopted += other.adopted;
    }
}

/// What the checker knows of a record.
#[derive(Clone, Debug, Default)]
struct RecordModel {
    phase: Phase,
    version: Version,
    epoch: u32,
    /// When the record was published last.
    since: Duration,
    /// The end of the open period.
    until: Micros,
    lease: Option<LeaseModel>,
    closed: Option<Closed>,
}

#[derive(Clone, Debug)]
struct LeaseModel {
    node: usize,
    token: String,
    /// The end by the store's clock.
    until: Micros,
    /// The end by the time of the simulation.
    ends: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    at: Duration,
    by_store: Micros,
    epoch: u32,
}

/// What the checker knows of a node.
#[derive(Clone, Debug, Default)]
struct NodeModel {
    circuits: BTreeMap<String, CircuitModel>,
    resumed: Duration,
    adopts: bool,
    commands: commands::CommandsModel,
}

#[derive(Clone, Debug, Default)]
struct CircuitModel {
    /// The latest record that the network delivered.
    known: Option<Known>,
    /// The latest openings with a cause of the node.
    own_openings: Vec<Duration>,
    /// The lease that the node had last, until its verdict.
    lease: Option<LeaseModel>,
    trials_since_resumed: u32,
    has_command: bool,
    /// Whether a command of an operator has disabled the circuit.
    is_disabled_by_fleet: bool,
    /// When the circuit opened, or last opened again.
    opened: Duration,
    /// When the present half-open period began, if it has a lease.
    half_open: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    version: Version,
    phase: Phase,
    at: Duration,
    /// The end of the open period or of the lease.
    end: Duration,
}

impl Audit {
    /// Creates the account of a fleet whose nodes have the same settings.
    pub fn new(nodes: usize, grace: Duration, lease: Duration, half_open_calls: u32) -> Self {
        Self {
            violations: Vec::new(),
            figures: Figures::default(),
            grace,
            lease,
            half_open_calls,
            reach: Reach::default(),
            records: BTreeMap::new(),
            nodes: vec![
                NodeModel {
                    adopts: true,
                    ..NodeModel::default()
                };
                nodes
            ],
            epoch_since: Duration::ZERO,
            epoch: 0,
        }
    }

    /// Reports a broken invariant.
    pub fn report(&mut self, at: Duration, invariant: &'static str, what: String) {
        // The first ones explain the later ones.
        let mut known = self.violations.iter();
        let is_known = known.any(|known| known.invariant == invariant && known.what == what);
        if self.violations.len() < 20 && !is_known {
            self.violations.push(Violation {
                at,
                invariant,
                what,
            });
        }
    }

    /// Sets whether a node adopts the state of the fleet.
    pub fn set_adopts(&mut self, node: usize, adopts: bool) {
        self.nodes[node].adopts = adopts;
    }

    fn circuit(&mut self, node: usize, name: &str) -> &mut CircuitModel {
        let circuits = &mut self.nodes[node].circuits;
        if !circuits.contains_key(name) {
            circuits.insert(name.to_owned(), CircuitModel::default());
        }
        circuits.get_mut(name).expect("the circuit was inserted")
    }

    /// Returns the state of a record, and when it was published last.
    pub fn record_since(&self, name: &str) -> (Phase, Duration) {
        let record = self.records.get(name);
        record.map_or_else(Default::default, |record| (record.phase, record.since))
    }

    /// Returns `true` if the latest command at the circuit was a local one.
    pub fn has_command(&mut self, node: usize, name: &str) -> bool {
        self.circuit(node, name).has_command
    }

    fn record(&mut self, name: &str) -> &mut RecordModel {
        if !self.records.contains_key(name) {
            self.records.insert(name.to_owned(), RecordModel::default());
        }
        self.records.get_mut(name).expect("the record was inserted")
    }

    /// The store applied an operation.
    pub fn applied(&mut self, now: Duration, node: usize, epoch: u32, applied: &Applied) {
        let name = applied.op.name();
        self.count(applied);
        leases::one_holder(self, now, node, epoch, applied);
        leases::not_before_the_end(self, now, node, epoch, applied);
        trips::not_older_than_the_close(self, now, node, epoch, applied);
        trips::announces_only_own_openings(self, now, node, applied);
        versions::only_rise(self, now, node, epoch, applied);
        messages::tell_real_changes(self, now, node, applied);
        self.learn(now, node, epoch, name, applied);
    }

    fn count(&mut self, applied: &Applied) {
        let is_new = applied.before.token != applied.after.token;
        match applied.answer.word {
            Word::Opened => self.figures.opened += 1,
            Word::Closed if applied.is_published => self.figures.closed += 1,
            Word::Stale => self.figures.stale += 1,
            Word::Granted if is_new => self.figures.leases += 1,
            Word::Restored => self.figures.restored += 1,
            _ => {}
        }
    }

    fn learn(&mut self, now: Duration, node: usize, epoch: u32, name: &str, applied: &Applied) {
        let after = &applied.after;
        let lease = (after.phase == Phase::Leased).then(|| LeaseModel {
            node,
            token: after.token.clone(),
            until: after.lease_until,
            ends: now + after.lease_until.since(applied.now),
        });
        let record = self.record(name);
        if record.epoch != epoch {
            // Leases and versions of another epoch say nothing.
            (record.lease, record.version) = (None, Version(0));
        }
        if applied.is_published || record.phase != after.phase {
            record.since = now;
        }
        if after.phase == Phase::Closed && applied.before.phase != Phase::Closed {
            record.closed = Some(Closed {
                at: now,
                by_store: applied.now,
                epoch,
            });
        }
        record.phase = after.phase;
        record.version = record.version.max(after.version);
        record.epoch = epoch;
        record.until = after.until;
        let is_own = matches!(applied.answer.word, Word::Granted | Word::Wanted);
        match (&lease, &mut record.lease) {
            // The demand of another node changes nothing for the holder.
            (Some(_), Some(_)) if !is_own => {}
            (_, known) => *known = lease.clone().filter(|_| is_own),
        }
        if is_own {
            self.circuit(node, name).lease = lease;
        } else if matches!(
            applied.answer.word,
            Word::Opened | Word::Closed | Word::Yielded | Word::Fenced
        ) {
            self.circuit(node, name).lease = None;
        }
    }

    /// The store has lost or replaced its data.
    pub fn epoch_began(&mut self, now: Duration, epoch: u32) {
        self.epoch = epoch;
        self.epoch_since = now;
    }

    /// The network delivered records to a node.
    pub fn delivered<'a>(
        &mut self,
        now: Duration,
        node: usize,
        views: impl Iterator<Item = &'a RecordView>,
    ) {
        for view in views {
            let is_over = view.left.is_zero();
            let end = if is_over {
                Duration::ZERO
            } else {
                now + view.left
            };
            let known = &mut self.circuit(node, &view.name).known;
            let is_newer = known.is_none_or(|known| known.version < view.version);
            if view.phase.is_unknown() {
                *known = None;
            } else if is_newer {
                *known = Some(Known {
                    version: view.version,
                    phase: view.phase,
                    at: now,
                    end,
                });
            }
        }
    }

    /// Returns the names of the circuits of a pattern that are open in the store.
    pub(crate) fn open_records(&self, pattern: &str) -> Vec<String> {
        let records = self.records.iter().filter(|(name, record)| {
            let is_open = matches!(record.phase, Phase::Open | Phase::Leased);
            is_open && record.epoch == self.epoch && Command::matches(pattern, name)
        });
        records.map(|(name, _)| name.clone()).collect()
    }

    /// The network delivered all commands of the store to a node.
    pub(crate) fn delivered_commands(&mut self, now: Duration, node: usize, commands: &[Command]) {
        commands::delivered(self, now, node, commands);
    }

    /// The node reads all records anew.
    pub fn forgot(&mut self, node: usize) {
        let circuits = self.nodes[node].circuits.values_mut();
        circuits.for_each(|circuit| circuit.known = None);
    }

    /// The node starts, without a memory.
    pub fn started(&mut self, node: usize) {
        for circuit in self.nodes[node].circuits.values_mut() {
            // Trips of the earlier run may still be on their way.
            let own_openings = std::mem::take(&mut circuit.own_openings);
            *circuit = CircuitModel {
                own_openings,
                ..CircuitModel::default()
            };
        }
        self.nodes[node].resumed = Duration::ZERO;
        self.nodes[node].commands = commands::CommandsModel::default();
    }

    /// The node continues after a pause.
    pub fn resumed(&mut self, now: Duration, node: usize) {
        self.nodes[node].resumed = now;
        let circuits = self.nodes[node].circuits.values_mut();
        circuits.for_each(|circuit| circuit.trials_since_resumed = 0);
    }

    /// A circuit of a node changed its state.
    pub fn changed(
        &mut self,
        now: Duration,
        node: usize,
        name: &str,
        (from, to): (State, State),
        cause: &Cause,
    ) {
        special_states::are_kept(self, now, node, name, (from, to), cause);
        self.reach.changed(now, node, name, to);
        let is_fleet = matches!(cause, Cause::Fleet { .. });
        if is_fleet && cause.kind() == CauseKind::Manual {
            commands::is_followed(self, now, node, name, to);
        }
        let circuit = self.circuit(node, name);
        circuit.is_disabled_by_fleet = to == State::Disabled && is_fleet;
        if matches!(cause, Cause::Manual { .. }) {
            circuit.has_command = true;
        } else if to == State::Closed {
            circuit.has_command = false;
        }
        if to == State::Open && !is_fleet {
            if circuit.own_openings.len() == 8 {
                circuit.own_openings.remove(0);
            }
            circuit.own_openings.push(now);
        }
        circuit.half_open = (to == State::HalfOpen && is_fleet).then_some(now);
        if to == State::Open {
            circuit.opened = now;
        }
        if to == State::Open && is_fleet {
            self.figures.adopted += 1;
        }
    }

    /// A circuit of a node admitted a trial. `linked` is the time since the node was connected, by its
    /// own account.
    pub fn trial_started(
        &mut self,
        now: Duration,
        node: usize,
        name: &str,
        linked: Option<Duration>,
    ) {
        trials::ends_with_its_lease(self, now, node, name);
        trials::needs_a_lease(self, now, node, name, linked);
        if trials::holds(self, now, node, name) {
            self.figures.leased_trials += 1;
        } else {
            self.figures.local_trials += 1;
        }
        self.circuit(node, name).trials_since_resumed += 1;
    }
}
