//! The load of whole fleets of real engines.

use crate::client::{Client, Measured, Usage};
use crate::figures::{digits, print_head, print_row, share};
use crate::nodes::{Node, Setup, runtime, until, wait_for_links};
use crate::operations::name;
use breakerbox::State;
use breakerbox_fleet::Share;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const CIRCUITS: usize = 10_000;
/// Twelve pulls: eleven of changes, and a full one.
const MINUTE: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(600);

/// Prints the load of fleets of several sizes, or that of idle circuits at fleets of some sizes.
pub(crate) fn print(sizes: &[usize]) {
    println!("The load of real engines at one server. The share is that of one processor.\n");
    print_head(&[
        "case",
        "nodes",
        "time",
        "script calls",
        "bytes",
        "server",
        "share",
    ]);
    if sizes.is_empty() {
        many_nodes(1_000);
    }
    let defaults = [2, 10, 50];
    for nodes in if sizes.is_empty() { &defaults } else { sizes } {
        one_node_opens(*nodes);
        idle_circuits(*nodes);
    }
}

struct Row<'a> {
    what: &'a str,
    nodes: usize,
    time: Duration,
}

impl Row<'_> {
    fn print(&self, used: Usage) {
        let seconds = self.time.as_secs_f64();
        print_row(&[
            self.what.to_owned(),
            self.nodes.to_string(),
            format!("{} s", digits(seconds)),
            format!(
                "{} ({}/s)",
                digits(used.scripts),
                digits(used.scripts / seconds)
            ),
            format!(
                "{} MB ({} kB/s)",
                digits(used.bytes / 1e6),
                digits(used.bytes / seconds / 1e3)
            ),
            format!("{} ms", digits(used.processor * 1e3)),
            share(used.processor, seconds),
        ]);
    }
}

/// Waits some time, and prints what the server used meanwhile.
fn watch(client: &mut Client, what: &str, nodes: usize, time: Duration) {
    let (before, began) = (client.usage(), Instant::now());
    std::thread::sleep(time);
    let time = began.elapsed();
    let used = client.usage().since(before);
    Row { what, nodes, time }.print(used);
}

/// Waits until the condition holds and the server has little to do. Prints what it used since.
fn watch_until(
    client: &mut Client,
    (before, began): (Usage, Instant),
    (what, nodes): (&str, usize),
    condition: impl FnMut() -> bool,
) {
    until(what, condition);
    let mut latest = client.usage();
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let usage = client.usage();
        let is_quiet = usage.since(latest).processor < 0.02;
        latest = usage;
        if is_quiet {
            break;
        }
    }
    let time = began.elapsed();
    Row { what, nodes, time }.print(latest.since(before));
}

fn all(nodes: &[Node], index: usize, state: State) -> bool {
    nodes
        .iter()
        .all(|node| node.registry.breaker(name(index)).state() == state)
}

fn many_nodes(count: usize) {
    let (measured, runtime) = (Measured::start(), runtime());
    let mut client = measured.client("checker");
    let nodes = Setup::new(Share::quorum(2), LONG).start_many(&runtime, &measured, count);
    std::thread::sleep(Duration::from_secs(5));
    watch(&mut client, "no circuits", count, MINUTE / 2);
    let start = (client.usage(), Instant::now());
    for node in &nodes {
        node.fail(&name(0));
    }
    watch_until(
        &mut client,
        start,
        ("one circuit opens at each node", count),
        || all(&nodes, 0, State::Open),
    );
}

fn one_node_opens(count: usize) {
    let (measured, runtime) = (Measured::start(), runtime());
    let mut client = measured.client("checker");
    let nodes = Setup::new(Share::always(), LONG).start_many(&runtime, &measured, count);
    let start = (client.usage(), Instant::now());
    fail_all(&nodes[0]);
    watch_until(
        &mut client,
        start,
        ("10,000 circuits open at one node", count),
        || {
            nodes
                .iter()
                .all(|node| node.fleet.status().known == CIRCUITS)
        },
    );
}

fn fail_all(node: &Node) {
    for index in 0..CIRCUITS {
        node.fail(&name(index));
    }
}

fn idle_circuits(count: usize) {
    let (mut measured, runtime) = (Measured::start(), runtime());
    let nodes = open_everywhere(&measured, &runtime, count);
    let mut client = measured.client("checker");
    watch(&mut client, "10,000 open circuits, no calls", count, MINUTE);
    measured.restart();
    let mut client = measured.client("checker");
    let start = (Usage::default(), Instant::now());
    watch_until(
        &mut client,
        start,
        ("server restarts empty, 10,000 open circuits", count),
        || {
            nodes.iter().all(|node| node.fleet.status().is_connected())
                && recorded(&measured) == CIRCUITS as u64
        },
    );
    assert!(all(&nodes, 1, State::Open), "a restart closes nothing");
}

fn recorded(measured: &Measured) -> u64 {
    let mut client = measured.client("counter");
    let records = client.keys().records.clone();
    client.run("HLEN", &[&records])
}

/// Starts nodes that all have the same open circuits.
fn open_everywhere(measured: &Measured, runtime: &Runtime, count: usize) -> Vec<Node> {
    let nodes = Setup::new(Share::always(), LONG).start_many(runtime, measured, count);
    for node in &nodes {
        for index in 0..CIRCUITS {
            node.registry.breaker(name(index));
        }
    }
    fail_all(&nodes[0]);
    until("all circuits are open at all nodes", || {
        let is_open = |node: &Node| node.fleet.status().open == CIRCUITS;
        nodes.iter().all(is_open)
    });
    wait_for_links(&nodes);
    // The opener was busy, and its pulls are late.
    std::thread::sleep(Duration::from_secs(5));
    nodes
}
