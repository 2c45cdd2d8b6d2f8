//! Scenarios that random steps do not reach.

use super::compare::Comparison;
use super::steps::{START, Step, hello};
use breakerbox_fleet::protocol::{LeaseRequest, Micros, Op, RETENTION, Trip, Version, Why};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// More names of each kind than one pull looks at.
const NAMES: usize = 130;

/// Fills a store with votes, closed records, open records and one held lease, and pulls until only the
/// lease is left.
pub(crate) fn trimming(compared: &mut Comparison<'_>) {
    let names = |kind: &str| {
        (0..NAMES)
            .map(|at| format!("{kind}{at}"))
            .collect::<Vec<_>>()
    };
    let votes = names("vote").into_iter().map(|name| trip(name, 2));
    submit(compared, votes.collect());
    let opened = names("closed")
        .into_iter()
        .chain(names("open"))
        .chain(["held".to_owned()]);
    submit(compared, opened.map(|name| trip(name, 1)).collect());
    submit(
        compared,
        names("closed")
            .into_iter()
            .map(|name| Op::Close { name })
            .collect(),
    );
    compared.set_now(START.after(2 * SECOND));
    submit(compared, vec![lease()]);
    assert_eq!(compared.records().len(), 3 * NAMES + 1);

    pull(compared, START.after(60 * SECOND), 8);
    assert_eq!(compared.records().len(), 2 * NAMES + 1);

    compared.set_now(START.after(RETENTION).before(SECOND));
    submit(compared, vec![lease()]);
    pull(compared, START.after(RETENTION).before(SECOND), 1);
    assert_eq!(compared.records().len(), 2 * NAMES + 1);

    compared.set_now(START.after(RETENTION + 60 * SECOND));
    submit(compared, vec![lease()]);
    pull(compared, START.after(RETENTION + 60 * SECOND), 12);
    let names: Vec<_> = compared
        .records()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["held"]);
}

/// Pulls several times. The time of a pull selects the names that it looks at.
fn pull(compared: &mut Comparison<'_>, from: Micros, times: u64) {
    for at in 0..times {
        compared.set_now(Micros(from.0 + at * 17));
        run(
            compared,
            &Step::Pull {
                hello: hello("n1", "i1"),
                since: Version(0),
                limit: 1_000,
            },
        );
    }
}

fn submit(compared: &mut Comparison<'_>, ops: Vec<Op>) {
    run(
        compared,
        &Step::Submit {
            hello: hello("n1", "i1"),
            seen: Version(0),
            ops,
        },
    );
}

fn run(compared: &mut Comparison<'_>, step: &Step) {
    compared
        .run(step)
        .unwrap_or_else(|difference| panic!("{difference}"));
}

fn trip(name: String, quorum: u16) -> Op {
    let trip = Trip {
        duration: SECOND,
        at: START,
        attempt: 0,
        why: Why::Rate,
        quorum,
        alone: false,
        vote_ttl: 10 * SECOND,
        reset_backoff_after: SECOND,
    };
    Op::Trip { name, trip }
}

fn lease() -> Op {
    let request = LeaseRequest {
        token: "t".into(),
        duration: 3 * SECOND,
        demand: false,
        opened_by_fleet: None,
    };
    Op::Lease {
        name: "held".into(),
        request,
    }
}
