//! [`Closing`]: a command that closes the circuits of a pattern, on its way.

use super::Planner;
use super::context::Context;
use super::learn::Source;
use super::pulls::{Page, Pull};
use super::timing::Time;
use crate::protocol::{Answer, Command, Op, Phase, Why, Word};
use crate::store::{Pulled, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A command that closes the circuits of a pattern, on its way.
///
/// What this node knows may be old, and is bounded. A full pull therefore reads all records, and those
/// that are open are closed in batches. An operation without an answer is sent again: a circuit that is
/// closed already stays as it is.
#[derive(Debug)]
pub(crate) struct Closing {
    pattern: String,
    stage: Stage,
    /// The circuits that were open, and that the store has not closed yet.
    open: BTreeSet<Arc<str>>,
    closed: usize,
    /// Why the store could not close a circuit.
    failure: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits for a full pull that begins after the command.
    Waiting,
    /// Reads the pages of that pull.
    Reading,
    /// All records were read.
    Read,
}

impl Closing {
    fn new(pattern: &str) -> Self {
        Self {
            pattern: pattern.to_owned(),
            stage: Stage::Waiting,
            open: BTreeSet::new(),
            closed: 0,
            failure: None,
        }
    }

    /// Reads a page of the pull.
    fn read(&mut self, pulled: &Pulled) {
        if self.stage != Stage::Reading {
            return;
        }
        let records = pulled.records.iter().filter(|record| {
            let is_open = matches!(record.phase, Phase::Open | Phase::Leased);
            is_open && Command::matches(&self.pattern, &record.name)
        });
        self.open
            .extend(records.map(|record| record.name.as_str().into()));
    }

    fn answered(&mut self, name: &str, answer: &Answer, cx: &mut Context) {
        self.open.remove(name);
        match &answer.word {
            // A verdict may have come first.
            Word::Closed if answer.view.why == Why::Command.code() => {
                self.closed += 1;
                cx.note_published(&answer.view.why);
            }
            Word::Failed(reason) => self.failure = Some(reason.clone()),
            _ => {}
        }
    }
}

impl Planner {
    /// Begins to close the circuits of a pattern, in place of an earlier pattern.
    pub(super) fn begin_close(&mut self, pattern: &str) {
        self.closing = Some(Closing::new(pattern));
        self.pulls.force_full();
    }

    /// Gives up a close. The circuits that are left stay open.
    pub(crate) fn stop_closing(&mut self) {
        self.closing = None;
    }

    /// Returns how many circuits the store has closed, once all circuits of a close are answered.
    pub(crate) fn take_closed(&mut self) -> Option<Result<usize, StoreError>> {
        let is_done =
            |closing: &mut Closing| closing.stage == Stage::Read && closing.open.is_empty();
        let closing = self.closing.take_if(is_done)?;
        Some(match closing.failure {
            Some(reason) => Err(StoreError::ReadOnly(reason)),
            None => Ok(closing.closed),
        })
    }

    /// Notes the begin of a pull.
    pub(super) fn note_pull_of_close(&mut self, pull: Pull) {
        if let Some(closing) = self.closing.as_mut().filter(|_| pull.full) {
            closing.open.clear();
            closing.stage = Stage::Reading;
        }
    }

    /// Reads a page of a pull for a close.
    pub(super) fn read_for_close(&mut self, pulled: &Pulled, page: Page) {
        let Some(closing) = &mut self.closing else {
            return;
        };
        closing.read(pulled);
        match closing.stage {
            Stage::Reading if page == Page::Last => closing.stage = Stage::Read,
            // The pull that has ended began before the command.
            Stage::Waiting if page == Page::Last => self.pulls.force_full(),
            _ => {}
        }
    }

    /// Whether there are circuits to close.
    pub(super) fn has_open(&self) -> bool {
        let closing = self.closing.as_ref();
        closing.is_some_and(|closing| closing.stage == Stage::Read && !closing.open.is_empty())
    }

    /// Adds operations that close circuits, as far as a batch has room for them. Returns their names.
    pub(super) fn add_closes(&self, ops: &mut Vec<Op>, room: usize) -> Vec<Arc<str>> {
        let closing = self
            .closing
            .as_ref()
            .filter(|closing| closing.stage == Stage::Read);
        let open = closing.into_iter().flat_map(|closing| &closing.open);
        let names: Vec<_> = open.take(room).cloned().collect();
        ops.extend(names.iter().map(|name| Op::Close {
            name: name.to_string(),
        }));
        names
    }

    /// Applies the answers to operations that close circuits.
    pub(super) fn answered_closes<'a>(
        &mut self,
        names: Vec<Arc<str>>,
        mut answers: impl Iterator<Item = &'a Answer>,
        now: Time,
    ) -> Vec<Arc<str>> {
        for name in &names {
            let answer = answers.next().filter(|answer| *answer.view.name == **name);
            // A circuit without an answer is closed again.
            let Some(answer) = answer else { continue };
            self.learn(&answer.view, Source::Answer, now);
            if let Some(closing) = &mut self.closing {
                closing.answered(name, answer, &mut self.cx);
            }
        }
        names
    }
}
