//! Agreement: after the faults, all nodes act as the store says.

use breakerbox::State;
use breakerbox_fleet::protocol::Phase;
use std::time::Duration;

/// What one node does, for a comparison with the store.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The node.
    pub node: usize,
    /// The state of its circuit.
    pub state: State,
    /// Whether the fleet opened the circuit.
    pub is_by_fleet: bool,
    /// Whether the node has a call each second.
    pub is_called: bool,
}

/// Returns why a node disagrees with the record of the store, whose open period or lease has `left`.
pub fn disagreement(
    name: &str,
    phase: Phase,
    left: Duration,
    observed: &Observed,
) -> Option<String> {
    let Observed {
        node,
        state,
        is_by_fleet,
        is_called,
    } = *observed;
    let is_wrong = match phase {
        // A lost record closes nothing: the first call asks for a lease.
        Phase::Absent | Phase::Votes => is_by_fleet && state == State::Open && is_called,
        // A node below the quorum may be open on its own.
        Phase::Closed => is_by_fleet && state == State::Open,
        Phase::Open => left > Duration::ZERO && state != State::Open,
        Phase::Leased => left > Duration::ZERO && state == State::Closed,
    };
    is_wrong.then(|| {
        format!("{name}: n{node} is {state} while the store says {phase:?}, {left:?} left")
    })
}
