//! [`Primary`]: the store itself, its condition, and its failovers.

use super::mutant::{StoreMutant, submit_one};
use breakerbox_fleet::protocol::{
    Answer, Command, CommandTable, Message, Micros, Op, Record, Version,
};
use breakerbox_fleet::store::{Commanded, Hello, Pulled, Submitted, Table};
use std::time::Duration;

/// How well the store works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Up,
    /// Connections are refused.
    Away,
    /// Commands wait, and are executed later, as after SIGSTOP.
    Hung,
    /// Writes fail: the store is full, or a replica.
    ReadOnly,
}

/// The store.
#[derive(Debug)]
pub struct Primary {
    /// The data.
    pub table: Table,
    pub(crate) condition: Condition,
    /// How often the store has lost or replaced its data. Some invariants compare only within one epoch.
    pub(crate) epoch: u32,
    pub(crate) mutant: Option<StoreMutant>,
    /// The time of the store at the start of the simulation, with the skew of failovers.
    origin: u64,
}

/// The first instant of the store, in microseconds.
const ORIGIN: u64 = 1_790_000_000_000_000;

/// One applied operation, for the invariants.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The operation.
    pub op: Op,
    /// The record before.
    pub before: Record,
    /// The record after.
    pub after: Record,
    /// The answer to the sender.
    pub answer: Answer,
    /// Whether subscribers were told.
    pub is_published: bool,
    /// The latest version that the sender had seen.
    pub seen: Version,
    /// The time of the store.
    pub now: Micros,
}

impl Primary {
    pub(crate) fn new(mutant: Option<StoreMutant>) -> Self {
        Self {
            table: Table::default(),
            condition: Condition::Up,
            epoch: 0,
            mutant,
            origin: ORIGIN,
        }
    }

    /// Creates a store whose time is given with each request.
    pub fn without_a_clock() -> Self {
        Self {
            origin: 0,
            ..Self::new(None)
        }
    }

    /// Returns the time of the store.
    pub(crate) fn now(&self, time: Duration) -> Micros {
        Micros(self.origin).after(time)
    }

    /// Forgets everything, as FLUSHALL does.
    pub fn flush(&mut self) {
        self.table = Table::default();
        self.epoch += 1;
    }

    /// Continues with earlier data and another clock.
    pub(crate) fn fail_over(&mut self, snapshot: Table, skew_ms: i64) {
        self.table = snapshot;
        self.origin = self.origin.saturating_add_signed(skew_ms * 1_000);
        self.epoch += 1;
    }

    /// Applies the operations of one batch, and returns its message.
    ///
    /// # Panics
    ///
    /// Panics if the table does not answer an operation.
    pub fn submit(
        &mut self,
        hello: &Hello,
        seen: Version,
        ops: &[Op],
        time: Duration,
    ) -> (Submitted, Option<Message>, Vec<Applied>) {
        let now = self.now(time);
        let (mut submitted, _) = self.table.submit(hello, seen, &[], now);
        let mut message: Option<Message> = None;
        let mut applied = Vec::with_capacity(ops.len());
        // One at a time, so that the record before and after each operation is known.
        for op in ops {
            let before = self.table.record(op.name(), hello, now);
            let (part, told) = submit_one(self.mutant, &mut self.table, hello, seen, op, now);
            let after = self.table.record(op.name(), hello, now);
            let answer = part
                .answers
                .into_iter()
                .next()
                .expect("one answer per operation");
            submitted.head = self.table.head();
            submitted.nodes = part.nodes;
            submitted.answers.push(answer.clone());
            let is_published = told.is_some();
            message = match (message, told) {
                (Some(mut message), Some(told)) => {
                    message.version = told.version;
                    message.records.extend(told.records);
                    Some(message)
                }
                (message, told) => message.or(told),
            };
            let op = op.clone();
            applied.push(Applied {
                op,
                before,
                after,
                answer,
                is_published,
                seen,
                now,
            });
        }
        (submitted, message, applied)
    }

    pub(crate) fn command(
        &mut self,
        hello: &Hello,
        seen: Version,
        command: &Command,
        time: Duration,
    ) -> (Commanded, Option<Message>) {
        let now = self.now(time);
        self.table.command(hello, seen, command, now)
    }

    /// Returns all commands.
    pub(crate) fn commands(&self, time: Duration) -> Vec<Command> {
        let now = self.now(time);
        CommandTable::read(self.table.commands(), now).commands(now)
    }

    /// Returns the records that changed, as [`Table::pull`] does.
    pub fn pull(&mut self, hello: &Hello, since: Version, limit: usize, time: Duration) -> Pulled {
        let now = self.now(time);
        if self.condition == Condition::ReadOnly {
            let mut pulled = self.table.clone().pull(hello, since, limit, now);
            pulled.read_only = Some("the store is a replica".into());
            return pulled;
        }
        self.table.pull(hello, since, limit, now)
    }
}
