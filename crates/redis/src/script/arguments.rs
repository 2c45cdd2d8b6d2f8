//! [`Sender`]: the arguments of scripts. Their layout never changes.

use breakerbox_fleet::protocol::{
    Command, LeaseRequest, MAX_PAGE, Micros, Op, Opening, Restoration, Trip, Version, encode_name,
};
use breakerbox_fleet::store::Hello;
use std::time::Duration;

/// The number of the protocol. Another layout of the arguments has another number.
const PROTOCOL: &str = "1";

/// The largest number that Lua represents exactly, like all integers below.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// What each call of a script begins with.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The identity of the sender.
    pub hello: &'a Hello,
    /// Where changes are published.
    pub channel: &'a str,
    /// The time of the server as the sender estimates it, for servers without `TIME` in scripts.
    pub clock: Micros,
}

impl Sender<'_> {
    /// Returns the arguments of [`SUBMIT`](super::SUBMIT).
    pub fn submit(&self, seen: Version, ops: &[Op]) -> Vec<String> {
        let mut arguments = self.header();
        arguments.push(number(seen.0));
        for op in ops {
            let (word, values) = operation(op);
            arguments.push(word.to_owned());
            arguments.push(encode_name(op.name()));
            arguments.push(values.len().to_string());
            arguments.extend(values);
        }
        arguments
    }

    /// Returns the arguments of [`PULL`](super::PULL).
    pub fn pull(&self, since: Version, limit: usize) -> Vec<String> {
        let mut arguments = self.header();
        arguments.push(number(since.0));
        arguments.push(limit.clamp(1, MAX_PAGE).to_string());
        arguments
    }

    /// Returns the arguments of [`COMMAND`](super::COMMAND).
    pub fn command(&self, seen: Version, command: &Command) -> Vec<String> {
        let text = |text: &str| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                encode_name(text)
            }
        };
        let mut arguments = self.header();
        arguments.extend([
            number(seen.0),
            encode_name(&command.pattern),
            command.verb.letter().to_owned(),
            micros(command.left),
            command.by.clone(),
            text(&command.actor),
            text(&command.reason),
            number(command.version.0),
        ]);
        arguments
    }

    fn header(&self) -> Vec<String> {
        vec![
            PROTOCOL.to_owned(),
            self.channel.to_owned(),
            self.hello.node.node().to_owned(),
            self.hello.node.instance().to_owned(),
            micros(self.hello.max_open),
            number(self.clock.0),
        ]
    }
}

fn operation(op: &Op) -> (&'static str, Vec<String>) {
    match op {
        Op::Trip { trip, .. } => ("trip", trip_arguments(trip)),
        Op::Lease { request, .. } => ("lease", lease_arguments(request)),
        Op::Yield { token, .. } => ("yield", vec![token.clone()]),
        Op::Done { token, opening, .. } => ("done", done_arguments(token, opening.as_ref())),
        Op::Unvote { .. } => ("unvote", Vec::new()),
        Op::Restore { restoration, .. } => ("restore", restore_arguments(restoration)),
        Op::Close { .. } => ("close", Vec::new()),
        // The script answers `bad`.
        _ => ("unknown", Vec::new()),
    }
}

fn trip_arguments(trip: &Trip) -> Vec<String> {
    vec![
        micros(trip.duration),
        number(trip.at.0),
        trip.attempt.to_string(),
        trip.why.code().to_owned(),
        trip.quorum.to_string(),
        flag(trip.alone),
        micros(trip.vote_ttl),
        micros(trip.reset_backoff_after),
    ]
}

fn lease_arguments(request: &LeaseRequest) -> Vec<String> {
    let restored = request.opened_by_fleet;
    vec![
        request.token.clone(),
        micros(request.duration),
        flag(request.demand),
        restored.map_or_else(|| "-".to_owned(), |attempt| attempt.to_string()),
    ]
}

fn done_arguments(token: &str, opening: Option<&Opening>) -> Vec<String> {
    let token = token.to_owned();
    let Some(opening) = opening else {
        return vec![token, "c".to_owned()];
    };
    vec![
        token,
        "o".to_owned(),
        micros(opening.duration),
        opening.attempt.to_string(),
        opening.why.code().to_owned(),
    ]
}

fn restore_arguments(restoration: &Restoration) -> Vec<String> {
    vec![
        micros(restoration.left),
        restoration.attempt.to_string(),
        restoration.by.clone(),
        restoration.why.clone(),
        number(restoration.version.0),
    ]
}

fn number(value: u64) -> String {
    value.min(MAX_NUMBER).to_string()
}

fn micros(time: Duration) -> String {
    number(Micros(0).after(time).0)
}

fn flag(is_set: bool) -> String {
    u8::from(is_set).to_string()
}
