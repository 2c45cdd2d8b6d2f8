//! Broken and hostile inputs.

use crate::support::{Directory, MAP, Ran, csv};
use std::fmt::Write as _;
use std::io::Read;
use std::process::Stdio;

#[test]
fn files_without_calls_are_errors() {
    let directory = Directory::new()
        .with("empty", "")
        .with("blank", "\n\n \n")
        .with("header.csv", "ts,status\n")
        .with("binary", [0, 159, 146, 150, 10, 255, 0])
        .with(
            "bad.csv",
            "ts,status,upstream,latency\nsoon,200,a,1\nlater,200,a,1\n",
        );
    for name in ["empty", "blank"] {
        directory
            .run(&format!("replay {name} --instances 1"))
            .fails(1, "there are no lines");
    }
    directory
        .run("replay header.csv --instances 1 --map time=ts,ok='status<500'")
        .fails(1, "no calls in 1 line");
    directory
        .run("replay binary --instances 1")
        .fails(1, "neither JSON nor CSV");
    directory
        .run(&format!("replay bad.csv --instances 1 --map {MAP}"))
        .fails(
            1,
            "no calls in 3 lines; 2 cannot be read:\n  line 2: no time in the field `ts`",
        );
    directory
        .run("replay missing.csv --instances 1")
        .fails(1, "missing.csv: No such file");
    directory
        .run("replay . --instances 1")
        .fails(1, "a directory");
}

#[test]
fn broken_gzip_is_a_caveat() {
    let gzip = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(csv().as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let directory = Directory::new().with("calls.gz", &gzip[..gzip.len() / 2]);
    let out = directory
        .run(&format!("replay calls.gz --instances 1 --map {MAP}"))
        .ok();
    assert!(out.starts_with("note: The source broke off"), "{out}");
    assert!(out.contains("\n  broken off: "), "{out}");
}

#[test]
fn control_characters_are_escaped() {
    let text = csv().replace("users-api", "\u{1b}[2J\u{1b}]0;x\u{7}");
    let document = "[default]\nfailure_threshold = 3\n";
    let directory = Directory::new()
        .with("calls.csv", text)
        .with("\u{1b}[31m.toml", document);
    let map = format!("replay calls.csv --instances 1 --map {MAP} --by-name -c \u{1b}[31m.toml");
    let out = directory.run(&map).ok();
    assert!(
        !out.contains('\u{1b}') && out.contains("\\u{1b}[2J"),
        "{out}"
    );
    let ran = directory.run(&format!("tune calls.csv --instances 1 --map {MAP}"));
    assert!(!(ran.out + &ran.err).contains('\u{1b}'));
    directory
        .run("replay \u{1b}[0m --instances 1")
        .fails(1, "\\u{1b}[0m: No such file");
}

#[test]
fn extreme_times_are_survived() {
    let rows = "ts,upstream,status,latency\n0,a,200,1\n99999999999,a,503,99999999999999999999\n5,a,200,18446744073709551615\n";
    let directory = Directory::new().with("calls.csv", rows);
    let ran = directory.run(&format!(
        "replay calls.csv --instances 1 --map {MAP} --outage 1..2"
    ));
    assert!([0, 1].contains(&ran.code), "{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

#[test]
fn unreadable_files_are_explained() {
    for (start, advice) in [
        (&b"\x28\xb5\x2f\xfd"[..], "zstd -dc"),
        (b"\xfd7zXZ\0", "xz -dc"),
        (b"BZh91AY", "bzip2 -dc"),
        (b"PK\x03\x04", "extract the files"),
        (b"\xff\xfet\0s\0,\0", "iconv -f UTF-16"),
        (b"\xfe\xff\0t\0s\0,", "iconv -f UTF-16"),
    ] {
        let directory = Directory::new().with("calls", start);
        directory
            .run(&format!("replay calls --instances 1 --map {MAP}"))
            .fails(1, advice);
    }
}

#[test]
fn reversed_log_is_an_error() {
    let text = csv();
    let mut rows: Vec<&str> = text.lines().collect();
    rows[1..].reverse();
    let directory = Directory::new().with("calls.csv", rows.join("\n"));
    let arguments = format!("replay calls.csv --instances 1 --map {MAP}");
    directory
        .run(&format!("{arguments} --reorder-within 10s"))
        .fails(1, "sort the lines by time, the oldest first");
    assert_eq!(
        directory
            .run(&format!("{arguments} --reorder-within 5m --json"))
            .json()["replayed"]["calls"],
        2_400
    );
}

#[test]
fn many_names_are_an_error_before_they_fill_memory() {
    let mut rows = String::from("ts,upstream,status,latency\n");
    for number in 0..5_000 {
        let _ = writeln!(rows, "{},name-{number},200,1", 1_772_359_200 + number);
    }
    let directory = Directory::new().with("calls.csv", rows);
    directory
        .run(&format!("replay calls.csv --instances 1 --map {MAP}"))
        .fails(1, "more than 1,000 breakers (1,001 names)");
}

#[test]
fn closed_pipe_is_no_error() {
    let directory = Directory::new().with("calls.csv", csv());
    let commands = [
        format!("replay calls.csv --instances 1 --map {MAP}"),
        format!("tune calls.csv --instances 1 --map {MAP}"),
        "scenario full --rate 500 --write -".to_owned(),
    ];
    for arguments in commands {
        let mut command = directory.command(&arguments.split(' ').collect::<Vec<_>>());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments}: {err}");
        assert!(!err.contains("breakerbox:"), "{arguments}: {err}");
    }
}

#[test]
fn wrong_command_lines_have_their_own_code() {
    let directory = Directory::new();
    for arguments in [
        "replay",
        "tune",
        "replay x --format yaml",
        "scenario --rate 0",
        "scenario tornado",
        "replay x --slow-from 5",
    ] {
        assert_eq!(directory.run(arguments).code, 64, "{arguments}");
    }
    let help = directory.run("--help").ok();
    for line in [
        "  0   success",
        "  1   the command failed",
        "  64  the command line is wrong",
    ] {
        assert!(help.contains(line), "{help}");
    }
    for command in ["replay", "tune", "scenario"] {
        assert!(directory.run(&format!("{command} --help")).ok().len() > 1_000);
        assert!(help.contains(&format!("  {command} ")), "{help}");
    }
    let _ = Ran::ok(directory.run("completions bash"));
}

#[test]
fn header_sends_no_commands_to_terminal() {
    let directory = Directory::new().with("calls.csv", "ts,\u{1b}[31mred,ok\n1,2,3\n");
    let ran = directory.run("replay calls.csv --instances 1 --map time=none,ok='ok=3'");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("its columns are"), "{}", ran.err);
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
}
