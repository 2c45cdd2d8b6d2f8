use crate::support::{brief, calls, csv, importer, mapping, ms, read, reasons, source};
use breakerbox_replay::Outcome::{Failure, Success};
use breakerbox_replay::import::ImportError;

const FIELDS: &str = "time=ms:ts,duration=ms:took,ok='status<500',name=upstream,error=status";

#[test]
fn columns_are_found_by_header() {
    let log = "status,took,ts,upstream\n200,12,1000,users\n503,30,1500,payments\n";
    let calls = calls(csv(log, FIELDS));
    assert_eq!(
        brief(&calls),
        [
            (1_000, Some(12), "users", Success),
            (1_500, Some(30), "payments", Failure),
        ]
    );
    assert_eq!(calls[1].error.as_deref(), Some("503"));
}

#[test]
fn quoted_fields_contain_separators_quotes_and_lines() {
    let log = "ts,took,status,upstream\r\n\
               1000,1,200,\"users, \"\"api\"\"\r\nv2\"\r\n\
               2000,1,200,plain\"quote\r\n";
    let (calls, counts) = read(csv(log, FIELDS));
    assert_eq!(&*calls[0].name, "users, \"api\"\nv2");
    assert_eq!(&*calls[1].name, "plain\"quote");
    assert_eq!((counts.lines, counts.bad), (4, 0));
}

#[test]
fn unclosed_quote_does_not_swallow_the_file() {
    let mut log = String::from("ts,took,status,upstream\n1000,1,200,a\n1001,1,200,\"b\n");
    let rest = "1002,1,200,c\n".repeat(200_000);
    log.push_str(&rest);
    let (calls, counts) = read(csv(log, FIELDS));
    // A mebibyte is skipped.
    assert_eq!(counts.bad, 1);
    assert_eq!(
        counts.bad_lines[0].reason,
        "a quote is not closed within 1 MiB"
    );
    assert!(calls.len() > 100_000, "{}", calls.len());
}

#[test]
fn blank_lines_and_missing_end_are_no_mistakes() {
    let log = "\n\nts,took,status,upstream\n\n1000,1,200,a\n\r\n2000,1,200,b";
    assert_eq!(calls(csv(log, FIELDS)).len(), 2);
}

#[test]
fn short_record_is_bad_and_long_one_is_not() {
    let log = "ts,took,status,upstream\n1000,1\n2000,1,200,b,more,fields\n";
    let (calls, counts) = read(csv(log, FIELDS));
    assert_eq!(calls.len(), 1);
    assert_eq!(reasons(&counts), [(2, "no name in the field `upstream`")]);
    assert_eq!(
        counts.bad_lines[0].to_string(),
        "line 2: no name in the field `upstream`: 1000,1"
    );
}

#[test]
fn missing_column_is_an_error_with_the_header() {
    let opened = importer().csv(source("time,status\n"), mapping(FIELDS));
    let error = opened.unwrap_err();
    assert!(matches!(&error, ImportError::NoColumn { field, .. } if field == "ts"));
    let text = "the file has no column \"ts\"; its columns are time, status";
    assert_eq!(error.to_string(), text);
}

#[test]
fn columns_without_header_are_numbers() {
    // The format of `vegeta encode --to csv`.
    let log = "1772000000000000000,200,1500000,0,10\n1772000000100000000,0,30000000,0,0,refused\n";
    let fields = mapping("time=ns:1,duration=ns:3,ok='2>0',ok='2<500',error=2");
    let import = importer().header(false).csv(source(log), fields).unwrap();
    let calls = calls(import);
    let start = 1_772_000_000_000;
    assert_eq!(
        brief(&calls),
        [
            (start, Some(1), "calls", Success),
            (start + 100, Some(30), "calls", Failure),
        ]
    );
    let named = importer()
        .header(false)
        .csv(source(log), mapping("time=ts,ok=2"));
    let text = named.unwrap_err().to_string();
    assert!(
        text.contains("`ts` must be the number of a column"),
        "{text}"
    );
}

#[test]
fn delimiter_is_any_byte() {
    let log = "ts;ok\n1000;true\n2000;false\n";
    let import = importer()
        .delimiter(b';')
        .csv(source(log), mapping("time=ms:ts,ok=ok"));
    let outcomes: Vec<_> = calls(import.unwrap())
        .iter()
        .map(|call| call.outcome)
        .collect();
    assert_eq!(outcomes, [Success, Failure]);
}

#[test]
fn missing_duration_is_none_and_garbage_is_bad() {
    let log =
        "ts,took,status,upstream\n1,,200,a\n2,-,200,a\n3,fast,200,a\n4,-5,200,a\n5,7.25,200,a\n";
    let (calls, counts) = read(csv(log, FIELDS));
    let durations: Vec<_> = calls.iter().map(|call| call.duration).collect();
    assert_eq!(durations, [None, None, Some(ms(7) + ms(1) / 4)]);
    let reason = "no duration in the field `took`";
    assert_eq!(reasons(&counts), [(4, reason), (5, reason)]);
}

#[test]
fn bad_lines_are_counted_beyond_those_shown() {
    let log = format!("ts,took,status,upstream\n{}", "x\n".repeat(1_000));
    let (_, counts) = read(csv(log, FIELDS));
    assert_eq!((counts.bad, counts.bad_lines.len()), (1_000, 20));
}

#[test]
fn column_that_occurs_twice_is_named_by_number() {
    let log = "ts,status,status\n1000,200,503\n";
    let opened = importer().csv(source(log), mapping("time=ms:ts,ok='status<500'"));
    let text = opened.unwrap_err().to_string();
    assert!(text.contains("several columns `status`"), "{text}");
    let numbered = calls(csv(log, "time=ms:ts,ok='3<500'"));
    assert_eq!(numbered[0].outcome, Failure);
}

#[test]
fn spaces_around_values_are_ignored() {
    let log = "ts, ok, outcome, kind\n 2026-03-01T10:00:00Z, true, failure, http \n";
    let outcome = |fields: &str| calls(csv(log, fields))[0].outcome;
    assert_eq!(outcome("time=ts,ok=ok"), Success);
    assert_eq!(outcome("time=ts,outcome=outcome"), Failure);
    assert_eq!(outcome("time=ts,ok='kind=http'"), Success);
    assert_eq!(outcome("time=ts,ok='kind!=http'"), Failure);
}

#[test]
fn empty_file_has_no_header() {
    for text in ["", "\n\n"] {
        let opened = importer().csv(source(text), mapping(FIELDS));
        assert!(matches!(opened, Err(ImportError::Empty)));
    }
    let import = importer()
        .header(false)
        .csv(source(""), mapping("time=1,ok=2"));
    assert_eq!(calls(import.unwrap()).len(), 0);
}

#[test]
fn texts_of_errors_are_cut() {
    let log = format!("ts,status,error\n1000,503,{}\n", "ä".repeat(1_000));
    let calls = calls(csv(log, "time=ms:ts,ok='status<500',error=error"));
    assert_eq!(calls[0].error.as_deref(), Some(&*"ä".repeat(64)));
}
