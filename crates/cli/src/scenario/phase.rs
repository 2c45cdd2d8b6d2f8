//! [`Phase`]: a period in which calls fail or are slow, as it is stated on the command line.

use crate::values::up_to_a_day;
use breakerbox_replay::Scenario;
use std::ops::Range;
use std::time::Duration;

/// A period in which calls fail or are slow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Phase {
    pub(super) seconds: Range<u64>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Outage(f64),
    Gradual(f64),
    Slow(f64, Duration),
    Flapping(Duration),
    OneOfMany(u32),
}

/// Traffic that is multiplied every so often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bursts {
    pub(super) every: Duration,
    pub(super) length: Duration,
    pub(super) factor: f64,
}

impl Phase {
    pub(super) fn add_to(self, scenario: Scenario) -> Scenario {
        match self.kind {
            Kind::Outage(share) => scenario.outage(self.seconds, share),
            Kind::Gradual(share) => scenario.gradual(self.seconds, share),
            Kind::Slow(share, latency) => scenario.slow(self.seconds, share, latency),
            Kind::Flapping(half) => scenario.flapping(self.seconds, half),
            Kind::OneOfMany(replicas) => scenario.one_of_many(self.seconds, replicas),
        }
    }

    /// Parses `FROM..UNTIL=VALUE`.
    fn parse(text: &str, kind: impl FnOnce(&str) -> Result<Kind, String>) -> Result<Self, String> {
        /// A leap year.
        const MOST: u64 = 366 * 86_400;
        let (period, value) = text
            .split_once('=')
            .ok_or("no value after the seconds, as in 60..180=1")?;
        let seconds = || -> Option<Range<u64>> {
            let (from, until) = period.split_once("..")?;
            let seconds = from.parse().ok()?..until.parse().ok()?;
            (seconds.start < seconds.end && seconds.end <= MOST).then_some(seconds)
        };
        let seconds = seconds().ok_or("no seconds, as in 60..180")?;
        let kind = kind(value)?;
        Ok(Self { seconds, kind })
    }
}

pub(super) fn outage(text: &str) -> Result<Phase, String> {
    Phase::parse(text, |value| share(value).map(Kind::Outage))
}

pub(super) fn gradual(text: &str) -> Result<Phase, String> {
    Phase::parse(text, |value| share(value).map(Kind::Gradual))
}

pub(super) fn slow(text: &str) -> Result<Phase, String> {
    Phase::parse(text, |value| {
        let (slow, latency) = value.split_once(':').ok_or("no latency, as in 0.9:2s")?;
        Ok(Kind::Slow(share(slow)?, up_to_a_day(latency)?))
    })
}

pub(super) fn period(text: &str) -> Result<Phase, String> {
    Phase::parse(text, |value| up_to_a_day(value).map(Kind::Flapping))
}

pub(super) fn one_of_many(text: &str) -> Result<Phase, String> {
    Phase::parse(text, |value| {
        let replicas = value.parse().ok().filter(|replicas| *replicas >= 1);
        replicas
            .map(Kind::OneOfMany)
            .ok_or_else(|| "no number of replicas".to_owned())
    })
}

pub(super) fn bursts(text: &str) -> Result<Bursts, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [every, length, factor] = parts[..] else {
        return Err("not of the form EVERY:LENGTH:FACTOR, as in 10s:1s:20".to_owned());
    };
    let factor = factor
        .parse()
        .ok()
        .filter(|factor| (0.001..=1_000.0).contains(factor));
    Ok(Bursts {
        every: up_to_a_day(every)?,
        length: up_to_a_day(length)?,
        factor: factor.ok_or("no factor from 0.001 to 1000")?,
    })
}

fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "no share from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_parsed() {
        let phase = |kind| {
            Ok(Phase {
                seconds: 60..180,
                kind,
            })
        };
        assert_eq!(outage("60..180=0.34"), phase(Kind::Outage(0.34)));
        assert_eq!(gradual("60..180=1"), phase(Kind::Gradual(1.0)));
        assert_eq!(
            slow("60..180=0.9:2s"),
            phase(Kind::Slow(0.9, Duration::from_secs(2)))
        );
        assert_eq!(
            period("60..180=10s"),
            phase(Kind::Flapping(Duration::from_secs(10)))
        );
        assert_eq!(one_of_many("60..180=3"), phase(Kind::OneOfMany(3)));
        assert!(bursts("10s:1s:20").is_ok());
    }

    #[test]
    fn wrong_phases_are_refused() {
        for wrong in [
            "",
            "60..180",
            "180..60=1",
            "60..60=1",
            "a..b=1",
            "0..99999999999=1",
            "60..180=2",
            "60..180=nan",
        ] {
            assert!(outage(wrong).is_err(), "{wrong}");
        }
        assert!(slow("60..180=0.5").is_err());
        assert!(slow("60..180=0.5:9days").is_err());
        assert!(one_of_many("60..180=0").is_err());
        for wrong in ["10s", "10s:1s:inf", "10s:1s:0", "x:1s:2"] {
            assert!(bursts(wrong).is_err(), "{wrong}");
        }
    }
}
