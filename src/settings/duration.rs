//! Durations in human-readable form.

use crate::text::ExactDuration;
use std::time::Duration;

/// Parses a duration such as `1m 30s`.
///
/// The text consists of numbers with units, with or without spaces. Larger units come first, and
/// each unit occurs at most once. A number may have a fraction (`1.5s`), provided that the result
/// is a whole number of nanoseconds.
pub(super) fn parse(text: &str) -> Option<Duration> {
    if text == ExactDuration::FOREVER {
        return Some(Duration::MAX);
    }
    let mut units = ExactDuration::UNITS.iter();
    let mut nanos = 0_u128;
    let mut rest = text.trim();
    while {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at(end);
        let after = after.trim_start();
        let end = after
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, length) = units.find(|(name, _)| *name == unit)?;
        nanos = nanos.checked_add(times(number, *length)?)?;
        rest = after.trim_start();
        !rest.is_empty()
    } {}
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let subsecond = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, subsecond))
}

/// Returns `number` times `length`, or `None` if the product is not a whole number.
fn times(number: &str, length: u128) -> Option<u128> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let whole = whole.parse::<u128>().ok()?.checked_mul(length)?;
    let Some(fraction) = fraction else {
        return Some(whole);
    };
    let digits = u32::try_from(fraction.len()).ok()?;
    let scale = 10_u128.checked_pow(digits)?;
    let part = fraction.parse::<u128>().ok()?.checked_mul(length)?;
    (part % scale == 0).then_some(whole.checked_add(part / scale)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_accepts_common_spellings() {
        let cases = [
            ("30s", Duration::from_secs(30)),
            ("1m 30s", Duration::from_secs(90)),
            ("1m30s", Duration::from_secs(90)),
            (" 2 h  1 m ", Duration::from_secs(7_260)),
            ("500ms", Duration::from_millis(500)),
            ("1.5s", Duration::from_millis(1_500)),
            ("29.9s", Duration::from_millis(29_900)),
            ("0.5d", Duration::from_secs(43_200)),
            ("15us", Duration::from_micros(15)),
            ("7ns", Duration::from_nanos(7)),
            ("0s", Duration::ZERO),
            ("forever", Duration::MAX),
        ];
        for (text, duration) in cases {
            assert_eq!(parse(text), Some(duration), "{text}");
        }
    }

    #[test]
    fn parse_rejects_ambiguous_and_malformed_text() {
        let wrong = [
            "",
            " ",
            "30",
            "s",
            "1y",
            "30S",
            "-5s",
            "+5s",
            "1.s",
            ".5s",
            "1..5s",
            "1.2.3s",
            "0.1ns",
            "30s 1m",
            "1m 1m",
            "1m,30s",
            "30s foo",
            "1e3s",
            "inf",
            "99999999999999999999999999999999d",
            "213503982334602d",
            "0.00000000000000000000000000000000000000000000001d",
            "٣s",
            "1 m 30",
        ];
        for text in wrong {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn parse_round_trips_longest_durations() {
        let longest = Duration::MAX.saturating_sub(Duration::from_nanos(1));
        for duration in [longest, Duration::MAX, Duration::from_secs(u64::MAX)] {
            assert_eq!(parse(&ExactDuration(duration).to_string()), Some(duration));
        }
    }
}
