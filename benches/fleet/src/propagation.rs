//! How soon all nodes follow an opening and a close.

use crate::client::{Client, Measured};
use crate::figures::{RUNS, Runs, percentile, print_head, print_row};
use crate::nodes::{Node, Setup, runtime, until};
use breakerbox::State;
use breakerbox_fleet::Share;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const NAME: &str = "users-api";
/// The time before an opening, and the length of a trial. What follows a batch sooner waits for the next one,
/// up to 50 ms.
const BETWEEN: Duration = Duration::from_millis(60);

/// One fleet whose times are measured.
struct Case {
    nodes: usize,
    /// The votes that open the circuit of the fleet.
    quorum: usize,
    /// Openings, and as many closes.
    transitions: usize,
    open_for: Duration,
    close_spread: Duration,
}

const CASES: [Case; 3] = [
    Case {
        nodes: 2,
        quorum: 1,
        transitions: 200,
        open_for: Duration::from_millis(150),
        close_spread: Duration::ZERO,
    },
    Case {
        nodes: 50,
        quorum: 2,
        transitions: 60,
        open_for: Duration::from_millis(500),
        close_spread: Duration::ZERO,
    },
    Case {
        nodes: 50,
        quorum: 2,
        transitions: 60,
        open_for: Duration::from_millis(500),
        close_spread: Duration::from_millis(300),
    },
];

/// Prints the times in milliseconds.
pub(crate) fn print() {
    println!(
        "From the vote that completes the quorum, or from the successful trial, to the last node."
    );
    println!("The best of {RUNS} runs, with the worst one in brackets, in milliseconds.\n");
    print_head(&[
        "nodes",
        "quorum",
        "close spread",
        "times per run",
        "open, p50",
        "open, p99",
        "closed, p50",
        "closed, p99",
    ]);
    for case in &CASES {
        let mut runs: [Runs; 4] = Default::default();
        for _ in 0..RUNS {
            let (mut opened, mut closed) = case.run();
            runs[0].add(percentile(&mut opened, 50));
            runs[1].add(percentile(&mut opened, 99));
            runs[2].add(percentile(&mut closed, 50));
            runs[3].add(percentile(&mut closed, 99));
        }
        let mut cells = vec![
            case.nodes.to_string(),
            case.quorum.to_string(),
            format!("{:?}", case.close_spread),
            case.transitions.to_string(),
        ];
        cells.extend(runs.iter().map(Runs::lowest));
        print_row(&cells);
    }
}

impl Case {
    fn run(&self) -> (Vec<Duration>, Vec<Duration>) {
        let (measured, runtime) = (Measured::start(), runtime());
        let mut group = Group::start(self, &runtime, &measured);
        let mut times = (Vec::new(), Vec::new());
        for round in 0..self.transitions {
            times.0.push(group.open(round));
            times.1.push(group.close(round));
        }
        times
    }
}

/// A running fleet, and the latest change of each node.
struct Group {
    nodes: Vec<Node>,
    quorum: usize,
    changes: Receiver<(usize, State, Instant)>,
    states: Vec<(State, Instant)>,
    client: Client,
}

impl Group {
    fn start(case: &Case, runtime: &Runtime, measured: &Measured) -> Self {
        let share = match case.quorum {
            1 => Share::always(),
            quorum => Share::quorum(u16::try_from(quorum).expect("a small quorum")),
        };
        let mut setup = Setup::new(share, case.open_for);
        setup.close_spread = case.close_spread;
        let (sender, changes) = channel();
        let start = |index| {
            let sender = sender.clone();
            let node = setup.start(runtime, measured, move |to| {
                // The receiver is gone at the end of a run.
                let _ = sender.send((index, to, Instant::now()));
            });
            node.registry.breaker(NAME);
            node
        };
        let nodes: Vec<_> = (0..case.nodes).map(start).collect();
        crate::nodes::wait_for_links(&nodes);
        // The first answers of early nodes did not know the later ones.
        std::thread::sleep(Duration::from_secs(1));
        Self {
            states: vec![(State::Closed, Instant::now()); nodes.len()],
            nodes,
            quorum: case.quorum,
            changes,
            client: measured.client("driver"),
        }
    }

    /// Opens the circuit of the fleet. Returns how long the last node took.
    fn open(&mut self, round: usize) -> Duration {
        std::thread::sleep(BETWEEN);
        let count = self.nodes.len();
        for vote in 1..self.quorum {
            self.nodes[(round + vote) % count].fail(NAME);
            let (client, mut field) = (&mut self.client, String::new());
            let records = client.keys().records.clone();
            until("the vote has arrived", || {
                let record: Option<String> = client.run("HGET", &[&records, NAME]);
                field = record.unwrap_or_default();
                let votes = field.split(' ').nth(12);
                votes.is_some_and(|votes| votes != "-")
            });
        }
        let began = self.nodes[round % count].fail(NAME);
        self.wait_for_all(State::Open, began)
    }

    /// Tries the dependency at one node until the circuit closes. Returns how long the last node took.
    fn close(&mut self, round: usize) -> Duration {
        let caller = &self.nodes[(round + 1) % self.nodes.len()];
        let breaker = caller.registry.breaker(NAME);
        let mut began = Instant::now();
        until("a trial is admitted", || {
            let permit = breaker.try_acquire().ok();
            let Some(permit) = permit else { return false };
            std::thread::sleep(BETWEEN);
            began = Instant::now();
            permit.success();
            true
        });
        self.wait_for_all(State::Closed, began)
    }

    fn wait_for_all(&mut self, state: State, began: Instant) -> Duration {
        while self.states.iter().any(|(current, _)| *current != state) {
            let change = self.changes.recv_timeout(Duration::from_secs(30));
            let (node, to, at) = change.expect("all nodes follow");
            self.states[node] = (to, at);
        }
        let last = self.states.iter().map(|(_, at)| *at).max();
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(began))
    }
}
