//! What a circuit takes, at the server and at a node.

use crate::client::Measured;
use crate::figures::{digits, print_head, print_row};
use crate::nodes::{Node, Setup};
use crate::operations::{name, trip};
use breakerbox::BreakerRegistry;
use breakerbox_fleet::protocol::Op;
use breakerbox_fleet::{Fleet, Share};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

const CIRCUITS: usize = 10_000;
const LONG: Duration = Duration::from_secs(500);

/// Prints bytes per circuit, for names of twelve bytes.
pub(crate) fn print() {
    println!("Bytes per circuit, for {CIRCUITS} circuits with names of twelve bytes.\n");
    print_head(&["where", "bytes per circuit"]);
    server("at the server, open", 1);
    server("at the server, one vote", 2);
    node();
}

fn server(what: &str, quorum: u16) {
    let measured = Measured::start();
    let mut client = measured.client("one");
    let before = client.usage();
    let at = client.time();
    for first in (0..CIRCUITS).step_by(250) {
        let ops: Vec<Op> = (first..first + 250)
            .map(|index| trip(&name(index), at, LONG, quorum))
            .collect();
        client.submit(&ops);
    }
    let used = client.usage().since(before);
    print_row(&[what.to_owned(), digits(used.memory / CIRCUITS as f64)]);
    let (records, index) = (client.keys().records.clone(), client.keys().index.clone());
    for (key, which) in [(records, "records"), (index, "index")] {
        let bytes: u64 = client.run("MEMORY", &["USAGE", &key, "SAMPLES", "0"]);
        let what = format!("{what}, key of the {which}");
        print_row(&[what, digits(bytes as f64 / CIRCUITS as f64)]);
    }
}

/// Measures on one thread, whose allocations are counted.
fn node() {
    let measured = Measured::start();
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let setup = Setup::new(Share::always(), LONG);
    let per_circuit = |bytes: i64| digits(bytes as f64 / CIRCUITS as f64);

    let plain = measure(|| {
        open(
            &BreakerRegistry::builder()
                .capacity(20_000)
                .default_preset(setup.preset.clone())
                .build()
                .expect("valid settings"),
        )
    });
    print_row(&["open breaker without a fleet".into(), per_circuit(plain.1)]);

    let (opener, empty) = measure(|| start(&setup, &runtime, &measured));
    print_row(&[
        "a node without circuits, in total".into(),
        digits(empty as f64),
    ]);
    let ((), shared) = measure(|| {
        open(&opener.registry);
        wait(&runtime, &opener.fleet, |fleet| {
            fleet.status().counters.published == CIRCUITS as u64
        });
    });
    print_row(&[
        "open breaker of the fleet, more than without".into(),
        per_circuit(shared - plain.1),
    ]);

    let (other, foreign) = measure(|| {
        let other = start(&setup, &runtime, &measured);
        wait(&runtime, &other.fleet, |fleet| {
            fleet.status().known == CIRCUITS
        });
        other
    });
    print_row(&[
        "circuit of another node without a breaker here".into(),
        per_circuit(foreign - empty),
    ]);
    drop((opener, other));
}

/// Returns the result, and the bytes that this thread has allocated and not freed.
fn measure<T>(run: impl FnOnce() -> T) -> (T, i64) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(run()));
    (result.expect("the closure has run"), info.bytes_current)
}

fn start(setup: &Setup, runtime: &Runtime, measured: &Measured) -> Node {
    let node = setup.start(runtime, measured, |_| {});
    wait(runtime, &node.fleet, |fleet| fleet.status().is_connected());
    node
}

fn open(registry: &BreakerRegistry) -> BreakerRegistry {
    for index in 0..CIRCUITS {
        let permit = registry.breaker(name(index)).try_acquire();
        permit.expect("the circuit is closed").failure();
    }
    registry.clone()
}

/// Runs the fleets until the condition holds, and until what it caused is over.
fn wait(runtime: &Runtime, fleet: &Fleet, condition: impl Fn(&Fleet) -> bool) {
    runtime.block_on(async {
        let mut waited = 0;
        while !condition(fleet) {
            assert!(waited < 60_000, "not within a minute: {fleet:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
            waited += 10;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    });
}
