use crate::support::{ndjson, read};
use std::time::Duration;

/// Reads one time as JSON text, and returns nanoseconds.
fn nanos(value: &str, field: &str) -> Option<u128> {
    let log = format!("{{\"ts\":{value},\"ok\":true}}");
    let (calls, _) = read(ndjson(log, &format!("time={field},ok=ok")));
    calls.first().map(|call| call.start.as_nanos())
}

const AT: u128 = 1_772_359_200_123_456_789;

#[test]
fn magnitude_of_number_tells_its_unit() {
    assert_eq!(
        nanos("1772359200", "ts"),
        Some(AT / 1_000_000_000 * 1_000_000_000)
    );
    assert_eq!(
        nanos("1772359200123", "ts"),
        Some(AT / 1_000_000 * 1_000_000)
    );
    assert_eq!(nanos("1772359200123456", "ts"), Some(AT / 1_000 * 1_000));
    assert_eq!(nanos("1772359200123456789", "ts"), Some(AT));
    // A float is exact to a microsecond, and text is exact.
    assert_eq!(nanos("1772359200.123456", "ts"), Some(AT / 1_000 * 1_000));
    assert_eq!(nanos("\"1772359200.123456789\"", "ts"), Some(AT));
    assert_eq!(nanos("\"1772359200123.456789\"", "ts"), Some(AT));
}

#[test]
fn units_override_the_guess() {
    assert_eq!(nanos("5", "s:ts"), Some(5_000_000_000));
    assert_eq!(nanos("5", "ms:ts"), Some(5_000_000));
    assert_eq!(nanos("5", "us:ts"), Some(5_000));
    assert_eq!(nanos("5", "µs:ts"), Some(5_000));
    assert_eq!(nanos("5", "ns:ts"), Some(5));
    assert_eq!(nanos("\"0.000000001\"", "s:ts"), Some(1));
    assert_eq!(nanos("\"1.5e3\"", "ms:ts"), Some(1_500_000_000));
}

#[test]
fn rfc_3339_has_many_forms() {
    let second = AT / 1_000_000_000 * 1_000_000_000;
    for (text, expected) in [
        ("2026-03-01T10:00:00Z", Some(second)),
        ("2026-03-01 10:00:00z", Some(second)),
        ("2026-03-01T10:00:00.123456789Z", Some(AT)),
        ("2026-03-01T10:00:00.123456789999Z", Some(AT)),
        ("2026-03-01T10:00:00,123Z", Some(second + 123_000_000)),
        ("2026-03-01T11:30:00+01:30", Some(second)),
        ("2026-03-01T05:00:00-0500", Some(second)),
        ("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000_000)),
        ("2026-03-01 10:00:00+00", Some(second)),
        ("2026-03-01 11:00:00 +0100", Some(second)),
        (" 2026-03-01T10:00:00Z ", Some(second)),
        ("2026-03-01T10:00:00+1", None),
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2300-01-01T00:00:00Z", Some(10_413_792_000_000_000_000)),
        ("2600-01-01T00:00:00Z", None),
        ("2026-02-29T00:00:00Z", None),
        ("2026-13-01T00:00:00Z", None),
        ("2026-03-01T24:00:00Z", None),
        ("2026-03-01T10:00:00", Some(second)),
        ("2026-03-01 10:00:00.123", Some(second + 123_000_000)),
        ("2026-03-01T10:00:00.Z", None),
        ("2026-03-01T10:00:00Zulu", None),
        ("1969-12-31T23:59:59Z", None),
        ("yesterday", None),
    ] {
        assert_eq!(nanos(&format!("\"{text}\""), "ts"), expected, "{text}");
        assert_eq!(
            nanos(&format!("\"{text}\""), "rfc3339:ts"),
            expected,
            "{text}"
        );
    }
}

#[test]
fn dates_agree_with_a_count_of_days() {
    let mut days = 0;
    for year in 1970..2110 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = [
            31,
            if leap { 29 } else { 28 },
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ];
        for (month, length) in (1..).zip(lengths) {
            let text = format!("\"{year}-{month:02}-{length}T00:00:00Z\"");
            days += length;
            let expected = Duration::from_secs((days - 1) * 86_400).as_nanos();
            assert_eq!(nanos(&text, "rfc3339:ts"), Some(expected), "{text}");
        }
    }
}

#[test]
fn negative_and_huge_numbers_are_no_times() {
    for value in [
        "-1",
        "-0.5",
        "1e400",
        "true",
        "[]",
        "\"\"",
        "\"1.2.3\"",
        "\"NaN\"",
        "\"-5\"",
    ] {
        assert_eq!(nanos(value, "s:ts"), None, "{value}");
    }
    // A replay counts nanoseconds.
    assert_eq!(
        nanos("18446744073", "s:ts"),
        Some(18_446_744_073_000_000_000)
    );
    for value in ["18446744074", "18446744073709551615", "1e308"] {
        assert_eq!(nanos(value, "s:ts"), None, "{value}");
    }
    let log = "{\"ts\":1000,\"ok\":true,\"d\":18446744073709551615}";
    let (_, counts) = read(ndjson(log, "time=ms:ts,ok=ok,duration=ms:d"));
    assert_eq!(counts.bad, 1);
}
