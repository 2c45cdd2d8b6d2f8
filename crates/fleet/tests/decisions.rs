//! Behaviours of records that a store must have, each with a scenario of its own.

use breakerbox_fleet::protocol::{
    Answer, LeaseRequest, Message, Micros, NodeId, Op, Opening, Phase, RETENTION, Record,
    Restoration, Trip, Version, Why, Word,
};
use breakerbox_fleet::store::{Hello, Pulled, Table};
use std::time::Duration;

const START: Micros = Micros(1_790_000_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn hello(node: &str, instance: &str) -> Hello {
    let node = NodeId::new(node, instance).unwrap();
    Hello::new("test", node, Duration::from_secs(600)).unwrap()
}

/// A store with a time, and what it published last.
struct Store {
    table: Table,
    now: Micros,
    message: Option<Message>,
}

impl Store {
    fn new() -> Self {
        Self {
            table: Table::default(),
            now: START,
            message: None,
        }
    }

    fn after(&mut self, time: Duration) -> &mut Self {
        self.now = self.now.after(time);
        self
    }

    /// The instance of a node has the name of the node.
    fn submit(&mut self, node: &str, op: Op) -> Answer {
        self.submit_from(&hello(node, node), op)
    }

    fn submit_from(&mut self, hello: &Hello, op: Op) -> Answer {
        let (mut submitted, message) = self.table.submit(hello, Version(0), &[op], self.now);
        self.message = message;
        submitted.answers.remove(0)
    }

    fn word(&mut self, node: &str, op: Op) -> Word {
        self.submit(node, op).word
    }

    fn trip(&self) -> Trip {
        Trip {
            duration: 30 * SECOND,
            at: self.now,
            attempt: 0,
            why: Why::Rate,
            quorum: 2,
            alone: false,
            vote_ttl: 10 * SECOND,
            reset_backoff_after: 30 * SECOND,
        }
    }

    /// Trips with a quorum of two.
    fn vote(&mut self, node: &str) -> Word {
        let trip = self.trip();
        self.word(node, trip_op(trip))
    }

    /// Trips with a quorum of one.
    fn open(&mut self, node: &str) -> Answer {
        let trip = Trip {
            quorum: 1,
            ..self.trip()
        };
        self.submit(node, trip_op(trip))
    }

    fn lease(&mut self, node: &str, token: &str) -> Word {
        self.word(node, lease(token, None))
    }

    /// Opens at `a`, and closes by a trial of `a`.
    fn open_and_close(&mut self) {
        assert_eq!(self.open("a").word, Word::Opened);
        self.after(30 * SECOND);
        assert_eq!(self.lease("a", "t"), Word::Granted);
        assert_eq!(self.word("a", done("t", None)), Word::Closed);
    }

    fn record(&self) -> Record {
        self.table.record("x", &hello("a", "a"), self.now)
    }

    fn pull(&mut self, since: Version) -> Pulled {
        self.table.pull(&hello("p", "p"), since, 1_000, self.now)
    }
}

fn trip_op(trip: Trip) -> Op {
    Op::Trip {
        name: "x".into(),
        trip,
    }
}

fn lease(token: &str, opened_by_fleet: Option<u32>) -> Op {
    Op::Lease {
        name: "x".into(),
        request: LeaseRequest {
            token: token.into(),
            duration: 3 * SECOND,
            demand: true,
            opened_by_fleet,
        },
    }
}

fn done(token: &str, opening: Option<Opening>) -> Op {
    Op::Done {
        name: "x".into(),
        token: token.into(),
        opening,
    }
}

fn unvote() -> Op {
    Op::Unvote { name: "x".into() }
}

fn close() -> Op {
    Op::Close { name: "x".into() }
}

fn restore(left: Duration) -> Op {
    Op::Restore {
        name: "x".into(),
        restoration: Restoration {
            left,
            attempt: 2,
            by: "a".into(),
            why: "rate".into(),
            version: Version(5),
        },
    }
}

// Lost memory

#[test]
fn store_without_memory_answers_absent() {
    let mut store = Store::new();
    for op in [
        lease("t", None),
        Op::Yield {
            name: "x".into(),
            token: "t".into(),
        },
        close(),
    ] {
        assert_eq!(store.word("a", op), Word::Absent);
    }
    assert_eq!(store.message, None);
}

#[test]
fn restored_record_keeps_its_end() {
    let mut store = Store::new();
    let answer = store.submit("b", restore(4 * SECOND));
    assert_eq!(
        (answer.word, answer.view.left),
        (Word::Restored, 4 * SECOND)
    );
    assert_eq!((answer.view.by.as_str(), answer.view.attempt), ("a", 2));
    store.after(SECOND);
    let answer = store.submit("c", restore(4 * SECOND));
    assert_eq!((answer.word, answer.view.left), (Word::Joined, 3 * SECOND));
}

#[test]
fn restore_replaces_votes_and_no_close() {
    let mut store = Store::new();
    assert_eq!(store.vote("a"), Word::Voting(1));
    assert_eq!(store.word("b", restore(SECOND)), Word::Restored);
    assert_eq!(store.record().votes, []);
    store.word("b", close());
    assert_eq!(store.word("b", restore(SECOND)), Word::Closed);
}

#[test]
fn verdict_on_lost_record_stands() {
    let mut store = Store::new();
    assert_eq!(store.word("a", done("t", None)), Word::Closed);
    let mut store = Store::new();
    let opening = Opening {
        duration: 30 * SECOND,
        attempt: 3,
        why: Why::Trial,
    };
    assert_eq!(store.word("a", done("t", Some(opening))), Word::Opened);
}

#[test]
fn lost_record_is_leased_to_node_opened_by_fleet() {
    let mut store = Store::new();
    let answer = store.submit("a", lease("t", Some(4)));
    assert_eq!((answer.word, answer.view.attempt), (Word::Granted, 4));
    assert_eq!(store.word("b", lease("u", Some(4))), Word::Taken);
}

// Stale trips and closes in the future

#[test]
fn trip_before_the_close_is_stale() {
    let mut store = Store::new();
    store.open_and_close();
    let closed = store.now;
    store.after(SECOND);
    for (at, word) in [(closed.0 - 1, Word::Stale), (closed.0, Word::Opened)] {
        let trip = Trip {
            at: Micros(at),
            quorum: 1,
            ..store.trip()
        };
        assert_eq!(store.word("b", trip_op(trip)), word);
    }
}

#[test]
fn close_in_the_future_rejects_no_trip() {
    for ahead in [1, 600_000_000, 5_000_000_000_000_000] {
        let mut store = Store::new();
        let text = format!("5 c 0 0 0 a succeeded - 0 0 {} 0 -", START.0 + ahead);
        store.table.put("x", &text, Version(5));
        assert_eq!(store.open("a").word, Word::Opened);
    }
}

#[test]
fn trip_in_the_future_counts_as_now() {
    let mut store = Store::new();
    let trip = Trip {
        at: store.now.after(HOUR),
        quorum: 1,
        ..store.trip()
    };
    assert_eq!(store.submit("a", trip_op(trip)).view.left, 30 * SECOND);
}

#[test]
fn delayed_trip_opens_for_the_rest() {
    let mut store = Store::new();
    let trip = Trip {
        quorum: 1,
        ..store.trip()
    };
    store.after(10 * SECOND);
    assert_eq!(
        store.submit("a", trip_op(trip.clone())).view.left,
        20 * SECOND
    );
    let mut store = Store::new();
    store.after(60 * SECOND);
    assert_eq!(store.submit("a", trip_op(trip)).view.left, Duration::ZERO);
}

// Votes

#[test]
fn second_node_reaches_quorum() {
    let mut store = Store::new();
    assert_eq!(store.vote("a"), Word::Voting(1));
    assert_eq!(store.vote("a"), Word::Voting(1));
    assert_eq!(store.message, None);
    assert_eq!(store.vote("b"), Word::Opened);
    assert_eq!(store.message.as_ref().unwrap().records.len(), 1);
}

#[test]
fn vote_that_is_sent_again_lives_on() {
    let mut store = Store::new();
    store.vote("a");
    store.after(9 * SECOND);
    store.vote("a");
    store.after(9 * SECOND);
    assert_eq!(store.vote("b"), Word::Opened);
}

#[test]
fn expired_vote_does_not_count() {
    let mut store = Store::new();
    store.vote("a");
    store.after(10 * SECOND);
    assert_eq!(store.vote("b"), Word::Voting(1));
}

#[test]
fn withdrawn_vote_does_not_count() {
    let mut store = Store::new();
    store.vote("a");
    assert_eq!(store.word("a", unvote()), Word::Unvoted);
    assert_eq!(store.table.records().count(), 0);
    assert_eq!(store.vote("b"), Word::Voting(1));
}

#[test]
fn opening_and_closing_delete_votes() {
    let mut store = Store::new();
    store.vote("a");
    assert_eq!(store.open("c").word, Word::Opened);
    assert_eq!(store.record().votes, []);
    store.after(30 * SECOND);
    // A vote on a record whose open period is over.
    assert_eq!(store.vote("a"), Word::Voting(1));
    store.word("c", close());
    assert_eq!(store.record().votes, []);
    assert_eq!(store.vote("b"), Word::Voting(1));
}

#[test]
fn vote_before_the_close_does_not_count() {
    let mut store = Store::new();
    let text = format!(
        "5 c 0 0 0 a succeeded - 0 0 9 0 b/8/{}",
        START.0 + 9_000_000
    );
    store.table.put("x", &text, Version(5));
    assert_eq!(store.vote("a"), Word::Voting(1));
    store
        .table
        .put("x", &text.replace("b/8", "b/9"), Version(5));
    assert_eq!(store.vote("a"), Word::Opened);
}

#[test]
fn instances_of_one_node_are_no_quorum() {
    let mut store = Store::new();
    for instance in ["i1", "i2", "i3"] {
        let trip = store.trip();
        let answer = store.submit_from(&hello("a", instance), trip_op(trip));
        assert_eq!(answer.word, Word::Voting(1));
    }
}

#[test]
fn hostile_votes_of_one_node_count_once() {
    let mut store = Store::new();
    let end = START.0 + 9_000_000;
    let text = format!("0 v 0 0 0 - - - 0 0 0 0 b/1/{end},b/2/{end},b/3/9007199254740991");
    store.table.put("x", &text, Version(0));
    let trip = Trip {
        quorum: 3,
        ..store.trip()
    };
    assert_eq!(store.word("a", trip_op(trip)), Word::Voting(2));
}

#[test]
fn record_of_votes_is_absent_for_others() {
    let mut store = Store::new();
    store.vote("a");
    assert_eq!(store.lease("b", "t"), Word::Absent);
    assert_eq!(store.word("b", close()), Word::Absent);
    assert_eq!(store.record().phase, Phase::Votes);
    assert_eq!(store.pull(Version(0)).records, []);
}

#[test]
fn votes_of_many_names_are_trimmed() {
    let mut store = Store::new();
    for number in 0..1_000 {
        let trip = store.trip();
        store.submit(
            "a",
            Op::Trip {
                name: format!("user-{number}"),
                trip,
            },
        );
    }
    // One that lives on must not be in the way.
    let trip = Trip {
        vote_ttl: HOUR,
        ..store.trip()
    };
    store.submit(
        "a",
        Op::Trip {
            name: "kept".into(),
            trip,
        },
    );
    store.after(10 * SECOND);
    for _ in 0..40 {
        // Which names are looked at depends on the time.
        store.after(Duration::from_micros(5_000_037));
        store.pull(Version(0));
    }
    let left: Vec<_> = store.table.records().map(|(name, _)| name).collect();
    assert_eq!(left, ["kept"]);
}

// Quorum of a lonely node

#[test]
fn only_node_decides_after_a_minute_alone() {
    let mut store = Store::new();
    let alone = |store: &Store| {
        trip_op(Trip {
            alone: true,
            ..store.trip()
        })
    };
    let op = alone(&store);
    assert_eq!(store.word("a", op), Word::Opened);
    // Another node was seen during the last 20 seconds.
    let mut store = Store::new();
    store.word("b", unvote());
    let op = alone(&store);
    assert_eq!(
        store.after(20 * SECOND).word("a", op.clone()),
        Word::Voting(1)
    );
    store.after(Duration::from_micros(1));
    assert_eq!(store.word("a", op), Word::Opened);
}

#[test]
fn fresh_store_does_not_make_one_node_a_quorum() {
    let mut store = Store::new();
    assert_eq!(store.vote("a"), Word::Voting(1));
}

#[test]
fn submit_and_pull_are_heartbeats() {
    let mut store = Store::new();
    store.word("a", unvote());
    assert_eq!(store.pull(Version(0)).members, ["a/a", "p/p"]);
    store.after(15 * SECOND).word("a", unvote());
    store.after(15 * SECOND);
    assert_eq!(store.pull(Version(0)).nodes, 2);
    store.table.leave(&hello("a", "a"));
    assert_eq!(store.pull(Version(0)).nodes, 1);
}

// Leases

#[test]
fn lease_is_fenced_by_its_token() {
    let mut store = Store::new();
    store.open("a");
    store.after(30 * SECOND);
    assert_eq!(store.lease("a", "t"), Word::Granted);
    assert_eq!(store.lease("b", "u"), Word::Taken);
    assert_eq!(store.word("b", done("u", None)), Word::Fenced);
    store.after(3 * SECOND);
    assert_eq!(store.lease("b", "u"), Word::Granted);
    assert_eq!(store.word("a", done("t", None)), Word::Fenced);
    assert_eq!(store.word("b", done("u", None)), Word::Closed);
}

#[test]
fn lease_request_that_is_sent_again_renews() {
    let mut store = Store::new();
    store.open("a");
    store.after(30 * SECOND);
    store.lease("a", "t");
    store.after(2 * SECOND);
    let answer = store.submit("a", lease("t", None));
    assert_eq!((answer.word, answer.view.left), (Word::Granted, 3 * SECOND));
    assert_eq!(store.message, None);
}

#[test]
fn demand_is_told_to_the_holder_once() {
    let mut store = Store::new();
    store.open("a");
    store.after(30 * SECOND);
    store.lease("a", "t");
    store.lease("b", "u");
    assert!(store.message.is_some());
    store.lease("c", "v");
    assert_eq!(store.message, None);
    assert_eq!(store.lease("a", "t"), Word::Wanted);
    assert_eq!(
        store.word(
            "a",
            Op::Yield {
                name: "x".into(),
                token: "t".into()
            }
        ),
        Word::Yielded
    );
    assert_eq!(store.lease("b", "u"), Word::Granted);
    assert!(!store.record().wanted);
}

// Ends

#[test]
fn hostile_end_does_not_move_with_the_time() {
    for phase in ["o", "h"] {
        let mut store = Store::new();
        let end = 9_007_199_254_740_991_u64;
        let text = format!("{START} {phase} {end} 5000000 0 b rate t {end} 5000000 0 1 -");
        store.table.put("x", &text, START.into_version());
        assert_ne!(store.lease("a", "u"), Word::Granted);
        store.after(4 * SECOND);
        assert_ne!(store.lease("a", "u"), Word::Granted);
        store.after(SECOND);
        assert_eq!(store.lease("a", "u"), Word::Granted, "{phase}");
    }
}

trait IntoVersion {
    fn into_version(self) -> Version;
}

impl IntoVersion for Micros {
    fn into_version(self) -> Version {
        Version(self.0)
    }
}

#[test]
fn clock_that_is_behind_lengthens_no_open_period() {
    let mut store = Store::new();
    store.open("a");
    // A failover to a store whose clock is 20 minutes behind.
    store.now = store.now.before(HOUR / 3);
    assert_eq!(store.lease("b", "u"), Word::Early);
    store.after(30 * SECOND);
    assert_eq!(store.lease("b", "u"), Word::Granted);
}

#[test]
fn record_is_capped_at_the_longest_open_period() {
    let mut store = Store::new();
    let trip = Trip {
        duration: 900 * SECOND,
        quorum: 1,
        ..store.trip()
    };
    let answer = store.submit("a", trip_op(trip));
    assert_eq!(answer.view.left, 600 * SECOND);
    assert_eq!(
        store.message.as_ref().unwrap().records[0].left,
        600 * SECOND
    );
    store.after(300 * SECOND);
    assert_eq!(store.record().left(store.now), 300 * SECOND);
    store.after(300 * SECOND);
    assert_eq!(store.lease("b", "u"), Word::Granted);
}

#[test]
fn only_the_opener_lengthens_an_open_period() {
    let mut store = Store::new();
    store.open("a");
    let asked = Trip {
        why: Why::Asked,
        duration: 500 * SECOND,
        ..store.trip()
    };
    assert_eq!(store.word("b", trip_op(asked.clone())), Word::Joined);
    assert_eq!(store.record().left(store.now), 30 * SECOND);
    assert_eq!(store.word("a", trip_op(asked)), Word::Joined);
    assert_eq!(store.record().left(store.now), 500 * SECOND);
    assert!(store.message.is_some());
    let shorter = Trip {
        why: Why::Asked,
        duration: SECOND,
        ..store.trip()
    };
    store.word("a", trip_op(shorter));
    assert_eq!(store.record().left(store.now), 500 * SECOND);
}

#[test]
fn close_keeps_the_attempt_for_a_while() {
    for (wait, attempt) in [(29, 7), (30, 0)] {
        let mut store = Store::new();
        let trip = Trip {
            attempt: 7,
            quorum: 1,
            ..store.trip()
        };
        store.submit("a", trip_op(trip));
        store.after(30 * SECOND);
        store.lease("a", "t");
        store.word("a", done("t", None));
        store.after(wait * SECOND);
        assert_eq!(store.open("b").view.attempt, attempt);
    }
}

// Versions

#[test]
fn version_carries_over_what_the_writer_has_seen() {
    let mut store = Store::new();
    let seen = Version(store.now.0 + 60_000_000);
    let op = trip_op(Trip {
        quorum: 1,
        ..store.trip()
    });
    let (submitted, _) = store.table.submit(&hello("a", "a"), seen, &[op], store.now);
    assert_eq!(submitted.head, Version(seen.0 + 1));
}

#[test]
fn head_and_seen_too_far_ahead_are_ignored() {
    let far = Version(START.0 + 3_600_000_001);
    let mut store = Store::new();
    store.table.set_head(far);
    let op = trip_op(Trip {
        quorum: 1,
        ..store.trip()
    });
    let (submitted, message) = store.table.submit(&hello("a", "a"), far, &[op], store.now);
    assert_eq!(submitted.head, Version(START.0));
    assert_eq!(message.unwrap().previous, Version(0));
}

#[test]
fn record_too_far_ahead_is_rewritten() {
    let mut store = Store::new();
    let far = START.after(2 * HOUR);
    let text = format!("{far} o {far} 600000000 0 b rate - 0 0 0 0 -");
    store.table.put("x", &text, far.into_version());
    assert_eq!(store.pull(Version(0)).records, []);
    assert_eq!(store.open("a").view.version, Version(START.0));
    assert_eq!(store.pull(Version(0)).records.len(), 1);
}

#[test]
fn versions_of_a_record_rise_without_a_head() {
    let mut store = Store::new();
    let ahead = START.after(HOUR / 2);
    let text = format!("{ahead} c 0 0 0 b succeeded - 0 0 0 0 -");
    store.table.put("x", &text, ahead.into_version());
    assert_eq!(store.open("a").view.version, Version(ahead.0 + 1));
}

// Pages and retention

#[test]
fn pull_returns_each_record_once_for_any_limit() {
    for limit in 0..=8 {
        let mut store = Store::new();
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            let trip = Trip {
                quorum: 1,
                ..store.trip()
            };
            store.submit(
                "a",
                Op::Trip {
                    name: name.into(),
                    trip,
                },
            );
        }
        let (mut since, mut names) = (Version(0), Vec::new());
        loop {
            let page = store.table.pull(&hello("a", "a"), since, limit, store.now);
            names.extend(page.records.into_iter().map(|record| record.name));
            since = page.next;
            if !page.more {
                break;
            }
        }
        assert_eq!(names.concat(), "abcdefg", "limit {limit}");
        assert_eq!(since, store.table.head());
    }
}

