//! The outputs on the page docs/tuning.md are those of the command.
//!
//! `BREAKERBOX_REFRESH=1` writes them to the page.

use crate::support::Directory;
use std::fmt::Write;
use std::{env, fs};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/tuning.md");

#[test]
fn outputs_on_the_page_are_those_of_the_command() {
    let page = fs::read_to_string(PAGE).unwrap();
    let directory = Directory::new();
    let mut written = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        writeln!(written, "{line}").unwrap();
        if line != "```console" {
            continue;
        }
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let mut block = block.into_iter();
        while let Some(line) = block.next() {
            let Some(first) = line.strip_prefix("$ ") else {
                continue;
            };
            let mut command = first.to_owned();
            writeln!(written, "{line}").unwrap();
            while let Some(start) = command.strip_suffix('\\') {
                let more = block.next().unwrap();
                writeln!(written, "{more}").unwrap();
                command = format!("{start}{more}");
            }
            written += &output(&directory, &command);
        }
        writeln!(written, "```").unwrap();
    }
    if env::var_os("BREAKERBOX_REFRESH").is_some() {
        fs::write(PAGE, written).unwrap();
    } else {
        let same = page
            .lines()
            .zip(written.lines())
            .take_while(|(a, b)| a == b);
        let at = same.count();
        assert_eq!(
            page.lines().nth(at),
            written.lines().nth(at),
            "line {}; BREAKERBOX_REFRESH=1 refreshes the page",
            at + 1
        );
    }
}

/// Returns what the command of a page writes.
fn output(directory: &Directory, command: &str) -> String {
    let words: Vec<String> = command
        .split_whitespace()
        .map(|word| word.replace('\'', ""))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["breakerbox", ref arguments @ ..] => {
            let ran = directory.run_with(arguments);
            ran.err + &ran.out
        }
        ["cat", file] => directory.read(file),
        ["head", count, file] => {
            let count: usize = count[1..].parse().unwrap();
            directory
                .read(file)
                .lines()
                .take(count)
                .flat_map(|line| [line, "\n"])
                .collect()
        }
        _ => panic!("{command}"),
    }
}
