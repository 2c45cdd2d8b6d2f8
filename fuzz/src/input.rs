//! Settings, durations and commands from bytes.

use crate::classification::{Answer, ErrorRules, Site};
use crate::errors::{self, TestError, Text};
use arbitrary::{Result, Unstructured};
use breakerbox::{Mode, Outcome};
use breakerbox_model::settings::{Kind, Recovery, Rule, Settings, Span, distinct};
use breakerbox_model::steps::{Change, Command, RuleMix, Side};
use std::time::Duration;

pub(crate) type Input<'a> = Unstructured<'a>;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn one_of<T: Copy>(u: &mut Input, choices: &[T]) -> Result<T> {
    u.choose(choices).copied()
}

fn maybe<T>(u: &mut Input, some: impl FnOnce(&mut Input) -> Result<T>) -> Result<Option<T>> {
    u.arbitrary::<bool>()?.then(|| some(u)).transpose()
}

/// Returns a duration, usually one of a few, so that deadlines coincide.
pub(crate) fn length(u: &mut Input) -> Result<Duration> {
    const USUAL: [u64; 8] = [1, 3, 10, 10, 37, 100, 1_000, 3_600_000];
    Ok(match u.int_in_range(0..=9)? {
        8 => ms(u64::from(u.arbitrary::<u16>()?) + 1),
        9 => Duration::from_nanos(u.arbitrary::<u64>()?.max(1)),
        usual => ms(USUAL[usual]),
    })
}

/// Returns a duration to advance the clock. It may exceed the range of clocks and deadlines.
pub(crate) fn time(u: &mut Input) -> Result<Duration> {
    Ok(match u.int_in_range(0..=7)? {
        0 => Duration::ZERO,
        1 => Duration::from_nanos(u.arbitrary()?),
        2 => Duration::from_nanos(one_of(u, &[u64::MAX, u64::MAX - 5_000_000, u64::MAX / 2])?),
        3 => Duration::MAX,
        _ => length(u)?,
    })
}

fn rule(u: &mut Input) -> Result<Rule> {
    let rate =
        |u: &mut Input| -> Result<f64> { Ok((f64::from(u.arbitrary::<u8>()?) + 1.0) / 256.0) };
    let kind = match u.int_in_range(0..=3)? {
        0 => Kind::Consecutive(u.int_in_range(1..=6)?),
        1 => Kind::Failures(u.int_in_range(1..=6)?),
        2 => Kind::FailureRate(rate(u)?),
        _ => Kind::SlowCalls(rate(u)?),
    };
    let span = match u.int_in_range(0..=3)? {
        0 => Span::Calls(u.int_in_range(1..=5)?),
        1 => Span::Calls(one_of(u, &[10, 20, 64, 65, 1_000])?),
        2 => {
            let buckets = one_of(u, &[1, 2, 3, 5, 10, 60])?;
            let length = u64::from(u.arbitrary::<u8>()?).max(buckets);
            Span::Time {
                length: ms(length),
                buckets: u32::try_from(buckets).unwrap_or(1),
            }
        }
        _ => Span::Time {
            length: one_of(u, &[ms(1_000), ms(60_000), ms(31_000_000_000)])?,
            buckets: one_of(u, &[1, 10, 3_600])?.min(1_000),
        },
    };
    let minimum = maybe(u, |u| u.int_in_range(1..=6))?;
    Ok(Rule::clamped(kind, span, minimum, length(u)?))
}

/// The longest ramp-up.
const YEAR: Duration = ms(366 * 86_400_000);

