//! [`RedisLine`]: operations over one connection.

use crate::keys::Keys;
use crate::script::run::run;
use crate::script::{
    COMMAND, PULL, SUBMIT, Sender, failure_of_client, of_refused_write, parse_commanded,
    parse_commands, parse_pulled, parse_submitted,
};
use async_trait::async_trait;
use breakerbox_fleet::protocol::{Command, Micros, Op, Version, Word};
use breakerbox_fleet::store::{Commanded, Hello, Line, Pulled, StoreError, Submitted};
use redis::aio::MultiplexedConnection;
use std::time::{Instant, SystemTime};

/// The sending half of a connection to Redis.
///
/// A server refuses writes if it has become a replica, loads its data, or has lost its replicas. The line
/// then reports an error, so that the fleet gives the connection up and looks for the right server.
pub(crate) struct RedisLine {
    connection: MultiplexedConnection,
    keys: Keys,
    hello: Hello,
    /// The time of the server in its latest reply, and when that reply came.
    latest: Option<(Micros, Instant)>,
}

impl RedisLine {
    pub(crate) fn new(connection: MultiplexedConnection, keys: Keys, hello: &Hello) -> Self {
        Self {
            connection,
            keys,
            hello: hello.clone(),
            latest: None,
        }
    }

    /// Returns the time of the server as this client estimates it. Only servers without `TIME` in
    /// scripts use it. Before the first reply, it is the time of this host.
    fn clock(&self) -> Micros {
        if let Some((now, at)) = self.latest {
            return now.after(at.elapsed());
        }
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Micros(0).after(since_epoch.unwrap_or_default())
    }

    /// Returns all commands, or `None` if this user may not read them, or if the key has a wrong type.
    async fn commands(&mut self, now: Micros) -> Result<Option<Vec<Command>>, StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(&self.keys.operator);
        let text: Result<Option<Vec<u8>>, _> = command.query_async(&mut self.connection).await;
        let text = match text.map_err(|error| failure_of_client(&error)) {
            Ok(text) => text.unwrap_or_default(),
            Err(StoreError::Denied(_) | StoreError::Protocol(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(parse_commands(&String::from_utf8_lossy(&text), now)))
    }

    fn sender(&self) -> Sender<'_> {
        Sender {
            hello: &self.hello,
            channel: &self.keys.channel,
            clock: self.clock(),
        }
    }
}

#[async_trait]
impl Line for RedisLine {
    async fn submit(&mut self, seen: Version, ops: &[Op]) -> Result<Submitted, StoreError> {
        let arguments = self.sender().submit(seen, ops);
        let keys = self.keys.declared();
        let reply = run(&mut self.connection, &SUBMIT, &keys, &arguments).await?;
        let submitted = parse_submitted(&reply, ops)?;
        let refused = submitted
            .answers
            .iter()
            .find_map(|answer| match &answer.word {
                Word::Failed(reason) => of_refused_write(reason),
                _ => None,
            });
        if let Some(error) = refused {
            return Err(error);
        }
        self.latest = Some((submitted.now, Instant::now()));
        Ok(submitted)
    }

    async fn pull(&mut self, since: Version, limit: usize) -> Result<Pulled, StoreError> {
        let arguments = self.sender().pull(since, limit);
        let keys = self.keys.declared();
        let reply = run(&mut self.connection, &PULL, &keys, &arguments).await?;
        let mut pulled = parse_pulled(&reply)?;
        if let Some(error) = pulled.read_only.as_deref().and_then(of_refused_write) {
            return Err(error);
        }
        self.latest = Some((pulled.now, Instant::now()));
        pulled.commands = self.commands(pulled.now).await?;
        Ok(pulled)
    }

    async fn command(&mut self, seen: Version, command: &Command) -> Result<Commanded, StoreError> {
        let arguments = self.sender().command(seen, command);
        let keys = self.keys.declared_by_command();
        let reply = run(&mut self.connection, &COMMAND, &keys, &arguments).await?;
        let commanded = parse_commanded(&reply)?;
        self.latest = Some((commanded.now, Instant::now()));
        Ok(commanded)
    }

    async fn leave(&mut self) -> Result<(), StoreError> {
        let mut command = redis::cmd("ZREM");
        command
            .arg(&self.keys.members)
            .arg(self.hello.node.to_string());
        let left = command.query_async::<()>(&mut self.connection).await;
        left.map_err(|error| failure_of_client(&error))
    }
}
