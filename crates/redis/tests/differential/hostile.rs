//! Hostile keys, records, arguments and users: nothing is lost, and nothing throws.

use crate::common::steps::{self, START, hello};
use crate::common::subject::Subject;
use crate::lua::Lua;
use crate::server::Server;
use breakerbox_fleet::protocol::{
    LeaseRequest, Message, Micros, Op, Opening, Phase, Restoration, Version, Why, Word,
};
use breakerbox_fleet::store::{Hello, Pulled, Submitted};
use breakerbox_redis::script::{COMMAND, PULL, SUBMIT};
use std::time::Duration;

pub(crate) fn trip(name: &str) -> Op {
    steps::trip(name, 1)
}

/// Returns one operation of each kind on this name.
pub(crate) fn all_ops(name: &str) -> Vec<Op> {
    let opening = Opening {
        duration: Duration::from_secs(30),
        attempt: 1,
        why: Why::Trial,
    };
    vec![
        trip(name),
        Op::Lease {
            name: name.into(),
            request: LeaseRequest {
                token: "t1".into(),
                duration: Duration::from_secs(3),
                demand: true,
                opened_by_fleet: Some(1),
            },
        },
        Op::Yield {
            name: name.into(),
            token: "t1".into(),
        },
        Op::Done {
            name: name.into(),
            token: "t1".into(),
            opening: None,
        },
        Op::Done {
            name: name.into(),
            token: "t1".into(),
            opening: Some(opening),
        },
        Op::Unvote { name: name.into() },
        Op::Restore {
            name: name.into(),
            restoration: Restoration {
                left: Duration::from_secs(5),
                attempt: 1,
                by: "i1".into(),
                why: "rate".into(),
                version: Version(5),
            },
        },
        Op::Close { name: name.into() },
    ]
}

fn submit(lua: &mut Lua, ops: &[Op]) -> (Submitted, Vec<String>) {
    lua.submit(&hello("n1", "i1"), Version(0), ops, START)
}

fn words(submitted: &Submitted) -> Vec<&Word> {
    submitted
        .answers
        .iter()
        .map(|answer| &answer.word)
        .collect()
}

fn pull_all(lua: &mut Lua, limit: usize) -> Vec<Pulled> {
    let mut pages = Vec::new();
    let mut since = Version(0);
    loop {
        let page = lua.pull(&hello("n1", "i1"), since, limit, START);
        let (next, more) = (page.next, page.more);
        pages.push(page);
        assert!(pages.len() < 100, "paging does not end: {pages:#?}");
        if !more {
            return pages;
        }
        assert!(next > since);
        since = next;
    }
}

/// Returns all keys and their contents.
pub(crate) fn contents(lua: &mut Lua) -> Vec<(String, Vec<u8>)> {
    let mut keys: Vec<String> = lua.run("KEYS", &["*"]);
    keys.sort();
    let dumps = keys.into_iter().map(|key| {
        let dump = lua.run("DUMP", &[&key]);
        (key, dump)
    });
    dumps.collect()
}

#[test]
fn wrong_type_at_any_key_fails_every_operation() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let keys = lua.keys.declared().map(str::to_owned);
    for key in &keys {
        let kind = all_ops("x").len();
        for (kind, position) in (0..kind).flat_map(|kind| (0..3).map(move |at| (kind, at))) {
            lua.flush();
            // Lists are used nowhere.
            let _: u64 = lua.run("LPUSH", &[key, "x"]);
            let before = contents(&mut lua);
            let mut ops = vec![trip("a"), trip("b"), trip("c")];
            ops[position] = all_ops("x")[kind].clone();
            let (submitted, messages) = submit(&mut lua, &ops);
            let failed = Word::Failed(format!("wrong type at {key}"));
            assert_eq!(words(&submitted), [&failed; 3], "{:?}", ops[position]);
            assert_eq!(messages, [""; 0]);
            assert_eq!(contents(&mut lua), before);
        }
        let pulled = lua.pull(&hello("n1", "i1"), Version(0), 10, START);
        let why = pulled.read_only.unwrap();
        assert!(why.contains(&format!("wrong type at {key}")), "{why}");
    }
}

