//! A source of any size is imported in bounded memory.
#![allow(missing_docs)]

use allocation_counter::measure;
use breakerbox_replay::import::{Importer, Mapping, OtlpFormat};
use std::io::{self, Read};

const LIMIT: u64 = 100 << 20;

/// A source that generates one piece of text after another.
struct Generated<F> {
    pieces: F,
    left: Vec<u8>,
    read: usize,
}

fn generated(pieces: impl FnMut() -> Option<Vec<u8>> + Send + 'static) -> impl Read + Send {
    Generated {
        pieces,
        left: Vec::new(),
        read: 0,
    }
}

impl<F: FnMut() -> Option<Vec<u8>>> Read for Generated<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.read == self.left.len() {
            self.left = (self.pieces)().unwrap_or_default();
            self.read = 0;
        }
        let room = buf.len().min(self.left.len() - self.read);
        buf[..room].copy_from_slice(&self.left[self.read..self.read + room]);
        self.read += room;
        Ok(room)
    }
}

fn mapping() -> Mapping {
    "time=ms:ts,ok=ok,name=name,request=trace".parse().unwrap()
}

#[track_caller]
fn assert_bounded(what: &str, import: impl FnOnce() -> u64, expected: u64) {
    let mut calls = 0;
    let memory = measure(|| calls = import());
    assert_eq!(calls, expected, "{what}");
    assert!(
        memory.bytes_max < LIMIT,
        "{what}: {} MiB",
        memory.bytes_max >> 20
    );
}

#[test]
fn long_log_with_a_full_window_is_bounded() {
    const CALLS: u64 = 300_000;
    // All calls are within one window, and all requests and many names are different.
    let mut n = 0;
    let line = move || {
        n += 1;
        (n <= CALLS).then(|| {
            let filler = "x".repeat(100);
            let line = format!(
                "{{\"ts\":{n},\"ok\":true,\"name\":\"user-{}\",\"trace\":\"{n:032}\",\"filler\":\"{filler}\"}}\n",
                n % 50_000
            );
            line.into_bytes()
        })
    };
    let import = || {
        let opened = Importer::new()
            .instances(3)
            .ndjson(generated(line), mapping());
        opened.unwrap().count() as u64
    };
    assert_bounded("long log", import, CALLS);
}

#[test]
fn endless_line_is_bounded() {
    let mut pieces = 300;
    let piece = move || {
        pieces -= 1;
        (pieces >= 0).then(|| vec![b'x'; 1 << 20])
    };
    let import = || {
        let opened = Importer::new()
            .instances(1)
            .ndjson(generated(piece), mapping());
        opened.unwrap().count() as u64
    };
    assert_bounded("endless line", import, 0);
}

#[test]
fn endless_quote_is_bounded() {
    let mut pieces = 30_000;
    let piece = move || {
        pieces -= 1;
        let start = if pieces == 29_999 {
            "ts,ok,name,trace\n"
        } else {
            ""
        };
        (pieces >= 0).then(|| {
            format!("{start}\"{}\n", format!("{}\n", "x".repeat(99)).repeat(10)).into_bytes()
        })
    };
    let import = || {
        let opened = Importer::new()
            .instances(1)
            .csv(generated(piece), mapping());
        opened.unwrap().count() as u64
    };
    assert_bounded("endless quote", import, 0);
}

#[test]
fn endless_fields_are_bounded() {
    // Each line closes a quote and opens another one, and has many empty fields between them.
    let mut pieces = 200;
    let piece = move || {
        pieces -= 1;
        let start = if pieces == 199 {
            "ts,ok,name,trace\n\""
        } else {
            ""
        };
        (pieces >= 0).then(|| format!("{start}\"{}\"\n", ",".repeat(1 << 19)).into_bytes())
    };
    let import = || {
        let opened = Importer::new()
            .instances(1)
            .csv(generated(piece), mapping());
        opened.unwrap().count() as u64
    };
    assert_bounded("endless fields", import, 0);
}

#[test]
fn long_texts_are_bounded() {
    const CALLS: u64 = 30_000;
    let mut n = 0;
    let line = move || {
        n += 1;
        let text = |kind: char| format!("{kind}{n}-{}", "x".repeat(2_000));
        (n <= CALLS).then(|| {
            let (name, trace) = (text('n'), text('t'));
            let line =
                format!("{{\"ts\":{n},\"ok\":true,\"name\":\"{name}\",\"trace\":\"{trace}\"}}\n");
            line.into_bytes()
        })
    };
    let import = || {
        let opened = Importer::new()
            .instances(1)
            .ndjson(generated(line), mapping());
        opened.unwrap().count() as u64
    };
    assert_bounded("long texts", import, CALLS);
}

#[test]
fn many_intervals_of_rates_are_bounded() {
    const ROWS: u64 = 250_000;
    let mut n = 0;
    let row = move || {
        n += 1;
        let start = if n == 1 { "t,name,calls,failed\n" } else { "" };
        let row = format!("{start}{},name-{n},1,0\n", 1_772_000_000 + n / 100);
        (n <= ROWS).then(|| row.into_bytes())
    };
    let import = || {
        let mapping = "time=s:t,name=name,calls=calls,failures=failed";
        let importer = Importer::new().instances(1);
        let opened = importer.rates(generated(row), mapping.parse().unwrap());
        opened.unwrap().take(10).count() as u64
    };
    assert_bounded("many intervals", import, 10);
}

/// A batch of spans, of which none may be the last.
fn batch(spans: u64) -> String {
    let start = r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#;
    let span = r#"{"kind":3,"name":"x","startTimeUnixNano":1000,"endTimeUnixNano":2000}"#;
    let spans = vec![span; usize::try_from(spans).unwrap()].join(",");
    format!("{start}{spans}]}}]}}]}}\n")
}

#[test]
fn long_lines_of_spans_are_bounded() {
    // A line that is too long, and one whose spans do not fit into memory at once.
    let mut batches = vec![batch(500_000), batch(200_000), batch(100)];
    batches.reverse();
    let import = || {
        let importer = Importer::new().instances(1);
        let opened = importer.otlp(
            generated(move || batches.pop().map(String::into_bytes)),
            OtlpFormat::new(),
        );
        opened.unwrap().count() as u64
    };
    assert_bounded("spans", import, 200_100);
}
