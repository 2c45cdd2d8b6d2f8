//! What the remote commands say when a panel, or what is in front of it, does not answer as it should.

use crate::support::{Ran, Service, authorized, breakerbox};
use breakerbox::prelude::*;
use breakerbox_panel::Panel;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

/// Answers each request with what `answer` returns for its first line, and closes the connection.
fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The thread ends with the test.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve(&stream, &answer);
        }
    });
    address
}

fn serve(mut stream: &TcpStream, answer: impl Fn(&str) -> Vec<u8>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    lines.find(String::is_empty);
    // The client may not read all of it.
    let _ = stream.write_all(&answer(&first));
}

fn with_body(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn json(status: &str, body: &str) -> Vec<u8> {
    with_body(status, "application/json", body.as_bytes())
}

fn command(address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = breakerbox();
    command.env("BREAKERBOX_URL", format!("http://{address}/"));
    command.args(arguments);
    command
}

fn run(address: SocketAddr, arguments: &[&str]) -> Ran {
    Ran::of(command(address, arguments).output().unwrap())
}

const ALL: [&[&str]; 5] = [
    &["ls"],
    &["show", "users"],
    &["events"],
    &["events", "--follow"],
    &["trip", "users", "--because", "INC-7"],
];

#[track_caller]
fn assert_all_fail(address: SocketAddr, expected: &str) {
    for arguments in ALL {
        let ran = run(address, arguments);
        ran.assert_fails(expected);
        assert_eq!((&*ran.out, ran.err.lines().count()), ("", 1), "{ran:?}");
    }
}

#[test]
fn page_instead_of_json_is_no_panel() {
    let page = || {
        with_body(
            "200 OK",
            "text/html",
            b"<!doctype html><title>Grafana</title>",
        )
    };
    assert_all_fail(answering(move |_| page()), "is not that of a panel: ");
    let not_found = || with_body("404 Not Found", "text/html", b"<h1>nginx</h1>");
    let address = answering(move |_| not_found());
    assert_all_fail(address, "the status is 404 Not Found. Check the address");
    let moved =
        "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert_all_fail(answering(|_| moved.into()), "the status is 302 Found");
}

#[test]
fn refusal_is_repeated_with_advice() {
    for (status, error, advice) in [
        ("401 Unauthorized", "log in", ". Set BREAKERBOX_TOKEN to "),
        ("403 Forbidden", "the panel is read-only", "\n"),
        ("421 Misdirected Request", "unknown host", "\n"),
        (
            "503 Service Unavailable",
            "too many streams",
            ". Try again later",
        ),
    ] {
        let body = format!("{{\"error\":\"{error}\",\"new\":1}}");
        let address = answering(move |_| json(status, &body));
        // The stream is opened again only after it was open once.
        assert_all_fail(address, &format!("breakerbox: {error}{advice}"));
    }
    let denied = || with_body("401 Unauthorized", "text/html", b"proxy");
    assert_all_fail(answering(move |_| denied()), "Set BREAKERBOX_TOKEN to ");
}

#[test]
fn error_with_control_characters_is_escaped() {
    let address = answering(|_| json("403 Forbidden", r#"{"error":"no\u001b[2J\nway"}"#));
    assert_all_fail(address, "no\\u{1b}[2J\\nway");
}

#[test]
fn json_of_another_form_is_no_panel() {
    for body in ["{}", "[]", "null", "{\"instance\":7}", "{\"rows\":"] {
        let address = answering(move |_| json("200 OK", body));
        for arguments in [ALL[0], ALL[1], ALL[2], ALL[4]] {
            run(address, arguments).assert_fails("is not that of a panel: ");
        }
    }
}

#[test]
fn unknown_fields_and_states_are_skipped() {
    let row = r#""name":"users","state":"thawing","since":0,"failing_per_s":0,"refused_per_s":0,"new":{}"#;
    let body = format!(
        r#"{{"instance":"web-1","at":9,"matched":1,"by_state":{{"thawing":1}},"rows":[{{{row}}}],"x":[]}}"#
    );
    let ran = run(answering(move |_| json("200 OK", &body)), &["ls"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("thawing"), "{ran:?}");
}

#[test]
fn cursor_that_does_not_move_ends_the_list() {
    let body = r#"{"instance":"web-1","at":9,"matched":0,"by_state":{},"rows":[],"after":"users"}"#;
    let ran = run(answering(|_| json("200 OK", body)), &["ls"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn answer_that_is_too_large_is_refused() {
    let body = vec![b' '; 100 << 20];
    let address = answering(move |_| with_body("200 OK", "application/json", &body));
    run(address, &["ls"]).assert_fails("it is larger than 64 MiB");
}

#[test]
fn answer_that_breaks_off_is_unreachable() {
    let half =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"a\":";
    for answer in [half, "", "HTTP/1.1 2", "SSH-2.0-OpenSSH_9.6\r\n"] {
        let address = answering(move |_| answer.into());
        for arguments in [ALL[0], ALL[1], ALL[2], ALL[4]] {
            let ran = run(address, arguments);
            ran.assert_fails("cannot be reached: ");
            assert!(!ran.err.contains("io: "), "{ran:?}");
        }
    }
}

#[test]
fn token_is_trimmed_or_refused() {
    let service = Service::new(authorized(), false);
    let with_token = |token: &str| {
        let mut command = service.command();
        Ran::of(
            command
                .arg("ls")
                .env("BREAKERBOX_TOKEN", token)
                .output()
                .unwrap(),
        )
    };
    assert_eq!(with_token("s3cret\n").code, 0);
    for token in ["s3\ncret", "s3cret\r\nx-evil: 1", "sécret"] {
        let ran = with_token(token);
        ran.assert_fails("the token contains a character");
        assert!(!ran.err.contains("cret"), "{ran:?}");
    }
    let ran = with_token("wrong");
    ran.assert_fails("log in to see the panel. Set BREAKERBOX_TOKEN to ");
}

#[test]
fn panel_without_controls_says_who_enables_them() {
    let service = Service::new(Panel::builder().instance("web-1"), false);
    service.registry.breaker("users");
    let ran = service.run(&["trip", "users", "--because", "INC-7"]);
    ran.assert_fails("the program enables commands with `controls`");
    assert_eq!(service.registry.breaker("users").state(), State::Closed);
}

#[test]
fn seconds_of_a_trip_are_checked() {
    let service = Service::web_1();
    service.registry.breaker("users");
    for seconds in ["0", "604801"] {
        let arguments = ["trip", "users", "--because", "INC-7", "--for", seconds];
        let ran = service.run(&arguments);
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(ran.err.contains("604800"), "{ran:?}");
    }
}

#[test]
fn output_that_is_not_read_is_no_error() {
    let service = Service::web_1();
    for n in 0..3_000 {
        service.registry.breaker(format!("tenant-{n:04}"));
    }
    for arguments in [&["ls"][..], &["ls", "--json"]] {
        let mut child = service.command();
        let child = child.args(arguments).stdout(Stdio::piped());
        let mut child = child.stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    }
}

/// The beginning of a stream, and one event.
fn stream(id: &str, name: &str) -> Vec<u8> {
    let entry =
        format!(r#"{{"id":"{id}","at":0,"name":"{name}","kind":"command","text":"by hand"}}"#);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\nid: {id}\nevent: \
         log\ndata: {entry}\n\n"
    )
    .into()
}

#[test]
fn stream_that_ends_is_opened_again_until_it_is_refused() {
    let opened = std::cell::Cell::new(0);
    let address = answering(move |first| {
        if !first.contains("/stream") {
            return json("200 OK", r#"{"events":[],"missed":2}"#);
        }
        opened.set(opened.get() + 1);
        match opened.get() {
            1 => stream("web:1:7", "first"),
            // The server restarts.
            2 => Vec::new(),
            3 => stream("web:2:1", "second\\u001b[2J"),
            _ => json("401 Unauthorized", r#"{"error":"the token has expired"}"#),
        }
    });
    let ran = run(address, &["events", "--follow"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let names: Vec<&str> = ran
        .out
        .lines()
        .map(|line| line.split_whitespace().nth(1).unwrap())
        .collect();
    assert_eq!(names, ["first", "second\\u{1b}[2J"], "{ran:?}");
    let said: Vec<&str> = ran.err.lines().collect();
    assert_eq!(said.len(), 4, "{ran:?}");
    assert_eq!(said[0], "breakerbox: the log no longer has 2 events");
    assert!(said[1].contains("cannot be reached") && said[1].ends_with(". Trying again"));
    assert_eq!(said[2], "breakerbox: the panel answers again");
    assert!(said[3].starts_with("breakerbox: the token has expired. Set "));
}

#[test]
fn entry_of_another_form_is_escaped() {
    let body = "{\"missed\":0,\"events\":[{\"name\":\"a\u{9b}31m\u{202e}b\"}]}";
    let ran = run(answering(move |_| json("200 OK", body)), &["events"]);
    assert_eq!(ran.out, "{\"name\":\"a\\u{9b}31m\\u{202e}b\"}\n", "{ran:?}");
}
