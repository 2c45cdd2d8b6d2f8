//! What operations cost the server, and how many transitions it carries.

use crate::client::{Client, Measured, Usage};
use crate::figures::{RUNS, Runs, print_head, print_row};
use crate::subscribers::Subscribers;
use breakerbox_fleet::protocol::{
    Answer, LeaseRequest, Micros, Op, Opening, Trip, Version, Why, Word,
};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// The operations of one measurement.
const COUNT: usize = 3_000;
/// How long each thread changes circuits.
const LENGTH: Duration = Duration::from_secs(5);
/// The connections that change circuits.
const WRITERS: usize = 4;
const LONG: Duration = Duration::from_secs(500);
/// An open period that is over at the next operation.
const SHORT: Duration = Duration::from_micros(1);

/// Prints the processor time of each operation, and the transitions per second.
pub(crate) fn print() {
    println!(
        "Processor time of the server in microseconds per operation, for one connection that waits for each"
    );
    println!("answer. The best of {RUNS} runs, with the worst one in brackets.\n");
    print_head(&["operation", "server", "of it in scripts", "bytes"]);
    for (what, measure) in COSTS {
        let (mut server, mut scripts, mut bytes) =
            (Runs::default(), Runs::default(), Runs::default());
        for _ in 0..RUNS {
            let cost = measure();
            server.add(cost.processor * 1e6);
            scripts.add(cost.script_time * 1e6);
            bytes.add(cost.bytes);
        }
        print_row(&[
            what.to_owned(),
            server.lowest(),
            scripts.lowest(),
            bytes.lowest(),
        ]);
    }
    println!(
        "\nTransitions per second, from {WRITERS} connections. A circuit opens, is leased and closes, which is two"
    );
    println!("transitions. The best of {RUNS} runs, with the worst one in brackets.\n");
    print_head(&[
        "circuits per batch",
        "subscribers",
        "transitions per second",
        "server, per transition in µs",
    ]);
    for (batch, subscribers) in [(1, 2), (1, 50), (64, 2), (64, 50)] {
        let (mut rate, mut cost) = (Runs::default(), Runs::default());
        for _ in 0..RUNS {
            let (transitions, processor) = throughput(batch, subscribers);
            rate.add(transitions / LENGTH.as_secs_f64());
            cost.add(processor / transitions * 1e6);
        }
        print_row(&[
            batch.to_string(),
            subscribers.to_string(),
            rate.highest(),
            cost.lowest(),
        ]);
    }
}

type Measurement = fn() -> Usage;

/// Each measurement runs on a server of its own.
const COSTS: [(&str, Measurement); 17] = [
    ("pull without changes", || pull(0, 0)),
    ("pull without changes, of 1,000 nodes", pull_among_many),
    ("pull of 100 records", || pull(100, 100)),
    ("pull of 500 records", || pull(500, 500)),
    ("opening", || open(1, 0)),
    ("opening, heard by 50 nodes", || open(1, 50)),
    ("opening, in batches of 64", || open(64, 0)),
    ("opening, in batches of 64, heard by 50 nodes", || {
        open(64, 50)
    }),
    ("report of an open circuit", || {
        again(1, |name, at| trip(name, at, LONG, 1))
    }),
    ("report of an open circuit, in batches of 64", || {
        again(64, |name, at| trip(name, at, LONG, 1))
    }),
    ("vote", || once(1, |name, at| trip(name, at, LONG, 2))),
    ("vote, in batches of 64", || {
        once(64, |name, at| trip(name, at, LONG, 2))
    }),
    ("request for a lease that is refused", || {
        again(1, |name, _| lease(name))
    }),
    ("lease", || leased(1, None)),
    ("renewal", || leased(1, Some(lease))),
    ("close", || leased(1, Some(close))),
    ("close, in batches of 64", || leased(64, Some(close))),
];

pub(crate) fn name(index: usize) -> String {
    format!("user:{index:07}")
}

/// A trip of a circuit that opens for some time, at a quorum.
pub(crate) fn trip(name: &str, at: Micros, duration: Duration, quorum: u16) -> Op {
    Op::Trip {
        name: name.into(),
        trip: Trip {
            duration,
            at,
            attempt: 1,
            why: Why::Consecutive,
            quorum,
            alone: false,
            vote_ttl: Duration::from_secs(60),
            reset_backoff_after: Duration::from_secs(30),
        },
    }
}

fn lease(name: &str) -> Op {
    let request = LeaseRequest {
        token: "web-7-1234-0123abcd-1".into(),
        duration: Duration::from_secs(60),
        demand: true,
        opened_by_fleet: None,
    };
    Op::Lease {
        name: name.into(),
        request,
    }
}

fn close(name: &str) -> Op {
    Op::Done {
        name: name.into(),
        token: "web-7-1234-0123abcd-1".into(),
        opening: None::<Opening>,
    }
}

/// Measures `count` operations of `run`, and returns the usage per operation.
fn usage(client: &mut Client, count: usize, run: impl FnOnce(&mut Client)) -> Usage {
    let before = client.usage();
    run(client);
    let used = client.usage().since(before);
    let count = count as f64;
    Usage {
        processor: used.processor / count,
        scripts: used.scripts / count,
        script_time: used.script_time / count,
        bytes: used.bytes / count,
        memory: used.memory / count,
    }
}

