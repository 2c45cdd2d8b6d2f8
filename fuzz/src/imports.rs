//! Recorded traffic in every format.

use breakerbox_replay::Call;
use breakerbox_replay::import::{
    EnvoyFormat, Import, ImportCounts, ImportError, Importer, Mapping, NginxFormat, OtlpFormat,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Cursor, Read, Write};
use std::time::Duration;

/// Rates draw up to a billion calls of each interval.
const MAX_CALLS: usize = 5_000;
/// More spans than an input has bytes.
const MAX_SPANS: u64 = 1_000;

/// A source that returns a single byte at a time.
struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let room = buf.len().min(1);
        let (first, _) = buf.split_at_mut(room);
        self.0.read(first)
    }
}

type Opened = Result<Import, ImportError>;
type Outcome = Result<(Vec<Call>, ImportCounts), String>;

/// Imports `data` in three ways, which must agree: at once, byte by byte, and compressed.
fn check(data: &[u8], open: impl Fn(&Importer, Box<dyn Read + Send>) -> Opened) {
    for window in [0, 10, 100_000] {
        let importer = Importer::new()
            .instances(3)
            .reorder_within(Duration::from_secs(window));
        let plain = read(open(&importer, Box::new(Cursor::new(data.to_vec()))));
        let trickle = Trickle(Cursor::new(data.to_vec()));
        assert_eq!(plain, read(open(&importer, Box::new(trickle))));
        if !data.starts_with(&[0x1F, 0x8B]) {
            let compressed = Cursor::new(gzip(data));
            assert_eq!(plain, read(open(&importer, Box::new(compressed))));
        }
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

fn read(opened: Opened) -> Outcome {
    let mut import = opened.map_err(|error| error.to_string())?;
    let calls: Vec<_> = import.by_ref().take(MAX_CALLS).collect();
    assert!(calls.is_sorted_by_key(|call| call.start));
    let counts = import.counts().clone();
    // Each span of a line of OTLP may be bad.
    assert!(counts.bad <= counts.lines + counts.calls + MAX_SPANS);
    assert!(counts.bad_lines.len() <= 20);
    if calls.len() < MAX_CALLS {
        assert_eq!(calls.len() as u64, counts.calls);
    }
    assert!(
        import
            .caveats()
            .iter()
            .all(|caveat| caveat.to_string().ends_with('.'))
    );
    Ok((calls, counts))
}

/// Splits at the first line.
fn settings(data: &[u8]) -> (String, &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (line, rest) = data.split_at(end.unwrap_or(data.len()));
    (
        String::from_utf8_lossy(line).into_owned(),
        rest.get(1..).unwrap_or_default(),
    )
}

fn with_mapping(data: &[u8], open: impl Fn(&Importer, Box<dyn Read + Send>, Mapping) -> Opened) {
    let (text, rest) = settings(data);
    if let Ok(mapping) = text.parse::<Mapping>() {
        check(rest, |importer, source| {
            open(importer, source, mapping.clone())
        });
    }
}

pub(crate) fn recorded(data: &[u8]) {
    check(data, Importer::recorded);
}

pub(crate) fn csv(data: &[u8]) {
    with_mapping(data, |importer, source, mapping| {
        importer.csv(source, mapping)
    });
    with_mapping(data, |importer, source, mapping| {
        importer.clone().header(false).csv(source, mapping)
    });
}

pub(crate) fn ndjson(data: &[u8]) {
    with_mapping(data, |importer, source, mapping| {
        importer.ndjson(source, mapping)
    });
}

pub(crate) fn rates(data: &[u8]) {
    with_mapping(data, |importer, source, mapping| {
        importer.rates(source, mapping)
    });
}

pub(crate) fn nginx(data: &[u8]) {
    let (text, rest) = settings(data);
    if let Ok(format) = text.parse::<NginxFormat>() {
        check(rest, |importer, source| {
            importer.nginx(source, format.clone())
        });
    }
}

pub(crate) fn envoy(data: &[u8]) {
    let (text, rest) = settings(data);
    let mut formats = vec![
        EnvoyFormat::default(),
        EnvoyFormat::istio(),
        EnvoyFormat::json(),
    ];
    formats.extend(text.parse::<EnvoyFormat>());
    for format in formats {
        check(rest, |importer, source| {
            importer.envoy(source, format.clone())
        });
    }
}

pub(crate) fn otlp(data: &[u8]) {
    for format in [OtlpFormat::new(), OtlpFormat::new().name("n").instance("i")] {
        check(data, |importer, source| {
            importer.otlp(source, format.clone())
        });
    }
}
