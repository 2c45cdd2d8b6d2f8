use crate::support::{csv, read};
use breakerbox_replay::import::Caveat;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

const FIELDS: &str = "time=ms:ts,ok=ok";

fn log(lines: usize) -> String {
    let line = |n: usize| format!("{},true\n", 1_000 + n);
    format!("ts,ok\n{}", (0..lines).map(line).collect::<String>())
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn magic_bytes_tell_gzip() {
    let (plain, _) = read(csv(log(5_000), FIELDS));
    let (unzipped, counts) = read(csv(gzip(log(5_000).as_bytes()), FIELDS));
    assert_eq!(plain, unzipped);
    assert_eq!((plain.len(), counts.broken), (5_000, None));
}

#[test]
fn members_are_joined_within_a_line() {
    let log = log(1_000);
    let (first, second) = log.as_bytes().split_at(3_333);
    let members = [gzip(first), gzip(b""), gzip(second)].concat();
    let (calls, counts) = read(csv(members, FIELDS));
    assert_eq!((calls.len(), counts.bad, counts.broken), (1_000, 0, None));
}

#[test]
fn truncated_gzip_keeps_the_calls_before() {
    let mut data = gzip(log(50_000).as_bytes());
    data.truncate(data.len() / 2);
    let mut import = csv(data, FIELDS);
    let calls = import.by_ref().count();
    assert!((10_000..50_000).contains(&calls), "{calls}");
    assert!(import.counts().broken.is_some());
    assert!(import.caveats().contains(&Caveat::Truncated));
}

#[test]
fn broken_gzip_ends_the_import_without_panic() {
    let data = gzip(log(20_000).as_bytes());
    for at in (10..data.len()).step_by(data.len() / 40) {
        let mut broken = data.clone();
        for byte in &mut broken[at..(at + 3).min(data.len())] {
            *byte ^= 0x5A;
        }
        // The header of the file may be broken, too.
        let fields = FIELDS.parse().unwrap();
        let opened = crate::support::importer().csv(crate::support::source(broken), fields);
        if let Ok(import) = opened {
            let (calls, counts) = read(import);
            assert!(calls.len() <= 20_000);
            assert!(counts.broken.is_some() || counts.bad > 0, "byte {at}");
        }
    }
}

#[test]
fn garbage_after_the_last_member_is_reported() {
    let mut data = gzip(log(10).as_bytes());
    data.extend_from_slice(b"garbage");
    let (calls, counts) = read(csv(data, FIELDS));
    assert_eq!(calls.len(), 10);
    assert!(counts.broken.is_some());
}

#[test]
fn short_and_empty_sources_are_no_gzip() {
    let (calls, counts) = read(crate::support::ndjson([0x1F], FIELDS));
    assert_eq!((calls.len(), counts.bad), (0, 1));
    let (calls, counts) = read(crate::support::ndjson("", FIELDS));
    assert_eq!((calls.len(), counts.lines), (0, 0));
    let (_, counts) = read(crate::support::ndjson([0x1F, 0x8B], FIELDS));
    assert!(counts.broken.is_some());
}
