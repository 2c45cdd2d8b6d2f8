//! [`Random`]: random steps, some of them hostile.

use breakerbox_fleet::protocol::{
    Command, LONGEST_COMMAND, LeaseRequest, Micros, NodeId, Op, Opening, RETENTION, Restoration,
    Trip, Verb, Version, Why,
};
use breakerbox_fleet::store::Hello;
use std::time::Duration;

/// The time at which comparisons start.
pub(crate) const START: Micros = Micros(1_790_000_000_123_457);

/// Returns a trip of 30 s that happens at [`START`].
pub(crate) fn trip(name: &str, quorum: u16) -> Op {
    Op::Trip {
        name: name.into(),
        trip: Trip {
            duration: Duration::from_secs(30),
            at: START,
            attempt: 0,
            why: Why::Rate,
            quorum,
            alone: false,
            vote_ttl: Duration::from_secs(10),
            reset_backoff_after: Duration::from_secs(30),
        },
    }
}

const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600 * SECOND;
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// One step on a store.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Submit {
        hello: Hello,
        seen: Version,
        ops: Vec<Op>,
    },
    Pull {
        hello: Hello,
        since: Version,
        limit: usize,
    },
    Command {
        hello: Hello,
        seen: Version,
        command: Command,
    },
    PutCommands {
        text: String,
    },
    Leave {
        hello: Hello,
    },
    Put {
        name: String,
        text: String,
        version: Version,
    },
    SetHead {
        text: String,
    },
    SetMember {
        member: String,
        seen: Micros,
    },
}

pub(crate) fn hello(node: &str, instance: &str) -> Hello {
    let node = NodeId::new(node, instance).unwrap();
    Hello::new("test", node, Duration::from_secs(600)).unwrap()
}

