//! Writes the calls of a scenario to a file.

use super::arguments::ScenarioArguments;
use super::written_as::WrittenAs;
use crate::progress;
use crate::table::escaped;
use breakerbox_replay::{Call, Outcome, Scenario};
use serde_json::json;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// The time of the first second: 2026-03-01T10:00:00Z. The same options write the same bytes.
const EPOCH: Duration = Duration::from_secs(1_772_359_200);

pub(super) fn write(
    arguments: &ScenarioArguments,
    scenario: &Scenario,
    path: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    if path == Path::new("-") {
        return Ok(write_to(arguments, scenario, io::stdout().lock())?);
    }
    let file = File::create(path).and_then(|file| write_to(arguments, scenario, file));
    file.map_err(|error| format!("{}: {error}", escaped(&path.to_string_lossy())).into())
}

fn write_to(arguments: &ScenarioArguments, scenario: &Scenario, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, out);
    let end = scenario
        .outages()
        .iter()
        .map(|outage| outage.end.as_secs())
        .max();
    let bar = progress::seconds("writing", end.map_or(300, |end| end + 120));
    match arguments.written_as {
        WrittenAs::Recorder => {
            let header = json!({ "recorder": 1, "instance": "scenario", "breakers": 1.0 });
            writeln!(out, "{header}")?;
        }
        WrittenAs::Csv => writeln!(out, "time,upstream,status,duration_ms")?,
    }
    let name = match arguments.written_as {
        WrittenAs::Recorder => json!(arguments.name).to_string(),
        WrittenAs::Csv => quoted(&arguments.name),
    };
    for call in scenario.calls() {
        if bar.position() != call.start.as_secs() {
            bar.set_position(call.start.as_secs());
        }
        match arguments.written_as {
            WrittenAs::Recorder => recorded(&mut out, &call, &name)?,
            WrittenAs::Csv => row(&mut out, &call, &name)?,
        }
    }
    bar.finish_and_clear();
    out.flush()
}

fn recorded(out: &mut impl Write, call: &Call, name: &str) -> io::Result<()> {
    let start = (EPOCH + call.start).as_micros();
    let duration = call.duration.unwrap_or_default().as_micros();
    let outcome = call.outcome.as_str();
    match &call.error {
        Some(error) => {
            let error = json!(&**error);
            writeln!(
                out,
                r#"{{"t":{start},"b":{name},"d":{duration},"o":"{outcome}","e":{error}}}"#
            )
        }
        None => writeln!(
            out,
            r#"{{"t":{start},"b":{name},"d":{duration},"o":"{outcome}"}}"#
        ),
    }
}

fn row(out: &mut impl Write, call: &Call, name: &str) -> io::Result<()> {
    let start = humantime::format_rfc3339_micros(UNIX_EPOCH + EPOCH + call.start);
    let status = if call.outcome == Outcome::Success {
        200
    } else {
        503
    };
    let micros = call.duration.unwrap_or_default().as_micros();
    writeln!(
        out,
        "{start},{name},{status},{}.{:03}",
        micros / 1_000,
        micros % 1_000
    )
}

/// Returns a field of CSV, in quotes if they are needed.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
