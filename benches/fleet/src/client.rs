//! [`Client`]: one connection that runs the scripts of the store, and the counters of the server.

use crate::server::Server;
use breakerbox_fleet::protocol::{Micros, NodeId, Op, Version};
use breakerbox_fleet::store::{Hello, Pulled, Submitted};
use breakerbox_redis::Keys;
use breakerbox_redis::script::{PULL, SUBMIT, Script, Sender, parse_pulled, parse_submitted};
use redis::Connection;
use std::collections::HashMap;
use std::time::Duration;

/// The namespace of all measurements.
pub(crate) const NAMESPACE: &str = "figures";

/// The server of a measurement, on a port of the loopback interface.
pub(crate) struct Measured {
    pub(crate) server: Server,
    port: u16,
}

impl Measured {
    /// Starts a server on a free port.
    pub(crate) fn start() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let server = Server::start_with(&arguments(port).each_ref().map(String::as_str));
        let server = server.expect("redis-server must be on the PATH");
        Self { server, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn client(&self, name: &str) -> Client {
        let client = redis::Client::open(self.url()).expect("a valid URL");
        let connection = client.get_connection().expect("the server answers");
        Client::new(connection, name)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server, and starts it again without its data.
    pub(crate) fn restart(&mut self) {
        self.server.process.kill().expect("the server runs");
        self.server.process.wait().expect("the server has ended");
        self.spawn();
    }

    /// Starts the server again, which has ended.
    pub(crate) fn spawn(&mut self) {
        let arguments = arguments(self.port);
        let arguments = arguments.each_ref().map(String::as_str);
        let process = crate::server::spawn(&self.server.folder, &arguments);
        self.server.process = process.expect("redis-server must be on the PATH");
        self.server.wait();
    }
}

fn arguments(port: u16) -> [String; 4] {
    ["--port", &port.to_string(), "--bind", "127.0.0.1"].map(str::to_owned)
}

/// One connection of one instance.
pub(crate) struct Client {
    connection: Connection,
    keys: Keys,
    hello: Hello,
}

impl Client {
    fn new(connection: Connection, name: &str) -> Self {
        let node = NodeId::new(name, name).expect("a valid label");
        let hello = Hello::new(NAMESPACE, node, Duration::from_secs(600));
        let mut client = Self {
            connection,
            keys: Keys::new("bb1", NAMESPACE),
            hello: hello.expect("a valid namespace"),
        };
        for script in [&SUBMIT, &PULL] {
            let _: String = client.run("SCRIPT", &["LOAD", script.text()]);
        }
        client
    }

    pub(crate) fn run<T: redis::FromRedisValue>(&mut self, command: &str, arguments: &[&str]) -> T {
        let mut command = redis::cmd(command);
        command.arg(arguments);
        command.query(&mut self.connection).expect("an answer")
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    fn sender(&self) -> Sender<'_> {
        Sender {
            hello: &self.hello,
            channel: &self.keys.channel,
            clock: Micros(0),
        }
    }

    fn invoke(&mut self, script: &Script, arguments: &[String]) -> Vec<String> {
        let keys = self.keys.declared();
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.hash()).arg(keys.len()).arg(&keys);
        command.arg(arguments);
        command.query(&mut self.connection).expect("an answer")
    }

    pub(crate) fn submit(&mut self, ops: &[Op]) -> Submitted {
        let arguments = self.sender().submit(Version(0), ops);
        let reply = self.invoke(&SUBMIT, &arguments);
        parse_submitted(&reply, ops).expect("a reply of the script")
    }

    pub(crate) fn pull(&mut self, since: Version, limit: usize) -> Pulled {
        let arguments = self.sender().pull(since, limit);
        let reply = self.invoke(&PULL, &arguments);
        parse_pulled(&reply).expect("a reply of the script")
    }

    /// Returns the time of the server, for the instants of trips.
    pub(crate) fn time(&mut self) -> Micros {
        let (seconds, micros): (u64, u64) = self.run("TIME", &[]);
        Micros(seconds * 1_000_000 + micros)
    }

    /// Returns the counters of the server.
    pub(crate) fn usage(&mut self) -> Usage {
        let info: String = self.run("INFO", &["all"]);
        let fields: HashMap<&str, &str> = info
            .lines()
            .filter_map(|line| line.trim().split_once(':'))
            .collect();
        let number = |name: &str| fields.get(name).map_or(0.0, |text| parse(text));
        let stats = fields.get("cmdstat_evalsha").copied().unwrap_or_default();
        let part = |name: &str| {
            let mut parts = stats.split(',').filter_map(|part| part.split_once('='));
            parts
                .find(|(key, _)| *key == name)
                .map_or(0.0, |(_, value)| parse(value))
        };
        Usage {
            processor: number("used_cpu_user") + number("used_cpu_sys"),
            scripts: part("calls"),
            script_time: part("usec") / 1e6,
            bytes: number("total_net_input_bytes") + number("total_net_output_bytes"),
            memory: number("used_memory"),
        }
    }
}

fn parse(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}

/// What the server has used since its start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds of processor time, with reading and writing of sockets.
    pub(crate) processor: f64,
    /// Script calls.
    pub(crate) scripts: f64,
    /// Seconds inside scripts.
    pub(crate) script_time: f64,
    /// Bytes from and to all connections.
    pub(crate) bytes: f64,
    /// Bytes of memory.
    pub(crate) memory: f64,
}

impl Usage {
    /// Returns the difference to an earlier usage.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            processor: self.processor - earlier.processor,
            scripts: self.scripts - earlier.scripts,
            script_time: self.script_time - earlier.script_time,
            bytes: self.bytes - earlier.bytes,
            memory: self.memory - earlier.memory,
        }
    }
}
