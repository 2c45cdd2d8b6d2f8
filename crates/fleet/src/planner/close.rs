//! Closes the circuits of a pattern by a command: [`Planner::begin_close`].

use super::Planner;
use super::closing::Closing;
use super::learn::Source;
use super::pulls::{Page, Pull};
use super::timing::Time;
use crate::protocol::{Answer, Op};
use crate::store::{Pulled, StoreError};
use std::sync::Arc;

impl Planner {
    /// Begins to close the circuits of a pattern.
    pub(super) fn begin_close(&mut self, pattern: &str) {
        self.closing = Some(Closing::new(pattern));
        self.pulls.force_full();
    }

    /// Gives a close up. The circuits that are left stay open.
    pub(crate) fn stop_closing(&mut self) {
        self.closing = None;
    }

    /// Returns how many circuits the store has closed, once all circuits of a close are answered.
    pub(crate) fn take_closed(&mut self) -> Option<Result<usize, StoreError>> {
        let result = self.closing.as_ref()?.result()?;
        self.closing = None;
        Some(result)
    }

    /// Notes the begin of a pull.
    pub(super) fn note_pull_of_close(&mut self, pull: Pull) {
        if let Some(closing) = self.closing.as_mut().filter(|_| pull.full) {
            closing.begin_to_read();
        }
    }

    /// Reads a page of a pull for a close.
    pub(super) fn read_for_close(&mut self, pulled: &Pulled, page: Page) {
        let closing = self.closing.as_mut();
        if closing.is_some_and(|closing| closing.read(pulled, page)) {
            self.pulls.force_full();
        }
    }

    /// Whether there are circuits to close.
    pub(super) fn has_closes(&self) -> bool {
        let closing = self.closing.as_ref();
        closing.is_some_and(|closing| closing.next(1).next().is_some())
    }

    /// Adds operations that close circuits, as far as a batch has room for them. Returns their names.
    pub(super) fn add_closes(&self, ops: &mut Vec<Op>, room: usize) -> Vec<Arc<str>> {
        let closing = self.closing.as_ref();
        let names = closing.map(|closing| closing.next(room).cloned());
        let names: Vec<_> = names.into_iter().flatten().collect();
        ops.extend(names.iter().map(|name| Op::Close {
            name: name.to_string(),
        }));
        names
    }

    /// Applies the answers to operations that close circuits. Returns the circuits to look at.
    pub(super) fn answered_closes<'a>(
        &mut self,
        names: Vec<Arc<str>>,
        mut answers: impl Iterator<Item = &'a Answer>,
        now: Time,
    ) -> Vec<Arc<str>> {
        for name in &names {
            let answer = answers.next().filter(|answer| *answer.view.name == **name);
            let Some(answer) = answer else { continue };
            self.learn(&answer.view, Source::Answer, now);
            if let Some(closing) = &mut self.closing {
                closing.answered(name, answer, &mut self.cx);
            }
        }
        names
    }
}
