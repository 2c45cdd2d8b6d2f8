//! [`Process`]: a running process of the service.

use crate::PROCESS;
use crate::message::{Calls, Change, Message, Report};
use crate::service::SHARED;
use anyhow::{Context as _, ensure};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

/// A process of the service. Dropping it kills the process, which also ends with its standard input.
pub(crate) struct Process {
    pub(crate) number: usize,
    child: Child,
    input: ChildStdin,
    reader: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

/// What a process has reported.
#[derive(Default)]
struct Seen {
    report: Report,
    changes: Vec<Change>,
    has_ended: bool,
}

impl Process {
    /// Starts a process that pauses for this time between two calls of the users API.
    pub(crate) fn start(
        number: usize,
        dependency: &str,
        redis: &str,
        pause: Duration,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(PROCESS)
            .arg(format!("{dependency}/{number}"))
            .arg(redis)
            .arg(pause.as_millis().to_string())
            // The name by which the fleet knows the process begins with the name of its host.
            .env("HOSTNAME", format!("process-{number}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().context("the process has no input")?;
        let output = child.stdout.take().context("the process has no output")?;
        let seen = Arc::<Mutex<Seen>>::default();
        let reader = tokio::spawn(read(number, BufReader::new(output).lines(), seen.clone()));
        Ok(Self {
            number,
            child,
            input,
            reader,
            seen,
        })
    }

    pub(crate) fn report(&self) -> Report {
        lock(&self.seen).report.clone()
    }

    pub(crate) fn calls(&self, circuit: &str) -> Calls {
        let calls = &lock(&self.seen).report.calls;
        calls.get(circuit).copied().unwrap_or_default()
    }

    /// Returns the transitions of the shared circuit, the oldest first.
    pub(crate) fn changes(&self) -> Vec<Change> {
        lock(&self.seen).changes.clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.seen).has_ended
    }

    /// Lets the process end its calls, and returns its last report.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Report> {
        drop(self.input);
        let status = self.child.wait().await?;
        ensure!(status.success(), "process {} failed: {status}", self.number);
        self.reader.await?;
        let report = lock(&self.seen).report.clone();
        Ok(report)
    }
}

/// Reads what the process reports, until the process ends.
async fn read(number: usize, mut lines: Lines<BufReader<ChildStdout>>, seen: Arc<Mutex<Seen>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Message::Changed(change)) => {
                say(format_args!(
                    "process {number}: {SHARED} {}: {}",
                    change.to, change.cause
                ));
                lock(&seen).changes.push(change);
            }
            Ok(Message::Fleet(event)) => say(format_args!("process {number}: {event}")),
            Ok(Message::Report(report)) => lock(&seen).report = report,
            Err(error) => say(format_args!("process {number}: {line:?}: {error}")),
        }
    }
    lock(&seen).has_ended = true;
}

/// Prints a line with the time, in UTC.
pub(crate) fn say(line: impl std::fmt::Display) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.unwrap_or_default().as_secs();
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    println!("{hours:02}:{minutes:02}:{:02} {line}", seconds % 60);
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
