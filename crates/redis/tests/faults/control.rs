//! Faults of a server: it is killed, stopped, or told by commands.

use crate::server::{Server, spawn};
use redis::{Client, FromRedisValue, RedisResult};
use std::process::Command;

impl Server {
    /// Kills the process, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts the process again, without its data.
    pub(crate) fn restart(&mut self) {
        self.process = spawn(&self.folder, &[]).unwrap();
        self.wait();
    }

    /// Stops the process without closing its connections.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Continues the process.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.id().to_string();
        let status = Command::new("kill").args([signal, &process]).status();
        assert!(status.unwrap().success());
    }

    /// Runs a command with arguments separated by spaces.
    pub(crate) fn run<T: FromRedisValue>(&self, command: &str) -> T {
        self.try_run(command).unwrap()
    }

    fn try_run<T: FromRedisValue>(&self, command: &str) -> RedisResult<T> {
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        let mut connection = Client::open(self.url())?.get_connection()?;
        command.query(&mut connection)
    }

    /// Returns the version of Redis with which the server is compatible.
    pub(crate) fn version(&self) -> (u32, u32) {
        let info: String = self.run("INFO server");
        let (_, version) = info.split_once("redis_version:").unwrap();
        let mut numbers = version.split('.').map(|number| number.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    /// Returns the state in the record of a circuit: `o` for open, for example.
    pub(crate) fn recorded(&self, name: &str) -> Option<String> {
        // A failover closes all connections, and may close this one.
        let record = self.try_run(&format!("HGET bb1:{{default}}:s {name}"));
        let record: String = record.ok().flatten()?;
        record.split(' ').nth(1).map(str::to_owned)
    }

    /// Returns the number of connections that are subscribed to the fleet's channel.
    pub(crate) fn subscribers(&self) -> u64 {
        let counted = self.try_run::<(String, u64)>("PUBSUB NUMSUB bb1:{default}");
        counted.map_or(0, |(_, count)| count)
    }
}
