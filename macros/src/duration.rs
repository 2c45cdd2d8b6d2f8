//! Parser of durations such as `30s`, `1m 30s` and `1.5h`.
//!
//! A duration has one or more parts, with larger units first and each unit at most once. A part is a
//! number, possibly with a fraction, followed by `d`, `h`, `m`, `s`, `ms`, `us` or `ns`. Spaces are allowed
//! between numbers and units. The word `forever` means the longest duration. The parser accepts every
//! duration that breakerbox prints.
//!
//! `settings/duration.rs` of breakerbox reads settings documents by the same rules. The two crates share no
//! code, so a change of the rules has to be made in both.

use std::time::Duration;

const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Parses a duration. An error describes the first mistake in the text.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("the text is empty");
    }
    if rest == "forever" {
        return Ok(Duration::MAX);
    }
    let mut nanos = 0_u128;
    let mut allowed_units = UNITS.as_slice();
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_while(after.trim_start(), char::is_alphabetic);
        if number.is_empty() {
            return Err("each part must begin with a number");
        }
        if unit.is_empty() {
            return Err("a number has no unit");
        }
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err("valid units are d, h, m, s, ms, us and ns");
        }
        let Some(at) = allowed_units.iter().position(|(name, _)| *name == unit) else {
            return Err("larger units must come first, and each unit at most once");
        };
        nanos = part_nanos(number, allowed_units[at].1)
            .and_then(|part| nanos.checked_add(part))
            .ok_or("the duration is not a whole number of nanoseconds")?;
        allowed_units = &allowed_units[at + 1..];
        rest = after.trim_start();
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| "the duration is too long")?;
    let subsecond = u32::try_from(nanos % 1_000_000_000).unwrap_or_default();
    Ok(Duration::new(seconds, subsecond))
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// Returns `number` times `unit`, if the product is an integer that fits into 128 bits.
fn part_nanos(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() {
        return None;
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
    if fraction % scale != 0 {
        return None;
    }
    let whole = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    whole.checked_add(fraction / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_accepts_written_durations() {
        let cases = [
            ("30s", Duration::from_secs(30)),
            ("1m 30s", Duration::from_secs(90)),
            ("1m30s", Duration::from_secs(90)),
            (" 2 h  1 m ", Duration::from_secs(7_260)),
            ("forever", Duration::MAX),
            ("500ms", Duration::from_millis(500)),
            ("2h", Duration::from_secs(7_200)),
            ("1.5h", Duration::from_secs(5_400)),
            ("29.9s", Duration::from_millis(29_900)),
            ("333.3ms", Duration::from_micros(333_300)),
            ("15us", Duration::from_micros(15)),
            ("7ns", Duration::from_nanos(7)),
            ("1d 1h", Duration::from_secs(90_000)),
            (" 1s ", Duration::from_secs(1)),
            ("0s", Duration::ZERO),
            ("18446744073709551615s", Duration::from_secs(u64::MAX)),
        ];
        for (text, duration) in cases {
            assert_eq!(parse(text), Ok(duration), "{text}");
        }
    }

    #[test]
    fn parse_rejects_other_text() {
        let cases = [
            "",
            " ",
            "30",
            "s",
            "-1s",
            "1s 1m",
            "1s 1s",
            "1x",
            "1min",
            "1.s",
            ".5s",
            "1..5s",
            "1.5ns",
            "1e3s",
            "1_000s",
            "18446744073709551616s",
            "1s,",
            "\u{661}s",
            "340282366920938463463374607431768211456s",
            "0.00000000000000000000000000000000000000001s",
        ];
        for text in cases {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
