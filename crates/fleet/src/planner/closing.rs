//! [`Closing`]: a command that closes the circuits of a pattern, on its way.

use super::context::Context;
use super::pulls::Page;
use crate::protocol::{Answer, Command, Phase, Why, Word};
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
    pub(crate) fn new(pattern: &str) -> Self {
        Self {
            pattern: pattern.to_owned(),
            stage: Stage::Waiting,
            open: BTreeSet::new(),
            closed: 0,
            failure: None,
        }
    }

    /// A full pull begins.
    pub(crate) fn begin_to_read(&mut self) {
        if self.stage == Stage::Waiting {
            self.stage = Stage::Reading;
        }
    }

    /// Reads a page. Returns `true` if another full pull is needed: this one began before the command.
    pub(crate) fn read(&mut self, pulled: &Pulled, page: Page) -> bool {
        if self.stage != Stage::Reading {
            return self.stage == Stage::Waiting && page == Page::Last;
        }
        let records = pulled.records.iter().filter(|record| {
            let is_open = matches!(record.phase, Phase::Open | Phase::Leased);
            is_open && Command::matches(&self.pattern, &record.name)
        });
        let names = records.map(|record| record.name.as_str().into());
        self.open.extend(names);
        if page == Page::Last {
            self.stage = Stage::Read;
        }
        false
    }

    /// Returns the circuits to close, at most `room`. Those without an answer are returned again.
    pub(crate) fn next(&self, room: usize) -> impl Iterator<Item = &Arc<str>> {
        let room = if self.stage == Stage::Read { room } else { 0 };
        self.open.iter().take(room)
    }

    /// Notes the answer to an operation that closes a circuit.
    pub(crate) fn answered(&mut self, name: &str, answer: &Answer, cx: &mut Context) {
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

    /// Returns how many circuits the store has closed, or `None` as long as there are others.
    pub(crate) fn result(&self) -> Option<Result<usize, StoreError>> {
        if self.stage != Stage::Read || !self.open.is_empty() {
            return None;
        }
        Some(match &self.failure {
            Some(reason) => Err(StoreError::ReadOnly(reason.clone())),
            None => Ok(self.closed),
        })
    }
}