/// A source of steps. Few names, nodes and tokens, so that steps meet.
pub(crate) struct Random {
    random: fastrand::Rng,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
        }
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.random.usize(..choices.len())].clone()
    }

    /// Returns `true` once in `times`.
    fn once_in(&mut self, times: u32) -> bool {
        self.random.u32(..times) == 0
    }

    /// Returns the time of the next step: later, and seldom earlier, as after a failover.
    pub(crate) fn later(&mut self, now: Micros) -> Micros {
        if self.once_in(60) {
            let back = self.one_of(&[1, 2 * SECOND, 1_700 * SECOND, 2 * HOUR]);
            return Micros(now.0 - back);
        }
        if self.once_in(50) {
            return Micros(now.0 + self.one_of(&[HOUR + 11, 13 * HOUR + 13, 25 * HOUR + 17]));
        }
        let usual = [
            0,
            0,
            1,
            999,
            1_000,
            SECOND,
            3 * SECOND,
            3 * SECOND,
            5 * SECOND,
            61 * SECOND,
        ];
        Micros(now.0 + self.one_of(&usual))
    }

    pub(crate) fn step(&mut self, now: Micros, versions: &[Version]) -> Step {
        let hello = self.hello();
        match self.random.u32(..46) {
            0 => Step::Put {
                name: self.usual_name(),
                text: self.record(now),
                version: Version(self.number(now).parse().unwrap_or(7)),
            },
            1 => Step::SetHead {
                text: if self.once_in(3) {
                    "junk".into()
                } else {
                    self.number(now)
                },
            },
            2 => Step::SetMember {
                member: self.one_of(&["n8/i8", "n9/i9"]).into(),
                seen: Micros(self.number(now).parse().unwrap_or(0)),
            },
            3 => Step::Leave { hello },
            40..=44 => Step::Command {
                hello,
                seen: self.seen(now, versions),
                command: self.command(now, versions),
            },
            45 => Step::PutCommands {
                text: self.commands(now),
            },
            4..=11 => Step::Pull {
                hello,
                since: self.seen(now, versions),
                limit: self.one_of(&[0, 1, 1, 2, 3, 4, 100, 2_000]),
            },
            _ => {
                let count = self.random.usize(1..=4);
                Step::Submit {
                    hello,
                    seen: self.seen(now, versions),
                    ops: (0..count).map(|_| self.op(now)).collect(),
                }
            }
        }
    }

    fn hello(&mut self) -> Hello {
        let (node, instance) =
            self.one_of(&[("n1", "i1"), ("n1", "i2"), ("n2", "i3"), ("n3", "i4")]);
        let mut hello = hello(node, instance);
        if self.once_in(8) {
            hello.max_open = self.one_of(&[Duration::from_secs(4), Duration::MAX]);
        }
        hello
    }

    fn seen(&mut self, now: Micros, versions: &[Version]) -> Version {
        match self.random.u32(..10) {
            0..=2 => Version(0),
            3 => Version(self.number(now).parse().unwrap_or(u64::MAX)),
            _ => self.one_of(&versions[versions.len().saturating_sub(12)..]),
        }
    }

    fn name(&mut self) -> String {
        match self.random.u32(..60) {
            0 => self.one_of(&[
                String::new(),
                "x".repeat(257),
                "é".repeat(128),
                "x".repeat(256),
            ]),
            1..=3 => self.one_of(&["-".into(), "%41".into(), "\n\u{7f}".into()]),
            _ => self.usual_name(),
        }
    }

    /// These names and their encodings have one order, which decides between equal versions.
    fn usual_name(&mut self) -> String {
        self.one_of(&["a", "a", "a", "b", "b|c {d}", "zключ"])
            .into()
    }

    fn op(&mut self, now: Micros) -> Op {
        let name = self.name();
        match self.random.u32(..20) {
            0..=6 => Op::Trip {
                name,
                trip: self.trip(now),
            },
            7..=11 => Op::Lease {
                name,
                request: self.lease(),
            },
            12 => Op::Yield {
                name,
                token: self.token(),
            },
            13..=15 => Op::Done {
                name,
                token: self.token(),
                opening: self.random.bool().then(|| self.opening()),
            },
            16 => Op::Unvote { name },
            17 | 18 => Op::Restore {
                name,
                restoration: self.restoration(now),
            },
            _ => Op::Close { name },
        }
    }

    fn command(&mut self, now: Micros, versions: &[Version]) -> Command {
        let version = match self.random.u32(..3) {
            0 => self.seen(now, versions),
            _ => Version(0),
        };
        let verb = self.one_of(&[Verb::ForceOpen, Verb::Disable, Verb::Release, Verb::Close]);
        let left = match self.random.u32(..8) {
            0 => self.duration(),
            1 => self.one_of(&[LONGEST_COMMAND, LONGEST_COMMAND + Duration::from_micros(1)]),
            _ => Duration::from_secs(self.one_of(&[3, 60, 3_600])),
        };
        let pattern = match self.random.u32(..20) {
            0 => self.one_of(&["", "a*b", "*a", "**"]).into(),
            1 => self.name(),
            _ => self.one_of(&["a", "a*", "*", "b|c {d}*"]).into(),
        };
        let by = match self.random.u32(..20) {
            0 => self.one_of(&["", "-", "a b"]).into(),
            _ => "i1".into(),
        };
        let text = |random: &mut Self| match random.random.u32(..12) {
            0 => random.one_of(&["x".repeat(256), "x".repeat(257), "é".repeat(128)]),
            1..=4 => "INC 123 %{ключ}".into(),
            _ => String::new(),
        };
        Command {
            pattern,
            version,
            verb,
            left,
            by,
            actor: text(self),
            reason: text(self),
        }
    }

    /// Returns the text of commands that may be anything, but often are nearly genuine.
    fn commands(&mut self, now: Micros) -> String {
        if self.once_in(8) {
            // More than a store keeps.
            let (version, until) = (now.0 - 300, now.0 + 11 * HOUR);
            let line = |index: u64| format!("p{index} {} d {until} i1 - -", version + index);
            return (0..300).map(line).collect::<Vec<_>>().join("\n");
        }
        let count = self.random.usize(..4);
        let lines = (0..count).map(|_| self.command_line(now));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn command_line(&mut self, now: Micros) -> String {
        if self.once_in(10) {
            return self.one_of(&["", "junk", "a 1 f", "\0", "é"]).into();
        }
        let near = [
            now.0 - SECOND,
            now.0,
            now.0 + 60 * SECOND,
            now.0 + 13 * HOUR,
        ];
        let usual = self.one_of(&["a", "a*", "*", "b%7Cc"]);
        let mut fields: Vec<String> = vec![
            usual.into(),
            self.number(now),
            self.one_of(&["f", "d", "r"]).into(),
            self.one_of(&near).to_string(),
            self.one_of(&["i1", "i3"]).into(),
            self.one_of(&["-", "x%20y"]).into(),
            self.one_of(&["-", "INC"]).into(),
        ];
        if self.once_in(3) {
            fields.push("later".into());
        }
        if self.once_in(5) {
            let at = self.random.usize(..fields.len());
            let odd = ["nan", "-1", "", "%4", "%FF", "{x}", "a*b", "-", "007"];
            fields[at] = self.one_of(&odd).into();
        }
        fields.join(" ")
    }

    fn trip(&mut self, now: Micros) -> Trip {
        let age = self.one_of(&[0, 0, 0, SECOND, 10 * SECOND, 120 * SECOND]);
        let at = match self.random.u32(..20) {
            0 => self.one_of(&[0, now.0 + SECOND, MAX_NUMBER + 7, u64::MAX]),
            _ => now.0 - age,
        };
        let quorum = match self.random.u32(..12) {
            0 => self.one_of(&[0, 64, 65]),
            _ => self.one_of(&[1, 1, 2, 2, 3]),
        };
        Trip {
            duration: self.duration(),
            at: Micros(at),
            attempt: self.attempt(),
            why: self.why(),
            quorum,
            alone: self.random.bool(),
            vote_ttl: self.duration(),
            reset_backoff_after: self.duration(),
        }
    }

    fn lease(&mut self) -> LeaseRequest {
        LeaseRequest {
            token: self.token(),
            duration: if self.once_in(4) {
                self.duration()
            } else {
                Duration::from_secs(3)
            },
            demand: self.random.bool(),
            opened_by_fleet: self.once_in(4).then(|| self.attempt()),
        }
    }

    fn opening(&mut self) -> Opening {
        Opening {
            duration: self.duration(),
            attempt: self.attempt(),
            why: self.why(),
        }
    }

    fn restoration(&mut self, now: Micros) -> Restoration {
        let mut word = |usual: &str| match self.random.u32(..20) {
            0 => self.one_of(&[String::new(), "-".into(), "a b".into(), "x".repeat(257)]),
            _ => usual.into(),
        };
        let (by, why) = (word("i1"), word("rate"));
        Restoration {
            left: self.duration(),
            attempt: self.attempt(),
            by,
            why,
            version: Version(if self.once_in(12) { 0 } else { now.0 }),
        }
    }

    fn duration(&mut self) -> Duration {
        match self.random.u32(..30) {
            0 => self.one_of(&[
                RETENTION,
                RETENTION + Duration::from_nanos(1),
                RETENTION + Duration::from_micros(1),
                Duration::MAX,
            ]),
            1 => Duration::from_nanos(self.one_of(&[1, 1_001, 2_000_500])),
            2..=4 => self.one_of(&[Duration::ZERO, Duration::from_secs(900)]),
            _ => Duration::from_secs(self.one_of(&[1, 3, 5, 10, 30])),
        }
    }

    fn attempt(&mut self) -> u32 {
        match self.random.u32(..20) {
            0 => self.one_of(&[1_000, 1_001, u32::MAX]),
            _ => self.random.u32(..5),
        }
    }

    fn token(&mut self) -> String {
        match self.random.u32(..20) {
            0 => self.one_of(&[
                String::new(),
                "-".into(),
                "a b".into(),
                "é".into(),
                "x".repeat(65),
            ]),
            1 => "x".repeat(64),
            _ => self.one_of(&["t1", "t2"]).into(),
        }
    }

    fn why(&mut self) -> Why {
        self.one_of(&[
            Why::Consecutive,
            Why::Rate,
            Why::Asked,
            Why::Asked,
            Why::Trial,
        ])
    }

    /// Returns the text of a number that may be anything.
    fn number(&mut self, now: Micros) -> String {
        let near = self.one_of(&[
            now.0,
            now.0 + 1,
            now.0 - 1,
            now.0 + 2 * SECOND,
            now.0 - 2 * SECOND,
            // A batch must not cross the horizon: records behind it are absent.
            now.0 + HOUR - SECOND,
            now.0 + HOUR + SECOND / 2 + 7,
            now.0 + 2 * HOUR + 3,
            now.0 - 25 * HOUR,
        ]);
        match self.random.u32(..4) {
            0 => self
                .one_of(&[0, 1, 5, 3 * SECOND, 90 * 1_000_000, MAX_NUMBER])
                .to_string(),
            _ => near.to_string(),
        }
    }

    /// Returns the text of a record that may be anything, but often is nearly genuine.
    fn record(&mut self, now: Micros) -> String {
        if self.once_in(8) {
            let junk = [
                "",
                "junk",
                "1 o",
                "\n",
                "\0 c 0",
                "é",
                "1 x 0 0 0 - - - 0 0 0 0 -",
            ];
            return self.one_of(&junk).into();
        }
        let mut fields: Vec<String> = Vec::new();
        fields.push(self.number(now));
        fields.push(self.one_of(&["c", "o", "h", "v"]).into());
        fields.extend([self.number(now), self.number(now), self.number(now)]);
        fields.push(self.one_of(&["-", "i1", "i3"]).into());
        fields.push(self.one_of(&["-", "rate", "asked"]).into());
        fields.push(self.one_of(&["-", "t1", "t2"]).into());
        fields.extend([self.number(now), self.number(now), self.number(now)]);
        fields.push(self.one_of(&["0", "1", "yes"]).into());
        fields.push(self.votes(now));
        if self.once_in(3) {
            fields.extend(["later".into(), "fields".into()]);
        }
        if self.once_in(4) {
            let at = self.random.usize(..fields.len());
            let odd = [
                "nan",
                "9e99",
                "-1",
                "1.5",
                "",
                " ",
                "0x10",
                "9007199254740993",
                "007",
            ];
            fields[at] = match self.random.u32(..8) {
                0 => "x".repeat(self.one_of(&[256, 257, 9_000])),
                _ => self.one_of(&odd).into(),
            };
        }
        fields.join(" ")
    }

    fn votes(&mut self, now: Micros) -> String {
        let count = self.random.usize(..=3);
        if count == 0 {
            return "-".into();
        }
        let mut votes = Vec::new();
        for _ in 0..count {
            let node = self.one_of(&["n1", "n2", "n3", "n3", "n4"]);
            let (mut cast, mut until) = (self.number(now), self.number(now));
            if !self.once_in(4) {
                let near = [now.0 - 120 * SECOND, now.0 - SECOND, now.0];
                cast = self.one_of(&near).to_string();
                let near = [now.0, now.0 + 1, now.0 + 10 * SECOND, now.0 + 25 * HOUR];
                until = self.one_of(&near).to_string();
            }
            votes.push(format!("{node}/{cast}/{until}"));
        }
        if self.once_in(10) {
            votes.push(
                self.one_of(&["", "n5", "/1/2", "n5/1", "n5/1/2/3", "n5//2"])
                    .into(),
            );
        }
        votes.join(",")
    }
}