#[test]
fn closed_record_is_forgotten_after_the_retention() {
    let mut store = Store::new();
    store.open_and_close();
    store.after(RETENTION).pull(Version(0));
    assert_eq!(store.record().phase, Phase::Closed);
    store.after(SECOND).pull(Version(0));
    assert_eq!(store.record().phase, Phase::Absent);
}

#[test]
fn held_lease_outlives_the_retention() {
    let mut store = Store::new();
    store.open("a");
    store.after(30 * SECOND);
    store.lease("a", "t");
    store.after(RETENTION + HOUR);
    store.lease("a", "t");
    store.pull(Version(0));
    assert_eq!(store.record().phase, Phase::Leased);
}

#[test]
fn open_record_is_kept_for_the_retention_after_its_end() {
    let mut store = Store::new();
    store.open("a");
    store.after(RETENTION).pull(Version(0));
    assert_eq!(store.record().phase, Phase::Open);
    store.after(31 * SECOND).pull(Version(0));
    assert_eq!(store.record().phase, Phase::Absent);
}

#[test]
fn unknown_fields_survive_every_operation() {
    let mut store = Store::new();
    let text = "5 c 0 0 0 a succeeded - 0 0 4 0 - later fields";
    store.table.put("x", text, Version(5));
    let mut check = |op: Op, word: Word| {
        assert_eq!(store.word("a", op), word);
        assert_eq!(store.record().rest, "later fields");
        store.after(40 * SECOND);
    };
    let trip = Trip {
        at: START,
        ..Store::new().trip()
    };
    check(trip_op(trip.clone()), Word::Voting(1));
    check(
        trip_op(Trip {
            quorum: 1,
            duration: 60 * SECOND,
            ..trip
        }),
        Word::Opened,
    );
    check(lease("t", None), Word::Granted);
    check(lease("t", None), Word::Granted);
    check(
        Op::Yield {
            name: "x".into(),
            token: "t".into(),
        },
        Word::Yielded,
    );
    check(lease("t", None), Word::Granted);
    check(done("t", None), Word::Closed);
}

#[test]
fn argument_out_of_bounds_is_bad() {
    let mut store = Store::new();
    let trip = store.trip();
    let mut bad = vec![
        trip_op(Trip {
            duration: RETENTION + Duration::from_micros(1),
            ..trip.clone()
        }),
        trip_op(Trip {
            attempt: 1_001,
            ..trip.clone()
        }),
        trip_op(Trip {
            quorum: 0,
            ..trip.clone()
        }),
        trip_op(Trip {
            quorum: 65,
            ..trip.clone()
        }),
        Op::Close {
            name: String::new(),
        },
        Op::Close {
            name: "x".repeat(257),
        },
    ];
    bad.extend(["", "-", "a b", "é"].map(|token| lease(token, None)));
    for op in bad {
        assert_eq!(store.word("a", op.clone()), Word::Bad, "{op:?}");
    }
    assert_eq!(store.table.records().count(), 0);
}
