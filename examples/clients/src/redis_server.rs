use crate::Port;
use anyhow::{Context, bail};
use std::io;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A `redis-server` process, which is killed when this value is dropped.
#[derive(Debug)]
pub struct RedisServer {
    port: Port,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    // Kept open, because the server writes to it.
    _log: Lines<BufReader<ChildStdout>>,
}

/// The error of a missing `redis-server` program.
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
    /// Reserves an address. The server does not run yet.
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

    /// Starts the server, and returns when it accepts connections.
    ///
    /// # Errors
    ///
    /// [`NotInstalled`] if the program is missing.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let address = self.port.address();
        let spawned = Command::new("redis-server")
            .args(["--port", &address.port().to_string()])
            .args(["--bind", &address.ip().to_string()])
            // Disables persistence.
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = match spawned {
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(NotInstalled),
            spawned => spawned.context("redis-server does not start")?,
        };
        let stdout = child
            .stdout
            .take()
            .context("redis-server has no standard output")?;
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

    /// Kills the process, and returns when it has ended.
    pub async fn kill(&mut self) -> io::Result<()> {
        match self.process.take() {
            Some(mut process) => process.child.kill().await,
            None => Ok(()),
        }
    }
}
