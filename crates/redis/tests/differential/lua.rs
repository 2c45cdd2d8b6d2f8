//! [`Lua`]: the scripts on a real server, with the time of the test.

use crate::common::subject::Subject;
use crate::server::Server;
use breakerbox_fleet::protocol::{
    Command, CommandWord, Micros, Op, Version, decode_name, encode_name,
};
use breakerbox_fleet::store::{Commanded, Hello, Pulled, Submitted};
use breakerbox_redis::Keys;
use breakerbox_redis::script::{
    COMMAND, PULL, SUBMIT, Sender, parse_commanded, parse_commands, parse_pulled, parse_submitted,
};
use redis::{Connection, FromRedisValue, PubSub, RedisResult};
use std::time::Duration;

/// The line that reads the time of the server. Zero is what some servers answer, and selects the time of
/// the client.
const TIME: &str = "local time = redis.pcall('TIME')";
const NO_TIME: &str = "local time = { '0', '0' }";

/// The scripts on a real server.
pub(crate) struct Lua {
    pub(crate) connection: Connection,
    messages: PubSub<'static>,
    pub(crate) keys: Keys,
    submit: redis::Script,
    pull: redis::Script,
    command: redis::Script,
}

impl Lua {
    /// Uses the scripts of the library.
    pub(crate) fn new(server: &Server) -> Self {
        Self::with(server, SUBMIT.text(), PULL.text(), COMMAND.text())
    }

    /// Uses other scripts, for example mutants.
    pub(crate) fn with(server: &Server, submit: &str, pull: &str, command: &str) -> Self {
        let keys = Keys::new("bb1", "test");
        // The subscription lives as long as the test binary.
        let listening: &'static mut Connection = Box::leak(Box::new(server.connect()));
        let mut messages = listening.as_pubsub();
        messages.subscribe(&keys.channel).unwrap();
        messages
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Self {
            connection: server.connect(),
            messages,
            keys,
            submit: timeless(submit),
            pull: timeless(pull),
            command: timeless(command),
        }
    }

    /// Removes all keys.
    pub(crate) fn flush(&mut self) {
        let _: () = self.run("FLUSHALL", &[]);
    }

    /// Runs a command.
    pub(crate) fn run<T: FromRedisValue>(&mut self, command: &str, arguments: &[&str]) -> T {
        redis::cmd(command)
            .arg(arguments)
            .query(&mut self.connection)
            .unwrap()
    }

    /// Runs a script with arguments as they stand.
    pub(crate) fn submit_raw(&mut self, arguments: &[String]) -> RedisResult<Vec<String>> {
        let keys = self.keys.declared();
        invoke(&self.submit, &keys, arguments, &mut self.connection)
    }

    /// Runs a script with arguments as they stand.
    pub(crate) fn pull_raw(&mut self, arguments: &[String]) -> RedisResult<Vec<String>> {
        let keys = self.keys.declared();
        invoke(&self.pull, &keys, arguments, &mut self.connection)
    }

    /// Runs a script with arguments as they stand.
    pub(crate) fn command_raw(&mut self, arguments: &[String]) -> RedisResult<Vec<String>> {
        let keys = self.keys.declared_by_command();
        invoke(&self.command, &keys, arguments, &mut self.connection)
    }

    pub(crate) fn sender<'a>(&'a self, hello: &'a Hello, now: Micros) -> Sender<'a> {
        Sender {
            hello,
            channel: &self.keys.channel,
            clock: now,
        }
    }

    /// Returns the messages that were published since the last call.
    pub(crate) fn messages(&mut self) -> Vec<String> {
        // A server delivers in order, so everything before the mark has arrived.
        let channel = self.keys.channel.clone();
        let _: u64 = self.run("PUBLISH", &[&channel, "mark"]);
        let mut texts = Vec::new();
        loop {
            let text: String = self.messages.get_message().unwrap().get_payload().unwrap();
            if text == "mark" {
                return texts;
            }
            texts.push(text);
        }
    }
}

fn timeless(script: &str) -> redis::Script {
    assert_eq!(script.matches(TIME).count(), 1);
    redis::Script::new(&script.replace(TIME, NO_TIME))
}

