//! The remote commands against a real panel.

use crate::support::{Ran, Service, authorized, breakerbox};
use breakerbox::prelude::*;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn ls_lists_breakers_and_exits_with_2_if_one_is_open() {
    let service = Service::web_1();
    let empty = service.run(&["ls"]);
    assert_eq!(
        (empty.code, &*empty.out),
        (0, "0 shown; no breakers at web-1\n")
    );

    service.registry.breaker("users-api");
    service.registry.breaker("pay\n\u{1b}[31m");
    let closed = service.run(&["ls"]);
    assert_eq!(closed.code, 0);
    assert!(closed.out.starts_with("name "), "{closed:?}");
    assert!(closed.out.contains("pay\\n\\u{1b}[31m"), "{closed:?}");
    assert!(
        closed.out.ends_with("\n2 shown; 2 closed at web-1\n"),
        "{closed:?}"
    );
    assert!(
        !closed.out.contains('\u{1b}') && !closed.out.contains(" \n"),
        "{closed:?}"
    );

    service
        .registry
        .breaker("users-api")
        .because("INC-7")
        .trip();
    let open = service.run(&["ls"]);
    assert_eq!(open.code, 2);
    let line = open
        .out
        .lines()
        .find(|line| line.starts_with("users-api"))
        .unwrap();
    assert!(line.contains(" open ") && line.contains("INC-7"), "{line}");
    // Nothing that is shown is open.
    assert_eq!(service.run(&["ls", "pay"]).code, 0);
    assert_eq!(
        service.run(&["ls", "--state", "open"]).out.lines().count(),
        4
    );
}

#[test]
fn ls_reads_all_pages() {
    let service = Service::web_1();
    for n in 0..450 {
        service.registry.breaker(format!("tenant-{n:03}"));
    }
    let ran = service.run(&["ls", "--json", "--sort", "-name"]);
    assert_eq!(ran.code, 0);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    let rows = answer["rows"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        (names.len(), names[0], names[449]),
        (450, "tenant-449", "tenant-000")
    );
    assert!(answer["after"].is_null());
    assert!(
        service
            .run(&["ls"])
            .out
            .contains("\n450 shown; 450 closed at web-1\n")
    );
}

#[test]
fn table_fits_into_columns() {
    let service = Service::web_1();
    let reason = "a long reason ".repeat(10);
    service
        .registry
        .breaker("users-api")
        .because(reason)
        .force_open();
    let output = service
        .command()
        .arg("ls")
        .env("COLUMNS", "70")
        .output()
        .unwrap();
    let ran = Ran::of(output);
    assert!(
        ran.out.lines().all(|line| line.chars().count() <= 70),
        "{}",
        ran.out
    );
    assert!(ran.out.lines().count() > 5, "{}", ran.out);
}

