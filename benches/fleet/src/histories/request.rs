//! [`Request`]: a script call, read back from its arguments.

use breakerbox_fleet::protocol::{
    LeaseRequest, NodeId, Op, Opening, Restoration, Trip, Version, Why, decode_name, parse_number,
};
use breakerbox_fleet::store::Hello;
use breakerbox_redis::script::PULL;
use std::time::Duration;

/// A script call.
pub(crate) struct Request {
    pub(crate) hello: Hello,
    pub(crate) body: Body,
}

/// What a script was asked to do.
pub(crate) enum Body {
    Submit { seen: Version, ops: Vec<Op> },
    Pull { since: Version, limit: usize },
}

impl Request {
    /// Reads the words of `EVALSHA` or `EVAL`. Returns `None` for the script of another program.
    pub(crate) fn read(words: &[String], namespace: &str) -> Option<Self> {
        let keys: usize = words.get(2)?.parse().ok()?;
        let arguments = words.get(3 + keys..)?;
        let [_, _, node, instance, max_open, _, rest @ ..] = arguments else {
            return None;
        };
        let node = NodeId::new(node, instance)?;
        let hello = Hello::new(namespace, node, duration(max_open)?)?;
        let is_pull = words[1] == PULL.hash() || words[1] == PULL.text();
        let (first, rest) = rest.split_first()?;
        let first = Version(parse_number(first)?);
        let body = if is_pull {
            let limit = rest.first()?.parse().ok()?;
            Body::Pull {
                since: first,
                limit,
            }
        } else {
            let ops = operations(rest)?;
            Body::Submit { seen: first, ops }
        };
        Some(Self { hello, body })
    }
}

fn operations(mut rest: &[String]) -> Option<Vec<Op>> {
    let mut ops = Vec::new();
    while let [word, name, count, following @ ..] = rest {
        let count: usize = count.parse().ok()?;
        let arguments = following.get(..count)?;
        ops.push(operation(word, decode_name(name)?, arguments)?);
        rest = following.get(count..)?;
    }
    Some(ops)
}

fn operation(word: &str, name: String, arguments: &[String]) -> Option<Op> {
    let text = |index: usize| arguments.get(index).cloned();
    let number = |index: usize| arguments.get(index)?.parse().ok();
    let time = |index: usize| duration(arguments.get(index)?);
    let why = |index: usize| Some(Why::from_code(arguments.get(index)?));
    Some(match word {
        "trip" => Op::Trip {
            name,
            trip: Trip {
                duration: time(0)?,
                at: breakerbox_fleet::protocol::Micros(parse_number(arguments.get(1)?)?),
                attempt: number(2)?,
                why: why(3)?,
                quorum: u16::try_from(number(4)?).ok()?,
                alone: text(5)? == "1",
                vote_ttl: time(6)?,
                reset_backoff_after: time(7)?,
            },
        },
        "lease" => Op::Lease {
            name,
            request: LeaseRequest {
                token: text(0)?,
                duration: time(1)?,
                demand: text(2)? == "1",
                opened_by_fleet: number(3),
            },
        },
        "yield" => Op::Yield {
            name,
            token: text(0)?,
        },
        "done" => Op::Done {
            name,
            token: text(0)?,
            opening: match &*text(1)? {
                "c" => None,
                _ => Some(Opening {
                    duration: time(2)?,
                    attempt: number(3)?,
                    why: why(4)?,
                }),
            },
        },
        "unvote" => Op::Unvote { name },
        "restore" => Op::Restore {
            name,
            restoration: Restoration {
                left: time(0)?,
                attempt: number(1)?,
                by: text(2)?,
                why: text(3)?,
                version: Version(parse_number(arguments.get(4)?)?),
            },
        },
        "close" => Op::Close { name },
        _ => return None,
    })
}

fn duration(micros: &str) -> Option<Duration> {
    parse_number(micros).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakerbox_fleet::protocol::Micros;
    use breakerbox_redis::script::{SUBMIT, Script, Sender};

    const SECOND: Duration = Duration::from_secs(1);

    fn read(script: &Script, arguments: impl FnOnce(&Sender<'_>) -> Vec<String>) -> Request {
        let node = NodeId::new("n3", "n3-1").unwrap();
        let hello = Hello::new("test", node, 600 * SECOND).unwrap();
        let sender = Sender {
            hello: &hello,
            channel: "bb1:{test}",
            clock: Micros(7),
        };
        let mut words = ["EVALSHA", script.hash(), "2", "key", "key"]
            .map(String::from)
            .to_vec();
        words.extend(arguments(&sender));
        let request = Request::read(&words, "test").unwrap();
        assert_eq!(request.hello.node, hello.node);
        assert_eq!(request.hello.max_open, hello.max_open);
        request
    }

    #[test]
    fn submit_is_read_back() {
        let name = || "user: 7%".to_owned();
        let token = || "token".to_owned();
        let opening = Opening {
            duration: SECOND,
            attempt: 3,
            why: Why::Trial,
        };
        let done = |opening| Op::Done {
            name: name(),
            token: token(),
            opening,
        };
        let lease = |opened_by_fleet| Op::Lease {
            name: name(),
            request: LeaseRequest {
                token: token(),
                duration: SECOND,
                demand: true,
                opened_by_fleet,
            },
        };
        let sent = vec![
            Op::Trip {
                name: name(),
                trip: Trip {
                    duration: SECOND,
                    at: Micros(8),
                    attempt: 2,
                    why: Why::Rate,
                    quorum: 2,
                    alone: true,
                    vote_ttl: 10 * SECOND,
                    reset_backoff_after: 30 * SECOND,
                },
            },
            lease(None),
            lease(Some(4)),
            Op::Yield {
                name: name(),
                token: token(),
            },
            done(None),
            done(Some(opening)),
            Op::Unvote { name: name() },
            Op::Restore {
                name: name(),
                restoration: Restoration {
                    left: SECOND,
                    attempt: 1,
                    by: "n1-1".into(),
                    why: "rate".into(),
                    version: Version(9),
                },
            },
            Op::Close { name: name() },
        ];
        let request = read(&SUBMIT, |sender| sender.submit(Version(5), &sent));
        let Body::Submit { seen, ops } = request.body else {
            panic!("a pull");
        };
        assert_eq!((seen, ops), (Version(5), sent));
    }

    #[test]
    fn pull_is_read_back() {
        let request = read(&PULL, |sender| sender.pull(Version(5), 500));
        let is_equal = matches!(
            request.body,
            Body::Pull {
                since: Version(5),
                limit: 500
            }
        );
        assert!(is_equal);
    }
}
