//! Each operation on each kind of record.

use breakerbox_fleet::protocol::{
    Change, LeaseRequest, Micros, NodeId, Op, Opening, Record, Restoration, Trip, Version, Why,
    transition,
};
use std::fmt::Write;
use std::time::Duration;

const NOW: Micros = Micros(1_790_000_000_000_000);
const MAX_OPEN: Duration = Duration::from_secs(600);

/// What each operation answers to each record. After the word: `!` publishes the record, `+` only keeps
/// it, `-` removes it, and nothing changes nothing.
///
/// The sender is node `n1`, instance `i1`, with the token `t1`. An end is 1 µs ahead, now, or 1 µs ago.
const TABLE: &str = "
                  trip        asked       trip of 2   lease       lease, idle yield       done, c     done, o     unvote      restore     close
absent            opened!     opened!     voting 1+   absent      granted!    absent      closed!     opened!     unvoted     restored!   absent
only own vote     opened!     opened!     voting 1+   absent      granted!    absent      closed!     opened!     unvoted-    restored!   absent
only other vote   opened!     opened!     opened!     absent      granted!    absent      closed!     opened!     unvoted+    restored!   absent
only expired vote opened!     opened!     voting 1+   absent      granted!    absent      closed!     opened!     unvoted-    restored!   absent
closed            opened!     opened!     voting 1+   closed      closed      fenced      fenced      fenced      unvoted     closed      closed
closed, vote      opened!     opened!     opened!     closed      closed      fenced      fenced      fenced      unvoted+    closed      closed
closed, old vote  opened!     opened!     voting 1+   closed      closed      fenced      fenced      fenced      unvoted+    closed      closed
closed after trip stale       stale       stale       closed      closed      fenced      fenced      fenced      unvoted     closed      closed
open              joined      joined      joined      early       early       fenced      fenced      fenced      unvoted     joined      closed!
open by sender    joined      joined!     joined      early       early       fenced      fenced      fenced      unvoted     joined      closed!
open until now    opened!     opened!     voting 1+   granted!    granted!    fenced      fenced      fenced      unvoted     joined      closed!
open, over, vote  opened!     opened!     opened!     granted!    granted!    fenced      fenced      fenced      unvoted+    joined      closed!
leased            trying      trying      trying      taken!      taken       fenced      fenced      fenced      unvoted     trying      closed!
leased, wanted    trying      trying      trying      taken       taken       fenced      fenced      fenced      unvoted     trying      closed!
leased until now  opened!     opened!     voting 1+   granted!    granted!    fenced      fenced      fenced      unvoted     trying      closed!
leased to sender  opened!     opened!     opened!     wanted+     wanted+     yielded!    closed!     opened!     unvoted+    trying      closed!
";

/// The records, in the form of their texts. `E` is an end, `N` the time, `L` a later time.
const RECORDS: [(&str, &str); 16] = [
    ("absent", ""),
    ("only own vote", "0 v 0 0 0 - - - 0 0 0 0 n1/5/L"),
    ("only other vote", "0 v 0 0 0 - - - 0 0 0 0 n2/5/L"),
    ("only expired vote", "0 v 0 0 0 - - - 0 0 0 0 n2/5/N"),
    ("closed", "5 c 0 0 2 i2 succeeded - 0 0 4 0 -"),
    ("closed, vote", "5 c 0 0 2 i2 succeeded - 0 0 4 0 n2/5/L"),
    (
        "closed, old vote",
        "5 c 0 0 2 i2 succeeded - 0 0 4 0 n2/3/L",
    ),
    ("closed after trip", "5 c 0 0 2 i2 succeeded - 0 0 N 0 -"),
    ("open", "V o A 9000000 2 i2 rate - 0 0 0 0 -"),
    ("open by sender", "V o A 9000000 2 i1 rate - 0 0 0 0 -"),
    ("open until now", "V o N 9000000 2 i2 rate - 0 0 0 0 -"),
    (
        "open, over, vote",
        "V o B 9000000 2 i2 rate - 0 0 0 0 n2/5/L",
    ),
    ("leased", "V h 0 0 2 i2 lease t2 A 3000000 0 0 -"),
    ("leased, wanted", "V h 0 0 2 i2 lease t2 A 3000000 0 1 -"),
    ("leased until now", "V h 0 0 2 i2 lease t2 N 3000000 0 1 -"),
    (
        "leased to sender",
        "V h 0 0 2 i1 lease t1 B 3000000 0 1 n2/5/L",
    ),
];

fn record(text: &str) -> Record {
    let at = |offset: i64| NOW.0.checked_add_signed(offset).unwrap().to_string();
    let text = text
        .replace('V', &at(-1_000_000))
        .replace('A', &at(1))
        .replace('N', &at(0))
        .replace('B', &at(-1))
        .replace('L', &at(10_000_000));
    Record::read(&text, NOW, MAX_OPEN)
}

fn ops() -> Vec<(&'static str, Op)> {
    let name = || "x".to_owned();
    let token = || "t1".to_owned();
    let trip = |quorum, why| Op::Trip {
        name: name(),
        trip: Trip {
            duration: Duration::from_secs(30),
            at: NOW.before(Duration::from_micros(1)),
            attempt: 0,
            why,
            quorum,
            alone: false,
            vote_ttl: Duration::from_secs(10),
            reset_backoff_after: Duration::from_secs(30),
        },
    };
    let lease = |demand, opened_by_fleet| Op::Lease {
        name: name(),
        request: LeaseRequest {
            token: token(),
            duration: Duration::from_secs(3),
            demand,
            opened_by_fleet,
        },
    };
    let done = |opening| Op::Done {
        name: name(),
        token: token(),
        opening,
    };
    let opening = Opening {
        duration: Duration::from_secs(30),
        attempt: 3,
        why: Why::Trial,
    };
    let restoration = Restoration {
        left: Duration::from_secs(5),
        attempt: 1,
        by: "i2".into(),
        why: "rate".into(),
        version: Version(5),
    };
    vec![
        ("trip", trip(1, Why::Rate)),
        ("asked", trip(1, Why::Asked)),
        ("trip of 2", trip(2, Why::Rate)),
        ("lease", lease(true, None)),
        ("lease, idle", lease(false, Some(1))),
        (
            "yield",
            Op::Yield {
                name: name(),
                token: token(),
            },
        ),
        ("done, c", done(None)),
        ("done, o", done(Some(opening))),
        ("unvote", Op::Unvote { name: name() }),
        (
            "restore",
            Op::Restore {
                name: name(),
                restoration,
            },
        ),
        ("close", Op::Close { name: name() }),
    ]
}

#[test]
fn transition_follows_the_table() {
    let node = NodeId::new("n1", "i1").unwrap();
    let mut table = format!("{:<18}", "");
    for (title, _) in ops() {
        write!(table, "{title:<12}").unwrap();
    }
    for (title, text) in RECORDS {
        table = format!("{}\n{title:<18}", table.trim_end());
        for (_, op) in ops() {
            let (change, word) = transition(&record(text), &op, NOW, &node, op.quorum(9));
            let change = match change {
                Change::None => "",
                Change::Keep(_) => "+",
                Change::Publish(_) => "!",
                Change::Remove => "-",
            };
            write!(table, "{:<12}", format!("{word}{change}")).unwrap();
        }
    }
    let table = table.trim_end();
    assert_eq!(table, TABLE.trim_matches('\n'), "\n{table}");
}
