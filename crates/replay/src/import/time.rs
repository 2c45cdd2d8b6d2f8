//! Units and formats of times: numbers in a unit, RFC 3339, and the local time of nginx.

use super::value::Value;
use std::time::Duration;

/// The unit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Nanos,
    Micros,
    Millis,
    Seconds,
}

impl Unit {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "ns" => Self::Nanos,
            "us" | "µs" | "μs" => Self::Micros,
            "ms" => Self::Millis,
            "s" => Self::Seconds,
            _ => return None,
        })
    }

    const fn nanos(self) -> u64 {
        match self {
            Self::Nanos => 1,
            Self::Micros => 1_000,
            Self::Millis => 1_000_000,
            Self::Seconds => 1_000_000_000,
        }
    }

    /// Returns the unit of a Unix time, by its magnitude. The guess holds from 1973 to 5138.
    const fn of_unix_time(number: u64) -> Self {
        match number {
            0..100_000_000_000 => Self::Seconds,
            100_000_000_000..100_000_000_000_000 => Self::Millis,
            100_000_000_000_000..100_000_000_000_000_000 => Self::Micros,
            _ => Self::Nanos,
        }
    }

    /// Returns a value in this unit. `None` if the value is no number, negative, or longer than 584 years,
    /// which a replay cannot count in nanoseconds.
    pub(super) fn duration(self, value: &Value<'_>) -> Option<Duration> {
        let duration = match value {
            Value::Integer(number) => Some(self.whole(*number)),
            Value::Float(number) => self.float(*number),
            Value::Text(text) => Decimal::parse(text.trim())?.in_unit(self),
            Value::Missing | Value::Bool(_) => None,
        };
        duration.filter(|duration| u64::try_from(duration.as_nanos()).is_ok())
    }

    fn whole(self, number: u64) -> Duration {
        let nanos = u128::from(number) * u128::from(self.nanos());
        Duration::new(
            u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX),
            u32::try_from(nanos % 1_000_000_000).unwrap_or(0),
        )
    }

    /// A float has no more than 16 digits. A Unix time in seconds is therefore exact to a microsecond.
    fn float(self, number: f64) -> Option<Duration> {
        #[allow(clippy::cast_precision_loss)] // powers of ten are exact
        let seconds = number / (1_000_000_000 / self.nanos()) as f64;
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        let rounds = matches!(self, Self::Seconds | Self::Millis) && time.as_secs() > 1_000_000;
        if !rounds {
            return Some(time);
        }
        let micros = (time.subsec_nanos() + 500) / 1_000;
        Duration::from_secs(time.as_secs()).checked_add(Duration::from_micros(micros.into()))
    }
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeFormat {
    /// A Unix time in this unit.
    Unix(Unit),
    /// RFC 3339 text.
    Rfc3339,
    /// A Unix time whose magnitude tells its unit, or RFC 3339 text.
    Guess,
}

impl TimeFormat {
    /// Returns a value as the time since the Unix epoch, up to the year 2554.
    pub(super) fn parse(self, value: &Value<'_>) -> Option<Duration> {
        let time = match (self, value) {
            (Self::Unix(unit), value) => unit.duration(value),
            (Self::Rfc3339 | Self::Guess, Value::Text(text)) if is_date(text) => rfc3339(text),
            (Self::Guess, Value::Integer(number)) => {
                Some(Unit::of_unix_time(*number).whole(*number))
            }
            (Self::Guess, Value::Float(number)) if *number >= 0.0 => {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
                Unit::of_unix_time(*number as u64).float(*number)
            }
            (Self::Guess, Value::Text(text)) => {
                let decimal = Decimal::parse(text.trim())?;
                decimal.in_unit(Unit::of_unix_time(decimal.whole))
            }
            _ => None,
        };
        time.filter(|time| u64::try_from(time.as_nanos()).is_ok())
    }
}

/// A decimal number that is not negative, exact to 18 digits after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    whole: u64,
    /// In units of 10^-18.
    fraction: u64,
}

impl Decimal {
    const PLACES: u32 = 18;

    /// Parses a number. Numbers with an exponent are parsed as floats.
    fn parse(text: &str) -> Option<Self> {
        if text.contains(['e', 'E']) {
            let float: f64 = text.parse().ok()?;
            return Self::parse(&format!("{float:.9}")).filter(|_| float.is_finite());
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return None;
        }
        let fraction = fraction.get(..18).unwrap_or(fraction);
        let places = u32::try_from(fraction.len()).ok()?;
        let value = if fraction.is_empty() {
            0
        } else {
            fraction.parse::<u64>().ok()?
        };
        Some(Self {
            whole: whole.parse().ok()?,
            fraction: value * 10_u64.pow(Self::PLACES - places),
        })
    }

