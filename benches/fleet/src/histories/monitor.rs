//! [`Monitor`]: compares what the server does with the reference, as `MONITOR` shows it.

use super::ledger::{Ledger, State};
use super::request::{Body, Request};
use breakerbox_fleet::protocol::{Micros, Op, Phase, Record, Word};
use breakerbox_fleet_simulation::parts::Applied;
use breakerbox_redis::Keys;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Follows one server through its restarts.
pub(crate) struct Monitor {
    ledger: Arc<Ledger>,
    namespace: String,
    keys: Keys,
    /// The records as the server has written them.
    written: BTreeMap<String, String>,
    call: Option<Call>,
}

/// A script call whose commands are being read.
struct Call {
    request: Option<Request>,
    /// The time of the script, known once it has written itself to the members.
    now: Option<Micros>,
}

impl Monitor {
    pub(crate) fn new(ledger: Arc<Ledger>, namespace: &str) -> Self {
        Self {
            ledger,
            namespace: namespace.to_owned(),
            keys: Keys::new("bb1", namespace),
            written: BTreeMap::new(),
            call: None,
        }
    }

    /// Reads until the server ends. `started` runs once nothing can be missed. Returns `false` if there is no
    /// server.
    pub(crate) fn follow(&mut self, port: u16, started: impl FnOnce()) -> bool {
        let stream = TcpStream::connect(("127.0.0.1", port));
        let Ok(mut stream) = stream else {
            return false;
        };
        if stream.write_all(b"MONITOR\r\n").is_err() {
            return false;
        }
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        let is_ok = lines.read_until(b'\n', &mut line).is_ok() && line == b"+OK\r\n";
        if !is_ok {
            return false;
        }
        let now = self.ledger.now();
        self.ledger.lock().heard(Some(now));
        started();
        loop {
            line.clear();
            match lines.read_until(b'\n', &mut line) {
                Ok(1..) => self.read(&String::from_utf8_lossy(&line)),
                _ => break,
            }
        }
        self.finish();
        self.ledger.lock().heard(None);
        true
    }

    /// The server has lost its data.
    pub(crate) fn lose(&mut self) {
        self.written.clear();
        let now = self.ledger.now();
        let mut state = self.ledger.lock();
        state.reference.flush();
        state.epoch += 1;
        state.counts.losses += 1;
        let epoch = state.epoch;
        state.enter(now, move |audit, now| audit.epoch_began(now, epoch));
    }

    fn read(&mut self, line: &str) {
        let Some((instant, source, words)) = parse(line) else {
            self.ledger
                .report("monitor", format!("cannot be read: {line}"));
            return;
        };
        if source.ends_with(" lua") {
            self.read_inner(&words);
            return;
        }
        self.finish();
        // What a script before this command did, it did before this instant.
        let heard = self.ledger.time_of(instant);
        self.ledger.lock().heard(Some(heard));
        let Some(command) = words.first() else { return };
        match command.to_ascii_uppercase().as_str() {
            "EVALSHA" | "EVAL" => {
                let request = Request::read(&words, &self.namespace);
                self.call = Some(Call { request, now: None });
            }
            "FLUSHALL" => self.lose(),
            "ZREM" => {
                let member = words.get(2).map(String::as_str).unwrap_or_default();
                self.leave(member);
            }
            "HSET" => self.write(&words),
            _ => {}
        }
    }

