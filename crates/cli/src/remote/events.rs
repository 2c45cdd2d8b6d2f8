//! `breakerbox events`: writes the log of the panel, and follows it.

use super::answer::{Entry, Events};
use super::client::{Client, ClientError};
use crate::arguments::Panel;
use crate::exit::Exit;
use crate::table::escaped;
use crate::values::{counted, date};
use serde::Deserialize;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::thread;
use std::time::Duration;
use ureq::Body;

/// How often a stream is opened again in a row before the command fails.
const ATTEMPTS: u32 = 6;
/// The maximum length of a line of a stream, and of the data of an event.
const MAX_LINE: usize = 16 << 20;

pub(super) fn run(
    panel: &Panel,
    name: Option<&str>,
    follow: bool,
    json: bool,
) -> Result<Exit, Box<dyn std::error::Error>> {
    let client = Client::new(panel)?;
    let output = Output { name, json };
    // Opened before the log is read, so that no event falls between the two.
    let stream = follow.then(|| open(&client, None)).transpose()?;
    let past: Events = client.get("events", &[])?;
    missed(past.missed);
    for event in &past.events {
        output.entry(event)?;
    }
    let last = past
        .events
        .last()
        .and_then(|event| event.get("id")?.as_str());
    match stream {
        None => Ok(Exit::Success),
        Some(stream) => follow_stream(&client, &output, stream, last.map(str::to_owned)),
    }
}

/// Opens a stream. The rows are not shown, so the smallest view is enough.
fn open(client: &Client, last: Option<&str>) -> Result<Body, ClientError> {
    client.stream("stream", &[("limit", "1")], last)
}

/// Reads the stream, and opens it again when it ends. The panel ends it every few minutes.
fn follow_stream(
    client: &Client,
    output: &Output<'_>,
    first: Body,
    mut last: Option<String>,
) -> Result<Exit, Box<dyn std::error::Error>> {
    let mut opened: Result<_, ClientError> = Ok(first);
    let mut failed = 0;
    let mut is_lost = false;
    loop {
        match opened {
            Ok(body) => {
                if std::mem::take(&mut is_lost) {
                    say("the panel answers again");
                }
                let stream = BufReader::new(body.into_reader());
                if read_stream(stream, output, &mut last)? {
                    failed = 0;
                }
            }
            Err(error) if failed == ATTEMPTS || !error.is_temporary() => return Err(error.into()),
            Err(error) => {
                if !std::mem::replace(&mut is_lost, true) {
                    say(&format!("{error}. Trying again"));
                }
            }
        }
        failed += 1;
        thread::sleep(Duration::from_millis(250 << failed.min(5)));
        opened = open(client, last.as_deref());
    }
}

/// Reads one stream to its end. Returns `true` if anything was read.
///
/// A stream that breaks off is opened again, so errors of reading are no errors here.
fn read_stream(
    mut stream: impl BufRead,
    output: &Output<'_>,
    last: &mut Option<String>,
) -> io::Result<bool> {
    let (mut event, mut data, mut id) = (String::new(), String::new(), None);
    let mut read_any = false;
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = stream.by_ref().take(MAX_LINE as u64);
        match limited.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return Ok(read_any),
            Ok(_) => read_any = true,
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            let is_new = |id: &String| !is_past(id, last.as_deref());
            if id.as_ref().is_none_or(is_new) {
                dispatch(&event, &data, output)?;
                *last = id.take().or(last.take());
            }
            id = None;
            event.clear();
            data.clear();
            continue;
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event),
            "data" if data.len() < MAX_LINE => data.push_str(value),
            "id" => id = Some(value.to_owned()),
            _ => {}
        }
    }
}

/// Returns `true` if the event `id` comes before the event `last`, or is that event. An ID is
/// `instance:number`.
fn is_past(id: &str, last: Option<&str>) -> bool {
    let parts = |id: &str| {
        let (instance, number) = id.rsplit_once(':')?;
        Some((instance.to_owned(), number.parse::<u64>().ok()?))
    };
    match (parts(id), last.and_then(parts)) {
        (Some((instance, number)), Some((last_instance, last))) => {
            instance == last_instance && number <= last
        }
        _ => false,
    }
}

fn dispatch(event: &str, data: &str, output: &Output<'_>) -> io::Result<()> {
    let Ok(data) = serde_json::from_str::<Value>(data) else {
        return Ok(());
    };
    match event {
        "log" => output.entry(&data),
        "missed" => {
            missed(data.get("count").and_then(Value::as_u64).unwrap_or(0));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// How entries are written.
struct Output<'a> {
    /// Only entries of this breaker are written.
    name: Option<&'a str>,
    json: bool,
}

impl Output<'_> {
    fn entry(&self, event: &Value) -> io::Result<()> {
        if self
            .name
            .is_some_and(|name| event.get("name").and_then(Value::as_str) != Some(name))
        {
            return Ok(());
        }
        if self.json {
            return writeln!(io::stdout(), "{event}");
        }
        // An entry of a newer panel may be of another form.
        match Entry::deserialize(event) {
            Ok(entry) => print_entries(&[entry]),
            Err(_) => writeln!(io::stdout(), "{}", escaped(&event.to_string())),
        }
    }
}

/// Reports events that the log no longer has.
fn missed(count: u64) {
    if count > 0 {
        say(&format!(
            "the log no longer has {}",
            counted(count, "event")
        ));
    }
}

/// Writes a message to standard error, which cannot fail usefully.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "breakerbox: {text}");
}

pub(super) fn print_entries(entries: &[Entry]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for entry in entries {
        let name = entry.name.as_deref().map_or("-".to_owned(), escaped);
        let change = match (&entry.from, &entry.to) {
            (Some(from), Some(to)) => format!("{from} -> {to}"),
            _ => entry.kind.clone(),
        };
        let text = escaped(&entry.text);
        writeln!(
            out,
            "{}  {name}  {}: {text}",
            date(Duration::from_millis(entry.at)),
            escaped(&change)
        )?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_the_log_are_not_repeated() {
        assert!(is_past("web:1:7", Some("web:1:7")));
        assert!(is_past("web:1:6", Some("web:1:7")));
        assert!(!is_past("web:1:8", Some("web:1:7")));
        // Another instance, or the same one after a restart.
        assert!(!is_past("web:2:6", Some("web:1:7")));
        assert!(!is_past("web:1:6", None));
        assert!(!is_past("garbage", Some("web:1:7")));
    }

    #[test]
    fn stream_is_read_across_comments_and_fields() {
        let text = ": keep-alive\n\nevent: view\ndata: {}\n\nid: a:7\nevent: log\ndata: {\"name\":\"x\"}\r\n\r\n\
                    id: a:8\nevent: other\ndata: broken\n\nevent: log\ndata: unfinished";
        let output = Output {
            name: Some("other"),
            json: true,
        };
        let mut last = Some("a:6".to_owned());
        assert!(read_stream(text.as_bytes(), &output, &mut last).unwrap());
        assert_eq!(last.as_deref(), Some("a:8"));
        assert!(!read_stream(&b""[..], &output, &mut last).unwrap());
    }
}
