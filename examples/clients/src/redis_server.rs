use crate::Port;
use anyhow::{Context, bail};
use std::io;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A `redis-server` process of our own, which dies with its owner.
#[derive(Debug)]
pub struct RedisServer {
    port: Port,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    // Held, so that the server can go on writing to it.
    _log: Lines<BufReader<ChildStdout>>,
}

/// There is no `redis-server` on this machine.
#[derive(Debug)]
pub struct NotInstalled;

impl std::fmt::Display for NotInstalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "there is no redis-server on the PATH; install it with one of
    apt-get install redis-server
    dnf install redis
    brew install redis",
        )
    }
}

impl std::error::Error for NotInstalled {}

impl RedisServer {
    /// Has its address, but does not run yet.
    pub fn new() -> io::Result<Self> {
        let port = Port::free()?;
        Ok(Self {
            port,
            process: None,
        })
    }

    pub fn url(&self) -> String {
        format!("redis://{}/", self.port.address())
    }

    /// Returns when it takes connections; [`NotInstalled`] when there is no such program.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let address = self.port.address();
        let spawned = Command::new("redis-server")
            .args(["--port", &address.port().to_string()])
            .args(["--bind", &address.ip().to_string()])
            // Nothing is kept on disk.
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = match spawned {
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(NotInstalled),
            spawned => spawned.context("redis-server does not start")?,
        };
        let stdout = child.stdout.take().context("it has no standard output")?;
        let mut log = BufReader::new(stdout).lines();
        let mut last = String::new();
        while let Some(line) = log.next_line().await? {
            if line.contains("Ready to accept connections") {
                self.process = Some(Process { child, _log: log });
                return Ok(());
            }
            last = line;
        }
        bail!("redis-server ended before it was ready: {last}")
    }

    /// Returns when the process is gone.
    pub async fn kill(&mut self) -> io::Result<()> {
        match self.process.take() {
            Some(mut process) => process.child.kill().await,
            None => Ok(()),
        }
    }
}
