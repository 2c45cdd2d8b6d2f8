//! How fast is traffic read? Prints lines per second for each format.
//!
//! `cargo run --release --package breakerbox-replay --example import_speed`
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]

use breakerbox_replay::import::{EnvoyFormat, Import, ImportError, Importer, OtlpFormat};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Seek, Write};
use std::time::Instant;

const LINES: u64 = 2_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let importer = Importer::new().instances(1);
    let recorded = text("", |text, n| {
        let (at, took) = (1_772_000_000_000_000 + n * 1_000, n % 50_000);
        let name = ["users-api", "payments", "search"][n as usize % 3];
        if n % 100 == 0 {
            writeln!(
                text,
                r#"{{"t":{at},"b":"{name}","d":{took},"o":"failure","e":"503"}}"#
            )
        } else {
            writeln!(
                text,
                r#"{{"t":{at},"b":"{name}","d":{took},"o":"success"}}"#
            )
        }
    })?;
    measure("recording", &recorded, |file| importer.recorded(file))?;

    let ndjson = text("", |text, n| {
        let at = 1_772_000_000_000 + n;
        writeln!(
            text,
            r#"{{"ts":{at},"upstream":"users-api","latency":{}.5,"status":{},"path":"/v1/users"}}"#,
            n % 50,
            if n % 100 == 0 { 503 } else { 200 }
        )
    })?;
    let fields = "time=ms:ts,duration=ms:latency,ok='status<500',name=upstream,error=status";
    measure("NDJSON with a mapping", &ndjson, |file| {
        importer.ndjson(file, fields.parse()?)
    })?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(ndjson.as_bytes())?;
    let gzip = encoder.finish()?;
    measure("NDJSON, gzip", &gzip, |file| {
        importer.ndjson(file, fields.parse()?)
    })?;

    let csv = text("ts,upstream,latency,status,path\n", |text, n| {
        let at = 1_772_000_000_000 + n;
        let status = if n % 100 == 0 { 503 } else { 200 };
        writeln!(text, "{at},users-api,{}.5,{status},/v1/users", n % 50)
    })?;
    measure("CSV with a mapping", &csv, |file| {
        importer.csv(file, fields.parse()?)
    })?;

    let nginx = text("", |text, n| {
        let (at, millis) = (1_772_000_000 + n / 1_000, n % 1_000);
        let status = if n % 100 == 0 { 503 } else { 200 };
        writeln!(
            text,
            "{at}.{millis:03} \"GET /v1/users HTTP/1.1\" {status} users-api {status} 0.0{}",
            n % 90 + 10
        )
    })?;
    let format = r#"$msec "$request" $status $proxy_host $upstream_status $upstream_response_time"#;
    measure("nginx", &nginx, |file| {
        let format = format.parse().map_err(std::io::Error::other)?;
        importer.nginx(file, format)
    })?;

    let envoy = text("", |text, n| {
        let (second, millis) = (n / 1_000 % 60, n % 1_000);
        let (code, flags) = if n % 100 == 0 {
            (503, "UF")
        } else {
            (200, "-")
        };
        let minute = n / 60_000;
        writeln!(
            text,
            "[2026-03-01T10:{minute:02}:{second:02}.{millis:03}Z] \"GET /v1/users HTTP/2\" {code} {flags} 0 91 {} - \
             \"-\" \"curl/8\" \"7c1f3b52\" \"users-api\" \"10.0.0.1:80\"",
            n % 90 + 10
        )
    })?;
    measure("Envoy", &envoy, |file| {
        importer.envoy(file, EnvoyFormat::default())
    })?;
    measure_spans(&importer)
}

/// Spans in batches of the size that the collector sends by default.
fn measure_spans(importer: &Importer) -> Result<(), Box<dyn std::error::Error>> {
    const BATCH: u64 = 8_192;
    let otlp = text("", |text, n| {
        let start = 1_772_000_000_000_000_000 + n * 1_000_000;
        let status = if n % 100 == 0 { 503 } else { 200 };
        let before = match n % BATCH {
            0 => {
                r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"scope":{"name":"http"},"spans":["#
            }
            _ => ",",
        };
        let after = if (n + 1) % BATCH == 0 || n + 1 == LINES {
            "]}]}]}\n"
        } else {
            ""
        };
        write!(
            text,
            r#"{before}{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173","flags":257,"name":"GET","kind":3,"startTimeUnixNano":"{start}","endTimeUnixNano":"{}","attributes":[{{"key":"http.request.method","value":{{"stringValue":"GET"}}}},{{"key":"url.full","value":{{"stringValue":"http://users-api/v1/users"}}}},{{"key":"server.address","value":{{"stringValue":"users-api"}}}},{{"key":"http.response.status_code","value":{{"intValue":"{status}"}}}}],"status":{{}}}}{after}"#,
            start + n % 50 * 1_000_000
        )
    })?;
    measure("OTLP, spans", &otlp, |file| {
        importer.otlp(file, OtlpFormat::new())
    })
}

fn text(
    start: &str,
    mut line: impl FnMut(&mut String, u64) -> std::fmt::Result,
) -> Result<String, std::fmt::Error> {
    let mut text = start.to_owned();
    (0..LINES).try_for_each(|n| line(&mut text, n))?;
    Ok(text)
}

fn measure(
    format: &str,
    data: impl AsRef<[u8]>,
    open: impl FnOnce(File) -> Result<Import, ImportError>,
) -> Result<(), Box<dyn std::error::Error>> {
    let data = data.as_ref();
    let mut file = tempfile::tempfile()?;
    file.write_all(data)?;
    file.rewind()?;
    let start = Instant::now();
    let mut import = open(file)?;
    let calls = import.by_ref().count();
    let took = start.elapsed().as_secs_f64();
    assert_eq!((calls as u64, import.counts().bad), (LINES, 0), "{format}");
    let (lines, megabytes) = (LINES as f64 / took, data.len() as f64 / 1e6);
    println!(
        "{format:22} {lines:>10.0} lines/s  {:>6.0} MB/s",
        megabytes / took
    );
    Ok(())
}