pub(crate) fn settings(u: &mut Input) -> Result<Settings> {
    let count = u.int_in_range(1..=3)?;
    let rules = (0..count).map(|_| rule(u)).collect::<Result<Vec<_>>>()?;
    // Without a maximum, delays are whole seconds, which `f64` represents exactly.
    let recovery = if u.ratio(1, 4)? {
        Recovery {
            first: one_of(u, &[ms(1_000), ms(30_000)])?,
            factor: 2,
            max: None,
        }
    } else {
        Recovery {
            first: one_of(u, &[ms(5), ms(10), ms(50)])?,
            factor: u.int_in_range(1..=3)?,
            max: Some(ms(5_000)),
        }
    };
    let half_open_calls = one_of(u, &[1, 1, 2, 3, 5, 1_000])?;
    let success_threshold = maybe(u, |u| u.int_in_range(1..=5))?;
    Ok(Settings {
        rules: distinct(rules),
        recovery,
        half_open_calls,
        success_threshold: success_threshold.map(|least: u32| least.min(half_open_calls)),
        reset_backoff_after: maybe(u, length)?,
        trial_timeout: maybe(u, length)?,
        max_trip_for: length(u)?,
        mode: mode(u)?,
        cancelled_as: one_of(u, &[Outcome::Ignored, Outcome::Failure, Outcome::Success])?,
        cancelled_after: maybe(u, length)?,
        count_successes: u.arbitrary()?,
        ramp_up: maybe(u, length)?.map(|time| time.clamp(ms(1), YEAR)),
    })
}

fn mode(u: &mut Input) -> Result<Mode> {
    Ok(match u.int_in_range(0..=7)? {
        0 => Mode::Disabled,
        1 => Mode::ForcedOpen,
        2 => Mode::MetricsOnly,
        _ => Mode::Enforcing,
    })
}

pub(crate) fn change(u: &mut Input) -> Result<Change> {
    let mixtures = [
        RuleMix::Old,
        RuleMix::New,
        RuleMix::OldThenNew,
        RuleMix::NewThenOld,
        RuleMix::NewKinds,
    ];
    Ok(Change {
        rules: one_of(u, &mixtures)?,
        keeps_mode: u.arbitrary()?,
        settings: settings(u)?,
    })
}

pub(crate) fn side(u: &mut Input) -> Result<Side> {
    one_of(u, &[Side::Before, Side::At, Side::After])
}

pub(crate) fn command(u: &mut Input) -> Result<Command> {
    Ok(match u.int_in_range(0..=7)? {
        0 => Command::Trip,
        1 => Command::TripFor(time(u)?),
        2 | 3 => Command::HalfOpen,
        4 => Command::ForceOpen,
        5 => Command::Disable,
        6 => Command::MetricsOnly,
        _ => Command::Reset,
    })
}

pub(crate) fn rules(u: &mut Input) -> Result<ErrorRules> {
    Ok(ErrorRules {
        by_kind: u.arbitrary()?,
        unexpected: one_of(u, &[Outcome::Success, Outcome::Ignored])?,
        captures_text: u.arbitrary()?,
    })
}

pub(crate) fn answer(u: &mut Input) -> Result<Answer> {
    let kinds = [
        errors::Kind::Fatal,
        errors::Kind::Ignored,
        errors::Kind::Unexpected,
        errors::Kind::PanicsIgnored,
        errors::Kind::PanicsExpected,
        errors::Kind::TripFor(ms(10)),
        errors::Kind::TripFor(ms(7_200_000)),
        errors::Kind::PanicsTripFor,
    ];
    Ok(match u.int_in_range(0..=5)? {
        0 | 1 => Ok(false),
        2 => Err(TestError {
            kind: one_of(u, &kinds)?,
            text: Text::Long,
        }),
        3 => Err(TestError {
            kind: one_of(u, &kinds)?,
            text: Text::Panics,
        }),
        _ => Err(TestError {
            kind: one_of(u, &kinds)?,
            text: Text::Number(u.arbitrary()?),
        }),
    })
}

pub(crate) fn outcome(u: &mut Input) -> Result<Outcome> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Outcome::Success,
        1 => Outcome::Failure,
        2 => Outcome::Ignored,
        _ => Outcome::TripFor(time(u)?),
    })
}

pub(crate) fn site(u: &mut Input) -> Result<Site> {
    Ok(match u.int_in_range(0..=3)? {
        0 | 1 => Site::Rules,
        2 => Site::FailIf(one_of(u, &[None, Some(false), Some(true)])?),
        _ => Site::Classify(maybe(u, outcome)?),
    })
}
