//! [`Server`]: a Redis server for one test.

use redis::{Client, Connection};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A Redis server on a Unix socket. Dropping it kills the process.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) folder: TempDir,
}

impl Server {
    /// Starts a server, or returns `None` with a message if there is no [program].
    ///
    /// With one of the variables `CI` and `BREAKERBOX_REQUIRE_SERVERS`, a missing server is a failure.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts a server with more arguments, which come first. Without a port, it has a socket only.
    pub(crate) fn start_with(arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        match spawn(&folder, arguments) {
            Ok(process) => {
                let mut server = Self { process, folder };
                server.wait();
                Some(server)
            }
            Err(error) => {
                let program = program();
                let why = format!("{} did not start: {error}", program.to_string_lossy());
                assert!(!is_required(), "{why}");
                skip(&why);
                None
            }
        }
    }

    pub(crate) fn wait(&mut self) {
        let started = Instant::now();
        while !self.answers() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended at its start: {ended:?}");
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "the server does not answer"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", socket(&self.folder).display())
    }

    fn try_connect(&self) -> Option<Connection> {
        Client::open(self.url()).unwrap().get_connection().ok()
    }

    fn answers(&self) -> bool {
        let Some(mut connection) = self.try_connect() else {
            return false;
        };
        redis::cmd("PING").query::<String>(&mut connection).is_ok()
    }

    pub(crate) fn connect(&self) -> Connection {
        self.try_connect().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that has ended already is no failure of the test.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reports that a test is skipped.
pub(crate) fn skip(why: &str) {
    // The test harness captures `eprintln!`, but not this.
    let line = format!("!! SKIPPED: a test with a server: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("socket")
}

/// Returns the program of the servers: `redis-server` on the `PATH`, or that of `BREAKERBOX_REDIS_SERVER`.
fn program() -> OsString {
    std::env::var_os("BREAKERBOX_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}

pub(crate) fn spawn(folder: &TempDir, arguments: &[&str]) -> std::io::Result<Child> {
    let mut command = Command::new(program());
    command.args(arguments);
    if !arguments.contains(&"--port") {
        command.args(["--port", "0"]);
    }
    command.args(["--save", "", "--appendonly", "no"]);
    command.arg("--unixsocket").arg(socket(folder));
    command.arg("--dir").arg(folder.path());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Returns `true` if a missing server is a failure.
fn is_required() -> bool {
    ["CI", "BREAKERBOX_REQUIRE_SERVERS"]
        .iter()
        .any(|name| std::env::var_os(name).is_some())
}
