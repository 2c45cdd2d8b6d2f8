//! [`Reach`]: how soon an outage opens the circuit of all nodes, and how soon all close again.

use breakerbox::State;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Measures the time until all nodes have followed, for each outage.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    circuits: BTreeMap<String, Circuit>,
    /// From the start of each outage until all circuits were open.
    pub opened: Vec<Duration>,
    /// From the end of each outage until all circuits were closed.
    pub closed: Vec<Duration>,
}

#[derive(Clone, Debug, Default)]
struct Circuit {
    nodes: usize,
    open: BTreeSet<usize>,
    began: Option<Duration>,
    ended: Option<Duration>,
}

impl Reach {
    /// An outage begins for `nodes` nodes with calls.
    pub(crate) fn begin(&mut self, now: Duration, name: &str, nodes: usize) {
        let circuit = self.circuits.entry(name.to_owned()).or_default();
        (circuit.nodes, circuit.began, circuit.ended) = (nodes, Some(now), None);
    }

    /// An outage ends.
    pub(crate) fn end(&mut self, now: Duration, name: &str) {
        if let Some(circuit) = self.circuits.get_mut(name) {
            circuit.ended = Some(now).filter(|_| !circuit.open.is_empty());
            circuit.began = None;
        }
    }

    pub(super) fn changed(&mut self, now: Duration, node: usize, name: &str, to: State) {
        let Some(circuit) = self.circuits.get_mut(name) else {
            return;
        };
        if to == State::Closed {
            circuit.open.remove(&node);
        } else {
            circuit.open.insert(node);
        }
        if circuit.open.len() >= circuit.nodes {
            self.opened
                .extend(circuit.began.take().map(|began| now.saturating_sub(began)));
        }
        if circuit.open.is_empty() {
            self.closed
                .extend(circuit.ended.take().map(|ended| now.saturating_sub(ended)));
        }
    }

    /// A node has ended, and starts with a closed circuit.
    pub(crate) fn ended(&mut self, node: usize) {
        for circuit in self.circuits.values_mut() {
            circuit.open.remove(&node);
        }
    }
}
