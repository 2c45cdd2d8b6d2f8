//! Parses the replies of scripts, which are lists of texts.

use breakerbox_fleet::protocol::{
    Answer, Command, CommandTable, CommandWord, MAX_PAGE, Micros, Op, RecordView, Version, Word,
    parse_number,
};
use breakerbox_fleet::store::{Commanded, Pulled, StoreError, Submitted};

/// The longest reason of a store that accepts no writes, in characters.
const MAX_REASON: usize = 256;

/// Parses the reply to [`SUBMIT`](super::SUBMIT) for these operations.
///
/// # Errors
///
/// Returns [`StoreError::Protocol`] if the reply has another format, or does not answer each operation.
pub fn parse_submitted(reply: &[String], ops: &[Op]) -> Result<Submitted, StoreError> {
    let malformed = || StoreError::Protocol("the reply to `submit` is malformed".into());
    submitted(reply, ops).ok_or_else(malformed)
}

/// Parses the reply to [`COMMAND`](super::COMMAND).
///
/// # Errors
///
/// Returns [`StoreError::Protocol`] if the reply has another format.
pub fn parse_commanded(reply: &[String]) -> Result<Commanded, StoreError> {
    let malformed = || StoreError::Protocol("the reply to `command` is malformed".into());
    commanded(reply).ok_or_else(malformed)
}

/// Parses the text of all commands of a server whose time is `now`.
pub fn parse_commands(text: &str, now: Micros) -> Vec<Command> {
    CommandTable::read(text, now).commands(now)
}

/// Parses the reply to [`PULL`](super::PULL). Malformed records are left out: a foreign name in the
/// store must not hide all others.
///
/// # Errors
///
/// Returns [`StoreError::Protocol`] if the reply has another format.
pub fn parse_pulled(reply: &[String]) -> Result<Pulled, StoreError> {
    let malformed = || StoreError::Protocol("the reply to `pull` is malformed".into());
    pulled(reply).ok_or_else(malformed)
}

fn submitted(reply: &[String], ops: &[Op]) -> Option<Submitted> {
    let [head, now, nodes, unpublished, answers @ ..] = reply else {
        return None;
    };
    if answers.len() != ops.len() {
        return None;
    }
    let answers = answers.iter().zip(ops).map(|(text, op)| answer(text, op));
    Some(Submitted {
        head: Version(parse_number(head)?),
        now: Micros(parse_number(now)?),
        nodes: parse_number(nodes)?,
        is_unpublished: flag(unpublished)?,
        answers: answers.collect::<Option<_>>()?,
    })
}

fn commanded(reply: &[String]) -> Option<Commanded> {
    let [head, now, word, unpublished, commands] = reply else {
        return None;
    };
    let now = Micros(parse_number(now)?);
    Some(Commanded {
        head: Version(parse_number(head)?),
        now,
        word: CommandWord::parse(word)?,
        is_unpublished: flag(unpublished)?,
        commands: parse_commands(commands, now),
    })
}

/// Parses the answer to one operation. The script shows a malformed name as `-`.
fn answer(text: &str, op: &Op) -> Option<Answer> {
    let mut answer = Answer::parse(text)?;
    if answer.word == Word::Bad && answer.view.name == "-" {
        op.name().clone_into(&mut answer.view.name);
    }
    (answer.view.name == op.name()).then_some(answer)
}

fn pulled(reply: &[String]) -> Option<Pulled> {
    let [head, next, more, now, nodes, read_only, members, lines @ ..] = reply else {
        return None;
    };
    let members = usize::try_from(parse_number(members)?).ok()?;
    let (members, records) = lines.split_at_checked(members)?;
    if members.len() > MAX_PAGE || records.len() > MAX_PAGE {
        return None;
    }
    let mut members = members.to_vec();
    members.sort();
    let reason: String = read_only.chars().take(MAX_REASON).collect();
    Some(Pulled {
        head: Version(parse_number(head)?),
        next: Version(parse_number(next)?),
        more: flag(more)?,
        now: Micros(parse_number(now)?),
        nodes: parse_number(nodes)?,
        members,
        read_only: (!reason.is_empty()).then_some(reason),
        records: records
            .iter()
            .filter_map(|line| RecordView::parse(line).ok())
            .collect(),
        // Read separately, because the script may not have the permission.
        commands: None,
    })
}