#[test]
fn show_explains_one_breaker() {
    let service = Service::web_1();
    let name = "users/api?x=1&y=ä";
    let users = service.registry.breaker(name);
    let ran = service.run(&["show", name]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for expected in [
        "closed",
        "5 consecutive failures",
        "trial_timeout",
        "30s",
        "web-1",
    ] {
        assert!(ran.out.contains(expected), "{expected}: {}", ran.out);
    }
    users.trip();
    let ran = service.run(&["show", name, "--json"]);
    assert_eq!(ran.code, 2);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(answer["row"]["state"], "open");
    service
        .run(&["show", "missing"])
        .assert_fails("there is no breaker of this name");
}

#[test]
fn commands_change_the_breaker() {
    let service = Service::web_1();
    let users = service.registry.breaker("users");
    for (arguments, state) in [
        (&["trip", "users", "--for", "120"][..], State::Open),
        (&["half-open", "users"], State::HalfOpen),
        (&["reset", "users"], State::Closed),
        (&["force-open", "users"], State::ForcedOpen),
    ] {
        let ran = service.run(&[arguments, &["--because", "INC-7"]].concat());
        assert_eq!((ran.code, users.state()), (0, state), "{ran:?}");
        assert!(
            ran.out.starts_with("users: ") && ran.out.ends_with(" at web-1\n"),
            "{ran:?}"
        );
    }
    let cause = users.snapshot().cause.unwrap().to_string();
    assert!(cause.contains("INC-7"), "{cause}");
}

#[test]
fn command_in_another_state_fails_and_changes_nothing() {
    let service = Service::web_1();
    let users = service.registry.breaker("users");
    let arguments = ["reset", "users", "--because", "x", "--if-state", "open"];
    let ran = service.run(&arguments);
    ran.assert_fails("look at it again before you decide. The breaker is closed");
    assert_eq!(users.state(), State::Closed);
    service
        .run(&["trip", "missing", "--because", "x"])
        .assert_fails("there is no breaker of this name");
}

#[test]
fn token_comes_from_the_environment_or_the_argument() {
    let service = Service::new(authorized(), false);
    service.registry.breaker("users");
    let refused = service.run(&["ls"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let ran = Ran::of(
        service
            .command()
            .arg("ls")
            .env("BREAKERBOX_TOKEN", "s3cret")
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = service.run(&["ls", "--token", "s3cret"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = service.run(&["ls", "--token", "wrong"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(!ran.err.contains("wrong"), "{ran:?}");
    // The token is not part of the help.
    let help = Ran::of(
        service
            .command()
            .args(["ls", "--help"])
            .env("BREAKERBOX_TOKEN", "s3cret")
            .output()
            .unwrap(),
    );
    assert!(
        help.out.contains("BREAKERBOX_TOKEN") && !help.out.contains("s3cret"),
        "{help:?}"
    );
}

#[test]
fn events_are_written_and_followed() {
    let service = Service::web_1();
    // The panel takes over events once its server runs.
    assert_eq!(service.run(&["ls"]).code, 0);
    let users = service.registry.breaker("users");
    let other = service.registry.breaker("other");
    let mut child = service
        .command()
        .args(["events", "users", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    other.trip();
    users.because("INC-7").trip();
    let tripped = next();
    assert!(tripped.contains("  users  closed -> open: "), "{tripped}");
    assert!(tripped.contains("INC-7"), "{tripped}");
    users.reset();
    let reset = next();
    assert!(reset.contains("  users  open -> closed: "), "{reset}");
    child.kill().unwrap();
    child.wait().unwrap();

    let ran = service.run(&["events", "--json"]);
    assert_eq!(ran.code, 0);
    let entries: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let states = entries.iter().filter(|entry| entry["kind"] == "command");
    assert_eq!(states.count(), 3, "{}", ran.out);
}

#[test]
fn missing_panel_is_explained() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let ran = Ran::of(
        breakerbox()
            .args(["ls", "--url", &format!("http://{address}")])
            .output()
            .unwrap(),
    );
    ran.assert_fails("cannot be reached");
    for url in ["ftp://x/", "localhost", "https://x/", "http://x/?a", ""] {
        let ran = Ran::of(breakerbox().args(["ls", "--url", url]).output().unwrap());
        ran.assert_fails("is no address of a panel");
    }
}

#[test]
fn wrong_command_line_exits_with_64() {
    for arguments in [
        &["trip", "users"][..],
        &["nonsense"],
        &[],
        &["ls", "--nonsense"],
    ] {
        let ran = Ran::of(breakerbox().args(arguments).output().unwrap());
        assert_eq!(ran.code, 64, "{ran:?}");
        assert!(!ran.err.is_empty());
    }
    for arguments in ["--help", "--version"] {
        assert_eq!(
            Ran::of(breakerbox().arg(arguments).output().unwrap()).code,
            0
        );
    }
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = Ran::of(breakerbox().args(["completions", shell]).output().unwrap());
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains("force-open"), "{shell}");
    }
}
