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
