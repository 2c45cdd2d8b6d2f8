//! Durations as people write them: `30s`, `1m 30s`, `1.5h`.
//!
//! One or more parts, the larger unit first, each unit once: a number, which may have a fraction,
//! and `d`, `h`, `m`, `s`, `ms`, `us` or `ns`. Spaces may stand between them. Or `forever`. So everything
//! that breakerbox prints as a duration can be written, too. Settings as data are read by the same
//! rules (`integrations/serde/duration.rs` of breakerbox; the two crates share no code).

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

/// The duration that `text` says, or why it says none.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("it is empty");
    }
    if rest == "forever" {
        return Ok(Duration::MAX);
    }
    let mut nanos = 0_u128;
    let mut larger = UNITS.as_slice();
    while !rest.is_empty() {
        let (number, behind) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, behind) = split(behind.trim_start(), char::is_alphabetic);
        if number.is_empty() {
            return Err("each part begins with a number");
        }
        if unit.is_empty() {
            return Err("a number has no unit");
        }
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err("the units are d, h, m, s, ms, us and ns");
        }
        let Some(at) = larger.iter().position(|(name, _)| *name == unit) else {
            return Err("the larger units come first, each once");
        };
        nanos = part(number, larger[at].1)
            .and_then(|part| nanos.checked_add(part))
            .ok_or("it is no number of nanoseconds")?;
        larger = &larger[at + 1..];
        rest = behind.trim_start();
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| "it is too long")?;
    let below = u32::try_from(nanos % 1_000_000_000).unwrap_or_default();
    Ok(Duration::new(seconds, below))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// `number` times `unit`, if that is a whole number.
fn part(number: &str, unit: u128) -> Option<u128> {
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
    fn what_people_write_is_understood() {
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
    fn what_says_no_duration_is_refused() {
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