    fn in_unit(self, unit: Unit) -> Option<Duration> {
        let fraction = u128::from(self.fraction) * u128::from(unit.nanos());
        let nanos = fraction / 10_u128.pow(Self::PLACES);
        unit.whole(self.whole)
            .checked_add(Duration::from_nanos(u64::try_from(nanos).ok()?))
    }
}

/// Returns `true` for text that begins like a date: four digits and a hyphen.
fn is_date(text: &str) -> bool {
    text.trim_start().as_bytes().get(4) == Some(&b'-')
}

/// Parses `2026-03-01T10:00:00.250+01:00`, also with a space or a lower-case letter, or without an offset.
/// Returns the time since the Unix epoch.
pub(super) fn rfc3339(text: &str) -> Option<Duration> {
    let mut scanner = Scanner(text.trim().as_bytes());
    let year = scanner.number(4)?;
    scanner.expect(b"-")?;
    let month = scanner.number(2)?;
    scanner.expect(b"-")?;
    let day = scanner.number(2)?;
    scanner.expect(b"Tt ")?;
    let clock = scanner.clock()?;
    let nanos = scanner.fraction()?;
    let offset = scanner.offset()?;
    unix_time((year, month, day), clock, nanos, offset)
}

/// Parses `01/Mar/2026:10:00:00 +0100`, the local time of nginx.
pub(super) fn nginx_local(text: &str) -> Option<Duration> {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let mut scanner = Scanner(text.as_bytes());
    let day = scanner.number(2)?;
    scanner.expect(b"/")?;
    let name = scanner.take(3)?;
    let month = (1..).zip(MONTHS).find(|(_, month)| *month == name)?.0;
    scanner.expect(b"/")?;
    let year = scanner.number(4)?;
    scanner.expect(b":")?;
    let clock = scanner.clock()?;
    scanner.expect(b" ")?;
    let offset = scanner.offset()?;
    unix_time((year, month, day), clock, 0, offset)
}

struct Scanner<'a>(&'a [u8]);

impl<'a> Scanner<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Takes one byte, which must be one of `allowed`.
    fn expect(&mut self, allowed: &[u8]) -> Option<u8> {
        let byte = *self.take(1)?.first()?;
        allowed.contains(&byte).then_some(byte)
    }

    /// Takes a number of exactly this many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let mut number = 0;
        for byte in self.take(digits)? {
            if !byte.is_ascii_digit() {
                return None;
            }
            number = number * 10 + i64::from(byte - b'0');
        }
        Some(number)
    }

    /// Takes `10:00:00`, and returns the seconds of the day. A leap second is the next minute.
    fn clock(&mut self) -> Option<i64> {
        let hour = self.number(2)?;
        self.expect(b":")?;
        let minute = self.number(2)?;
        self.expect(b":")?;
        let second = self.number(2)?;
        let valid = hour < 24 && minute < 60 && second <= 60;
        valid.then_some(hour * 3_600 + minute * 60 + second)
    }

    /// Takes a fraction of a second, if there is one. Digits after the ninth are skipped.
    fn fraction(&mut self) -> Option<u32> {
        if !self.0.first().is_some_and(|byte| b".,".contains(byte)) {
            return Some(0);
        }
        self.take(1)?;
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit());
        let digits = self.take(digits.count())?;
        let mut nanos = 0;
        for place in 0..9 {
            let digit = digits.get(place).map_or(0, |byte| u32::from(byte - b'0'));
            nanos = nanos * 10 + digit;
        }
        (!digits.is_empty()).then_some(nanos)
    }

    /// Takes `Z`, `+01:00`, `+0100`, `+01` or nothing at the end, and returns the seconds.
    fn offset(&mut self) -> Option<i64> {
        self.0 = self.0.strip_prefix(b" ").unwrap_or(self.0);
        if self.0.is_empty() {
            return Some(0);
        }
        let sign = match self.expect(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return self.0.is_empty().then_some(0),
        };
        let hours = self.number(2)?;
        if self.0.first() == Some(&b':') {
            self.take(1)?;
        }
        let minutes = if self.0.is_empty() {
            0
        } else {
            self.number(2)?
        };
        let valid = hours < 24 && minutes < 60 && self.0.is_empty();
        valid.then_some(sign * (hours * 3_600 + minutes * 60))
    }
}

fn unix_time(
    (year, month, day): (i64, i64, i64),
    clock: i64,
    nanos: u32,
    offset: i64,
) -> Option<Duration> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=days_in_month).contains(&day) {
        return None;
    }
    // Days since the epoch in the proleptic Gregorian calendar, with years that begin in March.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let seconds = u64::try_from(days * 86_400 + clock - offset).ok()?;
    Some(Duration::new(seconds, nanos))
}