#[test]
fn wrong_type_at_operator_key_changes_nothing() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let key = lua.keys.operator.clone();
    let _: u64 = lua.run("LPUSH", &[&key, "x"]);
    let (submitted, messages) = submit(&mut lua, &[trip("a")]);
    assert_eq!(
        (words(&submitted), messages.len()),
        (vec![&Word::Opened], 1)
    );
}

#[test]
fn operation_that_throws_loses_no_other() {
    let Some(server) = Server::start() else {
        return;
    };
    let throwing = SUBMIT.text().replace(
        "function operations.unvote(record)\n",
        "function operations.unvote(record)\n  error('a|b\\n' .. string.rep('x', 999))\n",
    );
    let mut lua = Lua::with(&server, &throwing, PULL.text(), COMMAND.text());
    for position in 0..3 {
        lua.flush();
        let mut ops = vec![trip("a"), trip("b")];
        ops.insert(position, Op::Unvote { name: "z".into() });
        let (submitted, messages) = submit(&mut lua, &ops);
        let mut words = words(&submitted);
        let failed = words.remove(position);
        assert!(
            matches!(failed, Word::Failed(why) if why.contains("a?b?xxx")),
            "{failed:?}"
        );
        assert_eq!(words, [&Word::Opened; 2]);
        let message = Message::parse(&messages[0]).unwrap();
        assert_eq!(message.records.len(), 2);
        assert_eq!(message.version, submitted.head);
    }
}

#[test]
fn failed_write_leaves_gap_in_messages() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let (first, _) = submit(&mut lua, &[trip("a")]);
    // A user who may write the head, but not the records.
    let rules = "SETUSER half on nopass ~* &* +@all -hset";
    let _: () = lua.run("ACL", &rules.split(' ').collect::<Vec<_>>());
    let _: () = lua.run("AUTH", &["half", "x"]);
    let (second, messages) = submit(&mut lua, &[trip("b")]);
    assert!(matches!(words(&second)[0], Word::Failed(_)), "{second:?}");
    assert_eq!(messages, [""; 0]);
    let _: () = lua.run("AUTH", &["default", ""]);
    let (_, messages) = submit(&mut lua, &[trip("c")]);
    let message = Message::parse(&messages[0]).unwrap();
    assert!(message.previous > first.head);
}

#[test]
fn short_argument_list_is_bad_and_keeps_earlier_operations() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let hello = hello("n1", "i1");
    for op in all_ops("x") {
        let arguments = lua
            .sender(&hello, START)
            .submit(Version(0), &[trip("a"), op.clone()]);
        let first = lua
            .sender(&hello, START)
            .submit(Version(0), &[trip("a")])
            .len();
        for length in first + 1..arguments.len() {
            lua.flush();
            let reply = lua.submit_raw(&arguments[..length]).unwrap();
            assert!(reply[4].starts_with("opened|a "), "{reply:?}");
            assert_eq!(reply[5..], ["bad|- 0 - 0 0 - - 0"], "{op:?}");
        }
    }
    for length in 0..7 {
        lua.flush();
        let arguments = lua.sender(&hello, START).submit(Version(0), &[]);
        let reply = lua.submit_raw(&arguments[..length]);
        // Only the version that the sender has seen may be missing.
        if length < 6 {
            assert_eq!(reply.unwrap_err().code(), Some("BB1"));
            assert_eq!(contents(&mut lua), []);
        }
        assert!(lua.pull_raw(&arguments[..length]).is_err());
    }
}