fn invoke(
    script: &redis::Script,
    keys: &[&str],
    arguments: &[String],
    connection: &mut Connection,
) -> RedisResult<Vec<String>> {
    let mut invocation = script.prepare_invoke();
    for key in keys {
        invocation.key(key);
    }
    for argument in arguments {
        invocation.arg(argument);
    }
    invocation.invoke(connection)
}

impl Subject for Lua {
    fn name(&self) -> &'static str {
        "Lua"
    }

    fn submit(
        &mut self,
        hello: &Hello,
        seen: Version,
        ops: &[Op],
        now: Micros,
    ) -> (Submitted, Vec<String>) {
        let arguments = self.sender(hello, now).submit(seen, ops);
        let parsed = match self.submit_raw(&arguments) {
            Ok(reply) => {
                parse_submitted(&reply, ops).map_err(|error| format!("{error}: {reply:?}"))
            }
            Err(error) => Err(error.to_string()),
        };
        match parsed {
            Ok(submitted) => (submitted, self.messages()),
            // Differs from any genuine result, and shows why.
            Err(why) => (Submitted::default(), vec![why]),
        }
    }

    fn pull(&mut self, hello: &Hello, since: Version, limit: usize, now: Micros) -> Pulled {
        let arguments = self.sender(hello, now).pull(since, limit);
        let parsed = match self.pull_raw(&arguments) {
            Ok(reply) => parse_pulled(&reply).map_err(|error| format!("{error}: {reply:?}")),
            Err(error) => Err(error.to_string()),
        };
        match parsed {
            Ok(mut pulled) => {
                pulled.commands = Some(parse_commands(&self.commands(), pulled.now));
                pulled
            }
            Err(why) => Pulled {
                read_only: Some(why),
                ..Pulled::default()
            },
        }
    }

    fn command(
        &mut self,
        hello: &Hello,
        seen: Version,
        command: &Command,
        now: Micros,
    ) -> (Commanded, Vec<String>) {
        let arguments = self.sender(hello, now).command(seen, command);
        let parsed = match self.command_raw(&arguments) {
            Ok(reply) => parse_commanded(&reply).map_err(|error| format!("{error}: {reply:?}")),
            Err(error) => Err(error.to_string()),
        };
        match parsed {
            Ok(commanded) => (commanded, self.messages()),
            // Differs from any genuine result, and shows why.
            Err(why) => {
                let commanded = Commanded {
                    head: Version(0),
                    now: Micros(0),
                    word: CommandWord::Bad,
                    is_unpublished: true,
                    commands: Vec::new(),
                };
                (commanded, vec![why])
            }
        }
    }

    fn put_commands(&mut self, text: &str) {
        let key = self.keys.operator.clone();
        let _: () = self.run("SET", &[&key, text]);
    }

    fn commands(&mut self) -> String {
        let key = self.keys.operator.clone();
        let text: Option<String> = self.run("GET", &[&key]);
        text.unwrap_or_default()
    }

    fn leave(&mut self, hello: &Hello) {
        let members = self.keys.members.clone();
        let _: u64 = self.run("ZREM", &[&members, &hello.node.to_string()]);
    }

    fn put(&mut self, name: &str, text: &str, version: Version) {
        let (records, index) = (self.keys.records.clone(), self.keys.index.clone());
        let name = encode_name(name);
        let _: u64 = self.run("HSET", &[&records, &name, text]);
        let _: u64 = self.run("ZADD", &[&index, &version.to_string(), &name]);
    }

    fn set_head(&mut self, text: &str) {
        let head = self.keys.head.clone();
        let _: () = self.run("SET", &[&head, text]);
    }

    fn set_member(&mut self, member: &str, seen: Micros) {
        let members = self.keys.members.clone();
        let _: u64 = self.run("ZADD", &[&members, &seen.to_string(), member]);
    }

    fn records(&mut self) -> Vec<(String, String)> {
        let records = self.keys.records.clone();
        let all: Vec<(String, String)> = self.run("HGETALL", &[&records]);
        let named = all
            .into_iter()
            .map(|(name, text)| (decode_name(&name).unwrap(), text));
        let mut named: Vec<_> = named.collect();
        named.sort();
        named
    }
}
