//! [`Redis`]: a redis-server that can be killed and started again.

use crate::REDIS_GUARD;
use anyhow::{Context as _, bail};
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::process;

pub(crate) const NOT_INSTALLED: &str = "\
there is no redis-server on the PATH; install it with one of
    apt-get install redis-server
    dnf install redis
    brew install redis";

pub(crate) fn is_installed() -> bool {
    let version = Command::new("redis-server").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// A redis-server on a Unix socket in a temporary folder.
///
/// Another process of this program, the guard, starts the server. The guard ends with its standard input,
/// so the server and the folder are removed even if this program is killed.
pub(crate) struct Redis {
    guard: process::Child,
    orders: process::ChildStdin,
    answers: tokio::io::Lines<tokio::io::BufReader<process::ChildStdout>>,
}

impl Redis {
    /// Starts the server, and returns its URL.
    pub(crate) async fn start() -> anyhow::Result<(Self, String)> {
        let mut command = process::Command::new(std::env::current_exe()?);
        command
            .arg(REDIS_GUARD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // Ctrl-C ends this program, and then the guard, instead of both at once.
        #[cfg(unix)]
        command.process_group(0);
        let mut guard = command.spawn()?;
        let orders = guard.stdin.take().context("the guard has no input")?;
        let output = guard.stdout.take().context("the guard has no output")?;
        let mut redis = Self {
            guard,
            orders,
            answers: tokio::io::BufReader::new(output).lines(),
        };
        let url = redis.order("start").await?;
        Ok((redis, url))
    }

    /// Starts the killed server again, without its data.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        self.order("start").await.map(drop)
    }

    /// Kills the server, and returns when it has ended.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.order("kill").await.map(drop)
    }

    /// Ends the guard with its server, and returns when both have ended.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.orders);
        let status = self.guard.wait().await?;
        anyhow::ensure!(
            status.success(),
            "the guard of redis-server failed: {status}"
        );
        Ok(())
    }

    async fn order(&mut self, order: &str) -> anyhow::Result<String> {
        self.orders
            .write_all(format!("{order}\n").as_bytes())
            .await?;
        let answer = self.answers.next_line().await?;
        answer.with_context(|| format!("{order}: the guard of redis-server has ended"))
    }
}

/// Starts and kills the server as the standard input orders, until its end. Answers each order with a line.
pub(crate) fn guard() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = None;
    for order in std::io::stdin().lines() {
        match &*order? {
            "start" => {
                let socket = folder.path().join("socket");
                server = Some(Server::start(folder.path(), &socket)?);
                println!("redis+unix://{}", socket.display());
            }
            "kill" => {
                drop(server.take());
                println!("killed");
            }
            order => bail!("unknown order: {order}"),
        }
    }
    Ok(())
}

/// The process of the server. Dropping it kills the process.
struct Server {
    process: Child,
    // Kept open, because the server writes to it.
    log: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts the server, and returns when it accepts connections.
    fn start(folder: &Path, socket: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new("redis-server")
            .args(["--port", "0"])
            .arg("--unixsocket")
            .arg(socket)
            .arg("--dir")
            .arg(folder)
            // Disables persistence.
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("redis-server does not start")?;
        let output = process
            .stdout
            .take()
            .context("redis-server has no output")?;
        let mut server = Self {
            process,
            log: BufReader::new(output).lines(),
        };
        let mut last = String::new();
        for line in server.log.by_ref() {
            last = line?;
            // Servers capitalize these words differently for a socket and for a port.
            if last.to_lowercase().contains("ready to accept connections") {
                return Ok(server);
            }
        }
        bail!("redis-server ended before it was ready: {last}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended already needs no end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