#[test]
fn missing_or_malformed_argument_of_operation_is_bad() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let hello = hello("n1", "i1");
    let start = lua.sender(&hello, START).submit(Version(0), &[]).len();
    for op in all_ops("x") {
        let arguments = lua
            .sender(&hello, START)
            .submit(Version(0), std::slice::from_ref(&op));
        let values = start + 3;
        for at in values..arguments.len() {
            // An operation whose number of arguments is smaller, as from an older client.
            let mut fewer = arguments[..at].to_vec();
            fewer[start + 2] = (at - values).to_string();
            let mut junk = arguments.clone();
            junk[at] = "1 2".into();
            for arguments in [fewer, junk] {
                lua.flush();
                let reply = lua.submit_raw(&arguments).unwrap();
                assert_eq!(reply[4..], ["bad|x 0 - 0 0 - - 0"], "{arguments:?}");
                assert_eq!(lua.records(), []);
            }
        }
    }
}

#[test]
fn later_client_is_understood_in_part() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let hello = hello("n1", "i1");
    let mut arguments = lua.sender(&hello, START).submit(Version(0), &[trip("a")]);
    let count = arguments.len() - 9;
    assert_eq!(arguments[count], "8");
    // One more argument, an unknown operation, and a known one after it.
    arguments[count] = "9".into();
    arguments.push("later".into());
    arguments.extend(["merge", "b", "2", "x", "y", "close", "a", "0"].map(str::to_owned));
    let reply = lua.submit_raw(&arguments).unwrap();
    assert!(reply[4].starts_with("opened|a "), "{reply:?}");
    assert_eq!(reply[5], "bad|b 0 - 0 0 - - 0");
    assert!(reply[6].starts_with("closed|a "), "{reply:?}");
    arguments[0] = "2".into();
    let refused = lua.submit_raw(&arguments).unwrap_err().to_string();
    assert!(refused.contains("unknown protocol"), "{refused}");
}

#[test]
fn missing_time_is_refused() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let hello = hello("n1", "i1");
    let arguments = lua
        .sender(&hello, Micros(0))
        .submit(Version(0), &[trip("a")]);
    let refused = lua.submit_raw(&arguments).unwrap_err().to_string();
    assert!(refused.contains("time"), "{refused}");
    assert_eq!(contents(&mut lua), []);
}

/// Returns the script of a later version, which adds fields to each record that it writes.
fn later_script() -> String {
    let later = SUBMIT.text().replace(
        "local function write(name, record)\n",
        "local function write(name, record)\n  if record.rest == '' then record.rest = 'later 7' end\n",
    );
    assert_ne!(later, SUBMIT.text());
    later
}

#[test]
fn scripts_of_two_versions_keep_unknown_fields() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut old, mut later) = (
        Lua::new(&server),
        Lua::with(&server, &later_script(), PULL.text(), COMMAND.text()),
    );
    let vote = |name: &str| {
        let Op::Trip { name, mut trip } = trip(name) else {
            unreachable!()
        };
        trip.quorum = 3;
        trip.alone = false;
        Op::Trip { name, trip }
    };
    let mut first_ops = all_ops("x");
    first_ops.push(vote("x"));
    for first in &first_ops {
        for second in &first_ops {
            for is_later_first in [false, true] {
                old.flush();
                let mut scripts = [&mut old, &mut later];
                if is_later_first {
                    scripts.reverse();
                }
                let [one, other] = scripts;
                submit(one, std::slice::from_ref(first));
                let written = one.records();
                submit(other, std::slice::from_ref(second));
                let after = other.records();
                // Each later operation of the old script keeps what the other has added.
                submit(one, std::slice::from_ref(first));
                let texts = |records: &[(String, String)]| {
                    records
                        .iter()
                        .map(|(_, text)| text.clone())
                        .collect::<Vec<_>>()
                };
                if is_later_first {
                    let kept = texts(&written)
                        .iter()
                        .all(|text| text.ends_with(" later 7"));
                    assert!(kept, "{written:?}");
                    let kept = texts(&after).iter().all(|text| text.ends_with(" later 7"));
                    let is_removed = *second == Op::Unvote { name: "x".into() };
                    assert!(
                        kept || written.is_empty() || is_removed,
                        "{first:?} {second:?} {after:?}"
                    );
                } else if after != written && !after.is_empty() {
                    let added = texts(&after).iter().all(|text| text.ends_with(" later 7"));
                    assert!(added, "{first:?} {second:?} {after:?}");
                    let kept = texts(&old.records());
                    let kept = kept.iter().all(|text| text.ends_with(" later 7"));
                    assert!(kept, "{first:?} {second:?}");
                }
            }
        }
    }
}

