use crate::support::{csv, importer, mapping, ndjson, nginx, read, recorded, source};
use breakerbox_replay::import::ImportError;
use std::io::{self, Read};

const FIELDS: &str = "time=ms:ts,ok=ok,name=name";

#[test]
fn byte_order_mark_is_skipped() {
    let log = b"\xEF\xBB\xBFts,ok,name\n1000,true,users\n";
    assert_eq!(read(csv(log, FIELDS)).0.len(), 1);
    let log = b"\xEF\xBB\xBF{\"ts\":1000,\"ok\":true,\"name\":\"users\"}\n";
    assert_eq!(read(ndjson(log, FIELDS)).0.len(), 1);
}

#[test]
fn carriage_returns_are_part_of_line_ends() {
    let log = "ts,ok,name\r\n1000,true,users\r\n";
    assert_eq!(&*read(csv(log, FIELDS)).0[0].name, "users");
    let log = "{\"ts\":1000,\"ok\":true,\"name\":\"users\"}\r\n\r\n";
    assert_eq!(read(ndjson(log, FIELDS)).1.bad, 0);
    let (calls, _) = read(nginx("1.000 200 users\r\n", "$msec $status $host"));
    assert_eq!(&*calls[0].name, "users");
}

#[test]
fn line_of_a_mebibyte_is_read_and_a_longer_one_is_bad() {
    for (length, expected) in [(1 << 20, 1), ((1 << 20) + 1, 0), (5 << 20, 0)] {
        let start = r#"{"ts":1000,"ok":true,"name":""#;
        let name = "x".repeat(length - start.len() - 2);
        let log = format!("{start}{name}\"}}\n{{\"ts\":2000,\"ok\":true,\"name\":\"y\"}}\n");
        let (calls, counts) = read(ndjson(&log, FIELDS));
        assert_eq!(calls.len(), 1 + expected, "{length}");
        assert_eq!(counts.bad, 1 - expected as u64);
        if let Some(bad) = counts.bad_lines.first() {
            assert_eq!(bad.reason, "the line is longer than 1 MiB");
            assert!(bad.text.len() < 100);
        }
    }
}

#[test]
fn invalid_utf_8_is_replaced_or_bad() {
    let log = b"ts,ok,name,agent\n1000,true,us\xFFers,\xFF\n";
    assert_eq!(&*read(csv(log, FIELDS)).0[0].name, "us\u{FFFD}ers");
    let log = b"{\"ts\":1000,\"ok\":true,\"name\":\"\xFF\"}\n";
    assert_eq!(read(ndjson(log, FIELDS)).1.bad, 1);
    let log = b"1.000 200 \xFF\xFE agent\n";
    let (calls, _) = read(nginx(log, "$msec $status $http_user_agent agent"));
    assert_eq!(calls.len(), 1);
    let log = b"1.000 200 \xFF\xFE\n";
    assert_eq!(read(nginx(log, "$msec $status $host")).1.bad, 1);
    // The address is no substitute for a name that is broken.
    let log = b"1.000 200 \xFF [10.0.0.1:80]\n";
    assert_eq!(
        read(nginx(log, "$msec $upstream_status $host [$upstream_addr]"))
            .1
            .bad,
        1
    );
}

#[test]
fn control_characters_are_escaped_in_excerpts() {
    let (_, counts) = read(recorded("\u{1b}[31m\0 bad\n"));
    assert_eq!(counts.bad_lines[0].text, "\\u{1b}[31m\\0 bad");
}

/// A source that fails after its text.
struct Failing(io::Cursor<&'static [u8]>);

impl Read for Failing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf)? {
            0 => Err(io::Error::other("the disk is gone")),
            read => Ok(read),
        }
    }
}

#[test]
fn failing_source_keeps_the_calls_before() {
    let text = b"ts,ok,name\n1000,true,users\n2000,tr";
    let failing = Failing(io::Cursor::new(text));
    let (calls, counts) = read(importer().csv(failing, mapping(FIELDS)).unwrap());
    assert_eq!(calls.len(), 1);
    assert_eq!(counts.broken.as_deref(), Some("the disk is gone"));
    let opened = importer().csv(Failing(io::Cursor::new(b"")), mapping(FIELDS));
    assert!(matches!(opened, Err(ImportError::Io(_))));
}

/// A source that returns a single byte at a time, and is interrupted before each.
struct Trickle(io::Cursor<Vec<u8>>, bool);

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = buf.len().min(1);
        self.0.read(&mut buf[..room])
    }
}

#[test]
fn slow_pipe_is_read_like_a_file() {
    let log = "ts,ok,name\n1000,true,\"users\n\"\n2000,false,pay\n";
    let trickle = Trickle(source(log), false);
    let (slow, _) = read(importer().csv(trickle, mapping(FIELDS)).unwrap());
    assert_eq!(slow, read(csv(log, FIELDS)).0);
    assert_eq!(slow.len(), 2);
}

#[test]
fn many_different_names_are_read() {
    let line = |n: u64| format!("{n},true,user-{n}\n");
    let log = format!("ts,ok,name\n{}", (0..50_000).map(line).collect::<String>());
    let (calls, _) = read(csv(log, FIELDS));
    assert!(
        calls
            .iter()
            .enumerate()
            .all(|(n, call)| *call.name == *format!("user-{n}"))
    );
}
