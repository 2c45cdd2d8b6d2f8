//! Styles and widths follow the stream that is written to.
//!
//! `script` (util-linux) runs the command in a pseudo-terminal.
#![cfg(target_os = "linux")]

use crate::support::{Directory, Ran};
use std::process::Command;

const BOLD: &str = "\u{1b}[1m";

fn directory() -> Directory {
    let directory = Directory::new();
    let write = "scenario full --rate 5 --lasting 240 --write calls.ndjson";
    directory.run(write).ok();
    directory
}

/// Runs a line of the shell, and returns what it writes to the terminal.
fn in_terminal(directory: &Directory, environment: &[(&str, &str)], line: &str) -> String {
    let mut command = Command::new("script");
    command.current_dir(directory.path("."));
    command.args(["--quiet", "--return", "--command", line, "/dev/null"]);
    command.env("SHELL", "/bin/sh").env("TERM", "xterm");
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "CI"] {
        command.env_remove(variable);
    }
    command.env("breakerbox", env!("CARGO_BIN_EXE_breakerbox"));
    command.envs(environment.iter().copied());
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.out);
    ran.out
}

const REPLAY: &str = "$breakerbox replay calls.ndjson 2>/dev/null";

#[test]
fn terminal_shows_styles_unless_they_are_refused() {
    let directory = directory();
    assert!(in_terminal(&directory, &[], REPLAY).contains(BOLD));
    for refused in [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")] {
        let out = in_terminal(&directory, &[refused], REPLAY);
        assert!(!out.contains('\u{1b}'), "{refused:?}: {out:?}");
    }
}

#[test]
fn redirected_stream_gets_no_styles() {
    let directory = directory();
    let to_file = "$breakerbox tune calls.ndjson 2>report >/dev/tty";
    assert!(in_terminal(&directory, &[], to_file).contains("[breakers."));
    let report = directory.read("report");
    assert!(report.contains("chosen: "), "{report}");
    assert!(!report.contains('\u{1b}'), "{report:?}");

    let to_terminal = "$breakerbox tune calls.ndjson >tuned.toml";
    assert!(in_terminal(&directory, &[], to_terminal).contains(BOLD));
    let document = directory.read("tuned.toml");
    assert!(!document.contains('\u{1b}'), "{document:?}");

    let piped = in_terminal(&directory, &[], &format!("{REPLAY} | cat"));
    assert!(!piped.contains('\u{1b}'), "{piped:?}");
    let forced = [("CLICOLOR_FORCE", "1")];
    let forced = in_terminal(&directory, &forced, &format!("{REPLAY} | cat"));
    assert!(forced.contains(BOLD), "{forced:?}");
}

#[test]
fn styled_lines_end_without_spaces() {
    let out = in_terminal(&directory(), &[], REPLAY);
    let lines = out.lines().map(|line| line.trim_end_matches('\r'));
    let mut padded = lines.filter(|line| line.ends_with(' ') || line.ends_with(" \u{1b}[0m"));
    assert_eq!(padded.next(), None);
}

#[test]
fn table_is_as_wide_as_the_terminal() {
    let directory = directory();
    let longest = |environment: &[(&str, &str)], columns: u32| {
        let line =
            format!("stty rows 24 cols {columns}; $breakerbox tune calls.ndjson 2>&1 >/dev/null");
        let out = in_terminal(&directory, environment, &line);
        let table: Vec<&str> = out
            .lines()
            .filter(|line| line.contains("through"))
            .collect();
        assert!(!table.is_empty(), "{out}");
        let widths = table.iter().map(|line| line.trim_end().chars().count());
        widths.max().unwrap()
    };
    let plain = [("NO_COLOR", "1")];
    let narrow = longest(&plain, 60);
    assert!(narrow <= 60, "{narrow}");
    let wide = longest(&plain, 200);
    assert!((61..=200).contains(&wide), "{wide}");
}
