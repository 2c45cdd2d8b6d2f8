use crate::support::{calls, importer, mapping, ms, ndjson, read, source};
use breakerbox_replay::import::Import;
use std::fmt::Write;
use std::time::Duration;

const FIELDS: &str = "time=ms:ts,duration=ms:d,ok=ok";

fn log(lines: &[(u64, u64)]) -> String {
    lines
        .iter()
        .fold(String::new(), |mut log, (start, duration)| {
            writeln!(log, "{{\"ts\":{start},\"d\":{duration},\"ok\":true}}").unwrap();
            log
        })
}

fn within(window: u64, lines: &[(u64, u64)]) -> Import {
    let importer = importer().reorder_within(ms(window));
    importer
        .ndjson(source(log(lines)), mapping(FIELDS))
        .unwrap()
}

fn starts(import: Import) -> Vec<u64> {
    let (calls, _) = read(import);
    calls
        .iter()
        .map(|call| u64::try_from(call.start.as_millis()).unwrap())
        .collect()
}

#[test]
fn calls_are_sorted_by_start_within_the_window() {
    let lines = [
        (5_000, 1),
        (1_000, 4_000),
        (5_500, 1),
        (4_000, 2_000),
        (6_000, 1),
    ];
    assert_eq!(
        starts(within(5_000, &lines)),
        [1_000, 4_000, 5_000, 5_500, 6_000]
    );
}

#[test]
fn calls_of_one_start_keep_the_order_of_lines() {
    let lines: Vec<_> = (0..500).map(|n| (1_000 + n / 100, n)).collect();
    let durations: Vec<_> = calls(within(10, &lines))
        .iter()
        .map(|call| call.duration)
        .collect();
    assert!(durations.is_sorted());
}

#[test]
fn call_that_comes_too_late_is_moved_and_keeps_its_end() {
    // The window has passed when the slow call is written.
    let lines = [
        (1_000, 1),
        (9_000, 1),
        (20_000, 1),
        (500, 30_000),
        (20_500, 1),
    ];
    let (calls, counts) = read(within(1_000, &lines));
    assert_eq!((counts.moved, counts.late, counts.calls), (1, 0, 5));
    let slow = calls.iter().find(|call| call.end() == ms(30_500)).unwrap();
    assert_eq!(slow.start, ms(9_000));
}

#[test]
fn call_that_ended_before_is_left_out() {
    let lines = [(1_000, 1), (9_000, 1), (20_000, 1), (500, 100), (20_500, 1)];
    let (calls, counts) = read(within(1_000, &lines));
    assert_eq!((counts.moved, counts.late, counts.calls), (0, 1, 4));
    assert_eq!(calls.len(), 4);
}

#[test]
fn clock_that_goes_back_by_seconds_is_sorted() {
    let lines = [
        (10_000, 1),
        (11_000, 1),
        (6_000, 1),
        (7_000, 1),
        (12_000, 1),
    ];
    let (calls, counts) = read(within(30_000, &lines));
    assert_eq!((calls.len(), counts.moved, counts.late), (5, 0, 0));
}

#[test]
fn clock_that_goes_back_by_an_hour_is_counted() {
    let hour = 3_600_000;
    let before = (0..100).map(|n| (5 * hour + n * 1_000, 1));
    let after = (0..3_800).map(|n| (4 * hour + n * 1_000, 1));
    let lines: Vec<_> = before.chain(after).collect();
    let (calls, counts) = read(within(60_000, &lines));
    assert!(counts.late > 3_000, "{counts:?}");
    assert_eq!(calls.len() as u64 + counts.late, 3_900);
}

#[test]
fn single_time_far_ahead_is_bad() {
    let year = 365 * 86_400_000;
    let lines = [(1_000, 1), (2_000 + year, 1), (2_000, 1), (3_000, 1)];
    let (calls, counts) = read(within(1_000, &lines));
    assert_eq!((calls.len(), counts.bad, counts.late), (3, 1, 0));
    assert_eq!(counts.bad_lines[0].number, 2);
    assert!(
        counts.bad_lines[0]
            .reason
            .contains("more than an hour after")
    );
}

#[test]
fn gap_of_a_night_is_no_mistake() {
    let night = 8 * 3_600_000;
    let lines = [(1_000, 1), (1_000 + night, 1), (1_500 + night, 1)];
    assert_eq!(starts(within(1_000, &lines)).len(), 3);
    // Nothing confirms the last line, and nothing contradicts it.
    let lines = [(1_000, 1), (2_000, 1), (2_000 + night, 1)];
    assert_eq!(starts(within(1_000, &lines)), [1_000, 2_000, 2_000 + night]);
}

#[test]
fn full_window_lets_the_earliest_calls_leave() {
    // A window of a day, and more calls than wait at once.
    let lines: Vec<_> = (0..250_000)
        .map(|n| (1_000_000 - n % 2 * 500 + n, 1))
        .collect();
    let importer = importer().reorder_within(Duration::from_secs(86_400));
    let mut import = importer
        .ndjson(source(log(&lines)), mapping(FIELDS))
        .unwrap();
    assert!(import.next().is_some());
    assert!(import.counts().lines < 210_000, "{}", import.counts().lines);
    assert_eq!(import.by_ref().count(), 249_999);
    assert_eq!(import.counts().moved + import.counts().late, 0);
}

#[test]
fn import_reads_no_more_than_it_needs() {
    let lines: Vec<_> = (0..10_000).map(|n| (1_000 + n * 100, 1)).collect();
    let mut import = ndjson(log(&lines), FIELDS);
    assert!(import.next().is_some());
    // Two minutes at ten calls a second.
    assert!(import.counts().lines < 1_300, "{}", import.counts().lines);
}

#[test]
fn first_line_far_ahead_is_bad() {
    let year = 365 * 86_400_000;
    let lines = [(year, 1), (1_000, 1), (3_000, 1), (2_000, 1), (4_000, 1)];
    let (calls, counts) = read(within(2_000, &lines));
    assert_eq!((calls.len(), counts.bad, counts.late), (4, 1, 0));
    assert_eq!(counts.bad_lines[0].number, 1);
    assert_eq!(starts(within(1_000, &[(year, 1)])), [year]);
}

#[test]
fn long_texts_let_the_earliest_calls_leave() {
    let line = |n: u64| {
        let request = "x".repeat(100_000);
        format!("{{\"ts\":{n},\"ok\":true,\"d\":0,\"request\":\"{request}\"}}\n")
    };
    let log: String = (0..500).map(line).collect();
    let fields = mapping("time=ms:ts,duration=ms:d,ok=ok,request=request");
    let mut import = importer().ndjson(source(log), fields).unwrap();
    assert!(import.next().is_some());
    // All lines are within the window, but their texts exceed 32 MiB.
    assert!(import.counts().lines < 400, "{}", import.counts().lines);
    assert_eq!(import.count(), 499);
}
