//! Outages that are stated on the command line.

use crate::values::{date, duration, parse_date};
use breakerbox_replay::{Outage, Survey};
use std::ops::Range;
use std::time::Duration;

const DAY: u64 = 86_400;

/// Parses `FROM..UNTIL`, or `NAME=FROM..UNTIL`, within the span of the traffic.
pub(super) fn parse(text: &str, survey: &Survey) -> Result<Outage, String> {
    let wrong = |why: String| format!("--outage {text}: {why}");
    let (name, period) = match text.rsplit_once('=') {
        Some((name, period)) => (Some(name), period),
        None => (None, text),
    };
    let (from, until) = period
        .split_once("..")
        .ok_or_else(|| wrong("no period, as in 10:00..10:20".to_owned()))?;
    let span = survey.span();
    let [from, until] = [from, until].map(|text| time(text.trim(), &span));
    let (from, until) = (from.map_err(wrong)?, until.map_err(wrong)?);
    if from >= until {
        return Err(wrong("it ends before it begins".to_owned()));
    }
    if until < span.start || from > span.end {
        let (first, last) = (date(span.start), date(span.end));
        return Err(wrong(format!("the calls are from {first} to {last}")));
    }
    let outage = Outage::new(from, until);
    let Some(name) = name else {
        return Ok(outage);
    };
    if survey.names().iter().all(|found| &*found.name != name) {
        return Err(wrong(format!("there is no breaker {name:?}")));
    }
    Ok(outage.of(name))
}

fn time(text: &str, span: &Range<Duration>) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    if let Some(clock) = clock(text) {
        return on_day(clock, span)
            .ok_or_else(|| format!("on which day? State a date, as in {}", date(span.start)));
    }
    if let Some(time) = parse_date(text) {
        return Ok(time);
    }
    match duration(text) {
        Ok(after) => Ok(span.start.saturating_add(after)),
        Err(_) => Err(format!(
            "{text:?} is no time: use 10:00, {}, or 5m after the first call",
            date(span.start)
        )),
    }
}

/// Parses `10:00` or `10:00:30`.
fn clock(text: &str) -> Option<Duration> {
    let mut seconds = 0;
    let parts: Vec<&str> = text.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for (at, limit) in [24, 60, 60].into_iter().enumerate() {
        let part = parts.get(at).copied().unwrap_or("0");
        let is_number =
            (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = part
            .parse()
            .ok()
            .filter(|number| is_number && *number < limit)?;
        seconds = seconds * 60 + number;
    }
    Some(Duration::from_secs(seconds))
}

/// Returns the only time within the traffic at which a clock shows `clock`, or the time on its only day.
fn on_day(clock: Duration, span: &Range<Duration>) -> Option<Duration> {
    let (first, last) = (span.start.as_secs() / DAY, span.end.as_secs() / DAY);
    let at = |day: u64| Duration::from_secs(day.saturating_mul(DAY)).saturating_add(clock);
    if first == last {
        return Some(at(first));
    }
    if last - first > 2 {
        return None;
    }
    let mut within = (first..=last)
        .map(at)
        .filter(|time| (span.start..=span.end).contains(time));
    within.next().filter(|_| within.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakerbox_replay::{Call, Outcome};

    /// From 2026-03-01T09:00:00Z on, for this many seconds.
    fn survey(lasting: u64) -> Survey {
        let first = 1_772_355_600;
        Survey::of(
            [first, first + lasting]
                .map(|at| Call::new("users", Duration::from_secs(at), Outcome::Success)),
        )
    }

    #[test]
    fn times_have_several_forms() {
        let survey = survey(7_200);
        let expected = Outage::new(
            Duration::from_secs(1_772_359_200),
            Duration::from_secs(1_772_360_400),
        );
        for text in [
            "10:00..10:20",
            "10:00:00..10:20:00",
            "2026-03-01T10:00:00Z..2026-03-01T10:20:00Z",
            "2026-03-01 10:00:00..2026-03-01 10:20:00",
            "1772359200..1772360400",
            "1h..80m",
        ] {
            assert_eq!(parse(text, &survey), Ok(expected.clone()), "{text}");
        }
        assert_eq!(
            parse("users=10:00..10:20", &survey),
            Ok(expected.of("users"))
        );
    }

    #[test]
    fn wrong_outages_are_explained() {
        let survey = survey(7_200);
        for (text, why) in [
            ("10:00", "no period"),
            ("10:20..10:00", "ends before it begins"),
            ("10:60..10:70", "is no time"),
            (
                "12:00..13:00",
                "the calls are from 2026-03-01T09:00:00Z to 2026-03-01T11:00:00Z",
            ),
            ("search=10:00..10:20", "no breaker \"search\""),
            ("soon..later", "is no time"),
        ] {
            let error = parse(text, &survey).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn clock_needs_date_if_it_shows_time_twice() {
        let twice = survey(30 * 3_600);
        assert!(
            parse("10:00..10:20", &twice)
                .unwrap_err()
                .contains("on which day")
        );
        let once = parse("23:50..00:10", &survey(20 * 3_600)).unwrap();
        assert_eq!(
            once.end.saturating_sub(once.start),
            Duration::from_secs(1_200)
        );
    }
}