#[test]
fn pull_pages_over_records_that_are_gone() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let names: Vec<String> = (0..12).map(|number| format!("x{number}")).collect();
    for limit in 0..=13 {
        lua.flush();
        let ops: Vec<_> = names.iter().map(|name| trip(name)).collect();
        let (submitted, _) = submit(&mut lua, &ops);
        let (records, index) = (lua.keys.records.clone(), lua.keys.index.clone());
        let _: u64 = lua.run("HDEL", &[&records, "x3", "x4", "x5", "x6", "x7"]);
        let pages = pull_all(&mut lua, limit);
        let pulled = pages.iter().flat_map(|page| &page.records);
        let pulled: Vec<_> = pulled.map(|record| record.name.as_str()).collect();
        assert_eq!(
            pulled,
            ["x0", "x1", "x2", "x8", "x9", "x10", "x11"],
            "limit {limit}"
        );
        assert_eq!(pages.last().unwrap().next, submitted.head);
        let listed: u64 = lua.run("ZCARD", &[&index]);
        assert_eq!(listed, 7);
    }
}

#[test]
fn foreign_scores_and_names_do_not_stop_a_pull() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let (records, index, members) = (
        lua.keys.records.clone(),
        lua.keys.index.clone(),
        lua.keys.members.clone(),
    );
    let record = format!("{START} o 1790000009123457 9000000 0 i1 rate - 0 0 0 0 -");
    let inject = format!("x 9 c 0 0 - - 0\nx {START}");
    let foreign = [
        "inf",
        "-inf",
        "-5",
        "1.5",
        "1.25",
        "1e300",
        "0.5",
        "9007199254740993",
    ];
    for (score, name) in foreign.iter().zip(["a", "b", "c", "d", "e", "f", "g", "h"]) {
        let _: u64 = lua.run("ZADD", &[&index, score, name]);
        let _: u64 = lua.run("HSET", &[&records, name, &record]);
    }
    for name in [inject.as_str(), "a b", "%41%", "{x}", "\u{7f}", "é"] {
        let _: u64 = lua.run("ZADD", &[&index, "7", name]);
        let _: u64 = lua.run("HSET", &[&records, name, &record]);
    }
    let now = START.to_string();
    for member in ["n1 /i1", "n1/i1/x", "/i1", "\nn1/i1", "é/é"] {
        let _: u64 = lua.run("ZADD", &[&members, &now, member]);
    }
    submit(&mut lua, &[trip("x")]);
    for limit in 1..=20 {
        let pages = pull_all(&mut lua, limit);
        let pulled: Vec<_> = pages.iter().flat_map(|page| page.records.clone()).collect();
        assert!(
            pulled
                .iter()
                .any(|record| record.name == "x" && record.phase == Phase::Open)
        );
        assert_eq!(pages[0].members, ["n1/i1"]);
    }
}

#[test]
fn every_write_and_pull_moves_the_expiry() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    submit(&mut lua, &[trip("a")]);
    let keys = lua.keys.declared().map(str::to_owned);
    let day = 24 * 60 * 60 * 1_000;
    let submitted = |lua: &mut Lua| drop(submit(lua, &all_ops("a")));
    let pulled = |lua: &mut Lua| drop(pull_all(lua, 10));
    for renew in [submitted, pulled] {
        for key in &keys {
            let _: u64 = lua.run("PEXPIRE", &[key, "60000"]);
        }
        renew(&mut lua);
        for key in &keys {
            let left: i64 = lua.run("PTTL", &[key]);
            assert!((day - 60_000..=day).contains(&left), "{key}: {left}");
        }
    }
}

