//! Values of options, and values for people.

pub(crate) use breakerbox_replay::{count, counted};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest duration that an option takes.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Parses a duration such as `500ms`, `2s` or `1m 30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| format!("{error}, as in 2s"))?;
    if time > LONGEST {
        return Err("longer than a year".to_owned());
    }
    Ok(time)
}

/// Parses a duration of at most a day.
pub(crate) fn up_to_a_day(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time > Duration::from_secs(86_400) {
        return Err("longer than a day".to_owned());
    }
    Ok(time)
}

/// Parses a finite number that is not negative.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err("not a finite number from 0 on".to_owned())
    }
}

/// Breaks `text` into lines of at most 96 columns. The first one begins with `first`, the others with
/// `rest`.
pub(crate) fn wrapped(first: &str, rest: &str, text: &str) -> String {
    const COLUMNS: usize = 96;
    let mut lines = first.to_owned();
    let mut width = first.chars().count();
    let mut is_start = true;
    for word in text.split(' ') {
        let length = word.chars().count();
        if !is_start && width + 1 + length > COLUMNS {
            lines.push('\n');
            lines.push_str(rest);
            width = rest.chars().count();
        } else if !is_start {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += length;
        is_start = false;
    }
    lines
}

/// Writes a number without decimals, and zero without a sign.
pub(crate) fn rounded(number: f64) -> String {
    format!("{:.0}", number.round() + 0.0)
}

/// Writes a duration that was measured. [`Duration::MAX`] was never reached.
pub(crate) fn time(time: Duration) -> String {
    match time {
        Duration::MAX => "never".to_owned(),
        Duration::ZERO => "0 s".to_owned(),
        time if time < Duration::from_millis(10) => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        time if time < Duration::from_secs(1) => format!("{} ms", time.as_millis()),
        time if time < Duration::from_secs(600) => format!("{:.1} s", time.as_secs_f64()),
        time => long(time.as_secs()),
    }
}

fn long(seconds: u64) -> String {
    let minutes = seconds / 60;
    match minutes {
        0..60 => format!("{minutes} min {} s", seconds % 60),
        60..1_440 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1_440, minutes / 60 % 24),
    }
}

/// Writes a time since the Unix epoch in UTC, to the second.
pub(crate) fn date(time: Duration) -> String {
    /// The end of the year 9999.
    const END: Duration = Duration::from_secs(253_402_300_799);
    let seconds = Duration::from_secs(time.as_secs());
    match UNIX_EPOCH.checked_add(seconds) {
        Some(date) if time <= END => humantime::format_rfc3339_seconds(date).to_string(),
        _ => format!("{} s", time.as_secs()),
    }
}

/// Parses a date in UTC as the time since the Unix epoch.
pub(crate) fn parse_date(text: &str) -> Option<Duration> {
    let date: SystemTime = humantime::parse_rfc3339_weak(text).ok()?;
    date.duration_since(UNIX_EPOCH).ok()
}

/// Writes a share in per cent, with as many digits as say something.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        0.0 => "0 %".to_owned(),
        percent if percent < 1.0 => format!("{percent:.2} %"),
        percent if percent < 10.0 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn dates_beyond_the_calendar_are_seconds() {
        assert_eq!(
            date(Duration::from_secs(1_772_359_200)),
            "2026-03-01T10:00:00Z"
        );
        assert_eq!(
            date(Duration::from_secs(253_402_300_799)),
            "9999-12-31T23:59:59Z"
        );
        assert_eq!(date(Duration::from_secs(253_402_300_800)), "253402300800 s");
        assert_eq!(date(Duration::MAX), format!("{} s", u64::MAX));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_772_359_200, "2026-03-01T10:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "5", "-1s", "400days", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        for (millis, text) in [
            (0, "0 s"),
            (5, "5.0 ms"),
            (250, "250 ms"),
            (1_500, "1.5 s"),
            (3_600_000, "1 h 0 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
        assert_eq!(time(Duration::MAX), "never");
    }

    #[test]
    fn long_texts_are_broken_at_spaces() {
        let text = "word ".repeat(30);
        let lines = wrapped("note: ", "  ", text.trim());
        assert_eq!(lines.lines().count(), 2);
        assert!(lines.lines().all(|line| line.len() <= 96), "{lines}");
        assert!(
            lines.starts_with("note: word") && lines.contains("\n  word"),
            "{lines}"
        );
        assert_eq!(wrapped("# ", "# ", ""), "# ");
        let long = "x".repeat(200);
        assert_eq!(wrapped("", "", &long), long);
    }

    #[test]
    fn numbers_are_finite() {
        assert_eq!(positive("3"), Ok(3.0));
        for wrong in ["-1", "nan", "inf", "x"] {
            assert!(positive(wrong).is_err(), "{wrong}");
        }
    }
}
