//! [`TransitionCounts`]: counts the transitions of one circuit.

use crate::state::State;

/// The number of transitions, with one entry for each pair of states that occurred.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TransitionCounts(Vec<(State, State, u64)>);

impl TransitionCounts {
    pub(crate) fn add(&mut self, from: State, to: State, times: u64) {
        let known = self.0.iter_mut().find(|(f, t, _)| (*f, *t) == (from, to));
        match known {
            Some((_, _, count)) => *count += times,
            None => self.0.push((from, to, times)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (State, State, u64)> {
        self.0.iter().copied()
    }
}
