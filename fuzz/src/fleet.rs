//! The texts of a fleet: messages, records, commands and replies of stores.

use crate::input::{Input, length};
use arbitrary::Result;
use breakerbox_fleet::protocol::{
    Answer, Command, CommandTable, LONGEST_COMMAND, LeaseRequest, MAX_ATTEMPT, MAX_COMMANDS,
    MAX_PAGE, Message, Micros, NodeId, Op, Opening, RETENTION, Record, RecordView, Restoration,
    Trip, Version, Why,
};
use breakerbox_fleet::store::{Hello, Table};
use breakerbox_redis::script::{parse_commanded, parse_pulled, parse_submitted};
use std::time::Duration;

const NOW: Micros = Micros(1_790_000_000_123_457);
const MAX_OPEN: Duration = Duration::from_mins(10);

/// Parses any text as a message. What is parsed survives its text.
pub(crate) fn message(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(message) = Message::parse(&text) {
        assert!(message.previous < message.version);
        assert_eq!(Message::parse(&message.to_string()), Ok(message));
    }
    commands(&text);
    if let Ok(view) = RecordView::parse(&text) {
        assert!(view.attempt <= MAX_ATTEMPT);
        assert_eq!(RecordView::parse(&view.to_string()), Ok(view));
    }
}

/// Reads any text as the commands of a store. Applies each of them again, to a store that lost them.
fn commands(text: &str) {
    let table = CommandTable::read(text, NOW);
    assert_eq!(CommandTable::read(&table.to_string(), NOW), table);
    let commands = table.commands(NOW);
    assert!(commands.len() <= MAX_COMMANDS);
    let mut restored = CommandTable::default();
    for command in &commands {
        assert!(command.left <= command.verb.longest().max(LONGEST_COMMAND));
        assert!(Command::is_pattern(&command.pattern));
        let (word, head) = restored.say(command, Version(0), Version(0), NOW);
        assert!(head.is_some_and(|head| head >= command.version), "{word:?}");
    }
    assert_eq!(restored.commands(NOW), commands);
}

/// Reads the first line as a record, and applies operations from the other bytes to it.
pub(crate) fn record(data: &[u8]) -> Result<()> {
    let end = data
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(data.len());
    let (line, rest) = data.split_at(end);
    let text = String::from_utf8_lossy(line);
    let read = Record::read(&text, NOW, MAX_OPEN);
    assert!(read.left(NOW) <= MAX_OPEN);
    assert_eq!(Record::read(&read.to_string(), NOW, MAX_OPEN), read);

    let mut table = Table::default();
    table.put("x", &text, Version(read.version.0.max(7)));
    let mut u = Input::new(rest);
    let mut now = NOW;
    let mut latest = read.version;
    while !u.is_empty() {
        let instance = u.choose(&["i1", "i2", "i3"])?;
        let Some(node) = NodeId::new(instance, instance) else {
            return Ok(());
        };
        let Some(hello) = Hello::new("fuzz", node, MAX_OPEN) else {
            return Ok(());
        };
        // The protocol ends with the year 2255.
        now = now.after(length(&mut u)?.min(2 * RETENTION));
        let ops = [op(&mut u, now)?, op(&mut u, now)?];
        let (submitted, message) = table.submit(&hello, latest, &ops, now);
        for answer in submitted.answers {
            assert!(answer.view.left <= MAX_OPEN, "{answer}");
            assert_eq!(Answer::parse(&answer.to_string()), Some(answer));
        }
        if let Some(message) = message {
            assert!(message.records.iter().all(|record| record.version > latest));
            latest = message.version;
            assert_eq!(Message::parse(&message.to_string()), Ok(message));
        }
        table.pull(&hello, Version(0), 2, now);
    }
    Ok(())
}

fn op(u: &mut Input, now: Micros) -> Result<Op> {
    let name = || "x".to_owned();
    let token = u.choose(&["t1", "t2", "-"])?.to_string();
    let attempt = u.int_in_range(0..=MAX_ATTEMPT + 1)?;
    Ok(match u.int_in_range(0..=6)? {
        0 => {
            let trip = Trip {
                duration: length(u)?,
                at: now.before(length(u)?),
                attempt,
                why: *u.choose(&[Why::Rate, Why::Asked])?,
                quorum: u.int_in_range(0..=3)?,
                alone: u.arbitrary()?,
                vote_ttl: length(u)?,
                reset_backoff_after: length(u)?,
            };
            Op::Trip { name: name(), trip }
        }
        1 => {
            let request = LeaseRequest {
                token,
                duration: length(u)?,
                demand: u.arbitrary()?,
                opened_by_fleet: u.arbitrary::<bool>()?.then_some(attempt),
            };
            Op::Lease {
                name: name(),
                request,
            }
        }
        2 => Op::Yield {
            name: name(),
            token,
        },
        3 => {
            let opening = Opening {
                duration: length(u)?,
                attempt,
                why: Why::Trial,
            };
            let opening = u.arbitrary::<bool>()?.then_some(opening);
            Op::Done {
                name: name(),
                token,
                opening,
            }
        }
        4 => Op::Unvote { name: name() },
        5 => {
            let restoration = Restoration {
                left: length(u)?,
                attempt,
                by: token,
                why: "rate".into(),
                version: Version(u.int_in_range(0..=2)?),
            };
            Op::Restore {
                name: name(),
                restoration,
            }
        }
        _ => Op::Close { name: name() },
    })
}

/// Parses any lines as the reply of a script.
pub(crate) fn reply(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    if let Ok(pulled) = parse_pulled(&lines) {
        assert!(pulled.records.len() <= MAX_PAGE && pulled.members.len() <= MAX_PAGE);
        assert!(
            pulled
                .records
                .iter()
                .all(|record| record.attempt <= MAX_ATTEMPT)
        );
    }
    if let Ok(commanded) = parse_commanded(&lines) {
        assert!(commanded.commands.len() <= MAX_COMMANDS);
    }
    for count in 0..3 {
        let ops = vec![Op::Close { name: "x".into() }; count];
        if let Ok(submitted) = parse_submitted(&lines, &ops) {
            assert_eq!(submitted.answers.len(), count);
            assert!(
                submitted
                    .answers
                    .iter()
                    .all(|answer| answer.view.name == "x")
            );
        }
    }
}