#[test]
fn forbidden_channel_is_reported_and_the_write_stands() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let rules = "SETUSER mute on nopass ~* resetchannels +@all";
    let _: () = lua.run("ACL", &rules.split(' ').collect::<Vec<_>>());
    let _: () = lua.run("AUTH", &["mute", "x"]);
    let arguments = lua
        .sender(&hello("n1", "i1"), START)
        .submit(Version(0), &[trip("a")]);
    let reply = lua.submit_raw(&arguments).unwrap();
    assert_eq!(reply[3], "1");
    assert_eq!(lua.records().len(), 1);
}

#[test]
fn user_of_the_readme_may_run_the_scripts() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let readme = include_str!("../../README.md");
    let rules = readme
        .split("```text\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    // The braces are part of the keys of any namespace.
    let rules = rules.replace("bb1:{default}", "bb1:{test}");
    let mut command = vec!["SETUSER", "fleet", "on", "nopass"];
    // Redis 7.2 has added this one, which clients may lack.
    command.extend(
        rules
            .split_whitespace()
            .filter(|rule| *rule != "+client|setinfo"),
    );
    // For the other commands of this test.
    command.extend(["+hgetall", "+auth", "+script|load"]);
    let _: () = lua.run("ACL", &command);
    let _: () = lua.run("AUTH", &["fleet", "x"]);
    for op in all_ops("x") {
        let (submitted, _) = submit(&mut lua, &[op, trip("a")]);
        assert!(
            !matches!(words(&submitted)[0], Word::Failed(_)),
            "{submitted:?}"
        );
        assert!(!submitted.is_unpublished);
    }
    let pulled = lua.pull(&hello("n1", "i1"), Version(0), 10, START);
    assert_eq!((pulled.read_only, pulled.members.len()), (None, 1));
    lua.leave(&hello("n1", "i1"));
}

/// Fills the store, or makes it read-only, and checks that a pull reports this and still reads.
fn check_without_writes(lua: &mut Lua, reason: &str) {
    let before = lua.records();
    let (submitted, messages) = submit(lua, &[trip("b"), Op::Close { name: "a".into() }]);
    for word in words(&submitted) {
        assert!(
            matches!(word, Word::Failed(why) if why.contains(reason)),
            "{word:?}"
        );
    }
    assert_eq!(messages, [""; 0]);
    assert_eq!(lua.records(), before);
    let pulled = lua.pull(&hello("n1", "i1"), Version(0), 10, START);
    assert!(
        pulled
            .read_only
            .as_ref()
            .is_some_and(|why| why.contains(reason)),
        "{pulled:?}"
    );
    assert_eq!(pulled.records.len(), 1);
}

#[test]
fn full_store_answers_pulls() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    submit(&mut lua, &[trip("a")]);
    let _: () = lua.run("CONFIG", &["SET", "maxmemory", "1"]);
    check_without_writes(&mut lua, "OOM");
}

#[test]
fn replica_answers_pulls() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    submit(&mut lua, &[trip("a")]);
    // Nothing listens at this address, and the replica serves what it has.
    let _: () = lua.run("REPLICAOF", &["127.0.0.1", "1"]);
    check_without_writes(&mut lua, "READONLY");
}

#[test]
fn largest_batch_and_page_fit() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let hello: Hello = hello("n1", "i1");
    for batch in 0..4 {
        let ops: Vec<_> = (0..256)
            .map(|number| trip(&format!("x{batch}-{number}")))
            .collect();
        let (submitted, messages) = submit(&mut lua, &ops);
        assert_eq!(submitted.answers.len(), 256);
        assert_eq!(Message::parse(&messages[0]).unwrap().records.len(), 256);
    }
    let pulled = lua.pull(&hello, Version(0), usize::MAX, START);
    assert_eq!((pulled.records.len(), pulled.more), (1_000, true));
}