/// Submits an operation for each name, in batches.
fn submit_all(client: &mut Client, batch: usize, op: impl Fn(&str, Micros) -> Op) {
    let at = client.time();
    let mut index = 0;
    while index < COUNT {
        let names = index..COUNT.min(index + batch);
        index = names.end;
        let ops: Vec<Op> = names.map(|index| op(&name(index), at)).collect();
        let submitted = client.submit(&ops);
        assert_eq!(submitted.answers.len(), ops.len());
    }
}

fn once(batch: usize, op: fn(&str, Micros) -> Op) -> Usage {
    let measured = Measured::start();
    usage(&mut measured.client("one"), COUNT, |client| {
        submit_all(client, batch, op);
    })
}

fn open(batch: usize, subscribers: usize) -> Usage {
    let measured = Measured::start();
    let mut client = measured.client("one");
    let _subscribers = Subscribers::connect(&measured, &client.keys().channel, subscribers);
    let opened = usage(&mut client, COUNT, |client| {
        submit_all(client, batch, |name, at| trip(name, at, LONG, 1));
    });
    assert_eq!(client.pull(Version(0), 1_000).records.len(), 1_000);
    opened
}

/// The operation reaches circuits that are open.
fn again(batch: usize, op: fn(&str, Micros) -> Op) -> Usage {
    let measured = Measured::start();
    let mut client = measured.client("one");
    submit_all(&mut client, 64, |name, at| trip(name, at, LONG, 1));
    let mut other = measured.client("two");
    usage(&mut other, COUNT, |client| submit_all(client, batch, op))
}

/// The operation reaches circuits whose lease this node has. Without an operation, measures the lease.
fn leased(batch: usize, op: Option<fn(&str) -> Op>) -> Usage {
    let measured = Measured::start();
    let mut client = measured.client("one");
    submit_all(&mut client, 64, |name, at| trip(name, at, SHORT, 1));
    let granted = usage(&mut client, COUNT, |client| {
        submit_all(client, batch, |name, _| lease(name));
    });
    match op {
        None => granted,
        Some(op) => usage(&mut client, COUNT, |client| {
            submit_all(client, batch, |name, _| op(name));
        }),
    }
}

fn pull(records: usize, limit: usize) -> Usage {
    let measured = Measured::start();
    let mut client = measured.client("one");
    submit_all(&mut client, 64, |name, at| trip(name, at, LONG, 1));
    let head = client.pull(Version(0), 1).head;
    let since = if records == 0 { head } else { Version(1) };
    let count = if records == 0 { COUNT } else { COUNT / 10 };
    usage(&mut client, count, |client| {
        for _ in 0..count {
            assert_eq!(client.pull(since, limit).records.len(), records);
        }
    })
}

fn pull_among_many() -> Usage {
    let measured = Measured::start();
    let mut client = measured.client("one");
    let now = client.time().0.to_string();
    let members = client.keys().members.clone();
    for node in 0..1_000 {
        let _: u64 = client.run(
            "ZADD",
            &[&members, &now, &format!("web-{node}/web-{node}-1")],
        );
    }
    usage(&mut client, COUNT, |client| {
        for _ in 0..COUNT {
            client.pull(Version(1), 500);
        }
    })
}

/// Returns the transitions that were published, and the processor time of the server.
fn throughput(batch: usize, subscribers: usize) -> (f64, f64) {
    let measured = Measured::start();
    let mut client = measured.client("one");
    let _subscribers = Subscribers::connect(&measured, &client.keys().channel, subscribers);
    let before = client.usage();
    let end = Instant::now() + LENGTH;
    let transitions: usize = std::thread::scope(|scope| {
        let write = |writer: usize| {
            let mut client = measured.client(&format!("writer-{writer}"));
            scope.spawn(move || write_until(&mut client, writer, batch, end))
        };
        let writers: Vec<_> = (0..WRITERS).map(write).collect();
        let count = writers.into_iter().map(ScopedJoinHandle::join);
        count.map(|count| count.expect("a writer")).sum()
    });
    let used = client.usage().since(before);
    (transitions as f64, used.processor)
}

fn write_until(client: &mut Client, writer: usize, batch: usize, end: Instant) -> usize {
    let names: Vec<_> = (0..batch)
        .map(|index| name(writer * 1_000 + index))
        .collect();
    let mut transitions = 0;
    while Instant::now() < end {
        let at = client.time();
        let ops: Vec<_> = names.iter().map(|name| trip(name, at, SHORT, 1)).collect();
        client.submit(&ops);
        let ops: Vec<_> = names.iter().map(|name| lease(name)).collect();
        client.submit(&ops);
        let ops: Vec<_> = names.iter().map(|name| close(name)).collect();
        let closed = client.submit(&ops);
        let is_closed = |answer: &Answer| answer.word == Word::Closed;
        assert!(closed.answers.iter().all(is_closed));
        transitions += 2 * batch;
    }
    transitions
}