    fn read_inner(&mut self, words: &[String]) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["ZADD", key, now, _] if key == self.keys.members => {
                if let Some(call) = &mut self.call {
                    call.now = now.parse().ok().map(Micros);
                }
            }
            ["HSET", key, name, text] if key == self.keys.records => {
                self.written.insert(name.to_owned(), text.to_owned());
            }
            ["HDEL", key, ref names @ ..] if key == self.keys.records => {
                for name in names {
                    self.written.remove(*name);
                }
            }
            _ => {}
        }
    }

    fn leave(&self, member: &str) {
        let (node, instance) = member.split_once('/').unwrap_or_default();
        let node = breakerbox_fleet::protocol::NodeId::new(node, instance);
        let hello = node.and_then(|node| {
            breakerbox_fleet::store::Hello::new(&self.namespace, node, Duration::from_secs(600))
        });
        if let Some(hello) = hello {
            self.ledger.lock().reference.table.leave(&hello);
        }
    }

    /// A record was written outside of the scripts.
    fn write(&mut self, words: &[String]) {
        if let [_, key, name, text] = words {
            if *key == self.keys.records {
                self.written.insert(name.clone(), text.clone());
            }
        }
    }

    /// The script call is over: the reference does the same, and must come to the same records.
    fn finish(&mut self) {
        let Some(call) = self.call.take() else { return };
        let ledger = Arc::clone(&self.ledger);
        let mut state = ledger.lock();
        let (Some(request), Some(now)) = (call.request, call.now) else {
            // A script that could not write has done nothing.
            state.counts.refused += 1;
            return;
        };
        let since_epoch = Duration::from_micros(now.0);
        match request.body {
            Body::Pull { since, limit } => {
                state.counts.pulls += 1;
                let hello = &request.hello;
                state.reference.pull(hello, since, limit, since_epoch);
            }
            Body::Submit { seen, ops } => {
                state.counts.operations += ops.len() as u64;
                let submitted = state
                    .reference
                    .submit(&request.hello, seen, &ops, since_epoch);
                let mut applied = submitted.2;
                let max_open = request.hello.max_open;
                self.compare(&mut state, &mut applied, now, max_open);
                let node = request.hello.node.node();
                let node = node.strip_prefix('n').and_then(|text| text.parse().ok());
                let (epoch, at) = (state.epoch, ledger.time_of(now));
                if let Some(node) = node {
                    state.enter(at, move |audit, now| {
                        for applied in &applied {
                            audit.applied(now, node, epoch, applied);
                        }
                    });
                }
            }
        }
    }

    /// Compares the records of a batch. Where they differ, those of the server hold from now on.
    fn compare(&self, state: &mut State, applied: &mut [Applied], now: Micros, max_open: Duration) {
        let at = self.ledger.time_of(now);
        for applied in applied {
            let name = applied.op.name().to_owned();
            let encoded = breakerbox_fleet::protocol::encode_name(&name);
            let written = self.written.get(&encoded);
            let mut records = state.reference.table.records();
            let expected = records.find(|(known, _)| *known == name);
            let expected = expected.map(|(_, text)| text.to_owned());
            drop(records);
            if written == expected.as_ref() {
                continue;
            }
            let what = format!("{name}: {written:?} instead of {expected:?}");
            state.audit.report(at, "equal to the reference", what);
            let text = written.cloned().unwrap_or_default();
            let after = Record::read(&text, now, max_open);
            applied.is_published |= after.version != applied.before.version;
            let is_granted = match &applied.op {
                Op::Lease { request, .. } => {
                    after.phase == Phase::Leased && after.token == request.token
                }
                _ => false,
            };
            if is_granted {
                applied.answer.word = Word::Granted;
            }
            state.reference.table.put(&name, &text, after.version);
            let head = state.reference.table.head().max(after.version);
            state.reference.table.set_head(head);
            applied.after = after;
        }
    }
}

/// Returns the instant, the source and the words of a line.
fn parse(line: &str) -> Option<(Micros, &str, Vec<String>)> {
    let line = line.trim_end().strip_prefix('+')?;
    let (instant, rest) = line.split_once(" [")?;
    let (source, rest) = rest.split_once("] ")?;
    let (seconds, micros) = instant.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    let micros: u64 = micros.parse().ok()?;
    Some((Micros(seconds * 1_000_000 + micros), source, words(rest)?))
}

fn words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, &mut word) {
            ('"', None) => word = Some(String::new()),
            ('"', Some(_)) => words.extend(word.take()),
            ('\\', Some(word)) => word.push(match characters.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'a' => '\x07',
                'b' => '\x08',
                'x' => {
                    let digits: String = characters.by_ref().take(2).collect();
                    char::from(u8::from_str_radix(&digits, 16).ok()?)
                }
                other => other,
            }),
            (_, Some(word)) => word.push(character),
            (_, None) => {}
        }
    }
    word.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_split_into_words() {
        let line = "+1790000000.000123 [0 lua] \"HSET\" \"a b\" \"\" \"\\\"\\\\\\n\\x7f\"\r\n";
        let (instant, source, words) = parse(line).unwrap();
        assert_eq!(instant, Micros(1_790_000_000_000_123));
        assert_eq!(source, "0 lua");
        assert_eq!(words, ["HSET", "a b", "", "\"\\\n\x7f"]);
    }

    #[test]
    fn line_that_ends_early_is_refused() {
        for line in ["", "+OK", "+1.2 [0 lua]", "+1.2 [0 lua] \"HSET"] {
            assert!(parse(line).is_none(), "{line}");
        }
    }
}
