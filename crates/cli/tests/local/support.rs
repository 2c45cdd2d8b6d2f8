//! Runs the command, and reads what it wrote.

use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A directory in which the command runs.
pub(crate) struct Directory(TempDir);

/// What the command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the command with arguments that are separated by spaces.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.run_with(&arguments.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn run_with(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_with_input(&self, arguments: &str, input: &[u8]) -> Ran {
        let mut command = self.command(&arguments.split(' ').collect::<Vec<_>>());
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ran::of(&child.wait_with_output().unwrap())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakerbox"));
        command.current_dir(self.0.path()).args(arguments);
        command.env_remove("COLUMNS").env("NO_COLOR", "1");
        command
    }
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Asserts success without any message.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, &*self.err), (0, ""), "{}", self.out);
        self.out
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// Asserts an error that contains `text`, with nothing on standard output.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, text: &str) {
        assert_eq!((self.code, &*self.out), (code, ""), "{}", self.err);
        assert!(self.err.contains(text), "{:?} not in {}", text, self.err);
    }
}

/// A call for each 100 ms from 10:00 on, of which those of the seconds 60 to 120 fail.
pub(crate) fn csv() -> String {
    let mut text = String::from("ts,upstream,status,latency,pod\n");
    for number in 0..2_400_u64 {
        let at = 1_772_359_200_000 + number * 100;
        let status = if (600..1_200).contains(&number) {
            503
        } else {
            200
        };
        let pod = number % 2;
        writeln!(text, "{at},users-api,{status},20,pod-{pod}").unwrap();
    }
    text
}

pub(crate) const MAP: &str = "time=ts,duration=ms:latency,ok='status<500',name=upstream";

pub(crate) fn exists(path: &Path) -> bool {
    path.exists()
}