fn flag(field: &str) -> Option<bool> {
    match field {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    fn close(name: &str) -> Op {
        Op::Close { name: name.into() }
    }

    #[test]
    fn submit_reply_is_parsed() {
        let reply = texts(&["9", "8", "2", "0", "closed|a|b 9 c 0 2 web-1 command 0"]);
        let submitted = parse_submitted(&reply, &[close("a|b")]).unwrap();
        assert_eq!((submitted.head, submitted.nodes), (Version(9), 2));
        assert_eq!(submitted.answers[0].word, Word::Closed);
        assert_eq!(submitted.answers[0].view.name, "a|b");
    }

    #[test]
    fn bad_answer_without_name_gets_the_name() {
        let reply = texts(&["9", "8", "2", "0", "bad|- 0 - 0 0 - - 0"]);
        let submitted = parse_submitted(&reply, &[close("")]).unwrap();
        assert_eq!(submitted.answers[0].view.name, "");
    }

    #[test]
    fn malformed_submit_reply_is_rejected() {
        for reply in [
            &[][..],
            &["9", "8", "2"],
            &["9", "8", "2", "0"],
            &["9", "8", "2", "2", "closed|a 9 c 0 2 - - 0"],
            &["9", "-8", "2", "0", "closed|a 9 c 0 2 - - 0"],
            &["9", "8", "2", "0", "closed|b 9 c 0 2 - - 0"],
            &["9", "8", "2", "0", "shut|a 9 c 0 2 - - 0"],
            &[
                "9",
                "8",
                "2",
                "0",
                "closed|a 9 c 0 2 - - 0",
                "closed|a 9 c 0 2 - - 0",
            ],
        ] {
            assert!(
                parse_submitted(&texts(reply), &[close("a")]).is_err(),
                "{reply:?}"
            );
        }
    }

    #[test]
    fn command_reply_is_parsed() {
        let commands = "a 8 f 9 web-1 - INC";
        let reply = texts(&["9", "8", "accepted", "0", commands]);
        let commanded = parse_commanded(&reply).unwrap();
        assert_eq!(commanded.word, CommandWord::Accepted);
        assert_eq!(commanded.commands[0].reason, "INC");
        for reply in [
            &[][..],
            &["9", "8", "accepted", "0"],
            &["9", "8", "said", "0", ""],
            &["9", "8", "accepted", "2", ""],
            &["9", "x", "accepted", "0", ""],
        ] {
            assert!(parse_commanded(&texts(reply)).is_err(), "{reply:?}");
        }
    }

    #[test]
    fn pull_reply_is_parsed() {
        let reply = texts(&[
            "9",
            "7",
            "1",
            "8",
            "2",
            "",
            "2",
            "b/b",
            "a/a",
            "x 7 o 5 0 b rate 0",
        ]);
        let pulled = parse_pulled(&reply).unwrap();
        assert_eq!((pulled.next, pulled.more), (Version(7), true));
        assert_eq!(pulled.members, ["a/a", "b/b"]);
        assert_eq!(pulled.read_only, None);
        assert_eq!(pulled.records[0].name, "x");
    }

    #[test]
    fn foreign_record_is_left_out_of_a_pull() {
        let reply = texts(&[
            "9",
            "7",
            "0",
            "8",
            "2",
            "OOM",
            "0",
            "a b",
            "x 7 o 5 0 b rate 0",
        ]);
        let pulled = parse_pulled(&reply).unwrap();
        assert_eq!(pulled.records.len(), 1);
        assert_eq!(pulled.read_only.as_deref(), Some("OOM"));
    }

    #[test]
    fn malformed_pull_reply_is_rejected() {
        for reply in [
            &[][..],
            &["9", "7", "0", "8", "2", ""],
            &["9", "7", "0", "8", "2", "", "1"],
            &["9", "7", "0", "8", "2", "", "-"],
            &["9", "7", "x", "8", "2", "", "0"],
            &["9", "1e3", "0", "8", "2", "", "0"],
        ] {
            assert!(parse_pulled(&texts(reply)).is_err(), "{reply:?}");
        }
    }
}
