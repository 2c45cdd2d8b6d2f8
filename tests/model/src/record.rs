//! What the model writes down, and what follows from it.

use crate::settings::{Kind, Rule, Span};
use breakerbox::{State, Totals};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Meaning {
    Success,
    Failure,
    Ignored,
}

#[derive(Clone, Copy, Debug)]
pub struct Ended {
    pub at: u64,
    pub meaning: Meaning,
    pub cancelled: bool,
    /// As long as it was known when it began that somebody asks.
    pub elapsed: Option<Duration>,
    pub slow: bool,
    /// In which it ended.
    pub state: State,
    /// Whether the settings of that time had successes counted.
    pub counted: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Event {
    Ended(Ended),
    Late,
    Refused,
    WouldTrip,
    /// The circuit opened, as this attempt of the backoff.
    Opened(u32),
    /// The trials closed the circuit at this time.
    Recovered(u64),
    /// The backoff starts over.
    BackoffAnew,
    /// Entered a state in which nothing has failed yet.
    NothingFailed,
    /// A half-open period begins.
    Trials,
    /// So many trials lost their slots.
    Lapsed(u32),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    pub recorded: u32,
    pub failed: u32,
    pub slow: u32,
    pub rate: Option<f64>,
}

impl Ended {
    fn is_slow(&self, rule: &Rule) -> bool {
        matches!((self.elapsed, rule.slower_than), (Some(took), Some(limit)) if took > limit)
    }

    pub fn failed(&self) -> bool {
        self.meaning == Meaning::Failure
    }

    /// Only a call that itself counts against a rule may trip it.
    pub fn counts_against(&self, rule: &Rule) -> bool {
        self.is_seen_by(rule)
            && match rule.kind {
                Kind::SlowCalls(_) => self.is_slow(rule),
                _ => self.failed(),
            }
    }

    /// Ignored touches no count, but a dropped call that ran long is slow.
    fn is_seen_by(&self, rule: &Rule) -> bool {
        self.state != State::HalfOpen
            && (self.meaning != Meaning::Ignored || self.cancelled && self.is_slow(rule))
    }

    /// What a trial tells: `Some(true)` for a good one, `None` for one that says nothing.
    pub fn verdict(&self) -> Option<bool> {
        match self.meaning {
            Meaning::Ignored => (self.cancelled && self.slow).then_some(false),
            Meaning::Failure => Some(false),
            Meaning::Success => Some(!self.slow),
        }
    }
}

/// Failures since the last success.
pub fn consecutive(log: &[Event]) -> u32 {
    let mut failures = 0;
    for event in log {
        match event {
            Event::Ended(call) if call.failed() => failures += 1,
            Event::Ended(call) if call.meaning == Meaning::Success => failures = 0,
            Event::NothingFailed => failures = 0,
            _ => {}
        }
    }
    failures
}

/// The attempt of the latest opening, from which the backoff continues, and when the circuit recovered
/// from it, if it did.
pub fn attempt(log: &[Event]) -> Option<(u32, Option<u64>)> {
    let mut attempt = None;
    for event in log {
        match event {
            Event::Opened(number) => attempt = Some((*number, None)),
            Event::Recovered(at) => attempt = attempt.map(|(number, _)| (number, Some(*at))),
            Event::BackoffAnew => attempt = None,
            _ => {}
        }
    }
    attempt
}

/// Good and bad trials of the present half-open period.
pub fn trials(log: &[Event]) -> (u32, u32) {
    let (mut good, mut bad) = (0, 0);
    for event in log {
        match event {
            Event::Trials => (good, bad) = (0, 0),
            Event::Ended(call) if call.state == State::HalfOpen => match call.verdict() {
                Some(true) => good += 1,
                Some(false) => bad += 1,
                None => {}
            },
            _ => {}
        }
    }
    (good, bad)
}

/// Checks the totals against the log; `counting` is whether successes are counted now.
pub fn assert_totals(log: &[Event], counting: bool, found: &Totals) {
    let count = |of: &dyn Fn(&Event) -> bool| log.iter().filter(|event| of(event)).count() as u64;
    let ended = |of: &dyn Fn(&Ended) -> bool| {
        count(&|event| matches!(event, Event::Ended(call) if of(call)))
    };
    let success = ended(&|call| call.meaning == Meaning::Success && call.counted);
    assert_eq!(found.success, counting.then_some(success), "successes");
    assert_eq!(found.failure, ended(&Ended::failed), "failures");
    let ignored =
        |call: &Ended, cancelled| call.meaning == Meaning::Ignored && call.cancelled == cancelled;
    assert_eq!(
        found.ignored,
        ended(&|call| ignored(call, false)),
        "ignored"
    );
    assert_eq!(
        found.cancelled,
        ended(&|call| ignored(call, true)),
        "cancelled"
    );
    assert_eq!(found.slow, ended(&|call| call.slow), "slow");
    assert_eq!(
        found.late,
        count(&|event| matches!(event, Event::Late)),
        "late"
    );
    assert_eq!(
        found.refused,
        count(&|event| matches!(event, Event::Refused)),
        "refused"
    );
}

/// Successes that the settings kept out of the totals; all of them while successes are not `shown`.
pub fn hidden_successes(log: &[Event], shown: bool) -> u64 {
    let hidden = |call: &Ended| call.meaning == Meaning::Success && !(shown && call.counted);
    let hidden = log
        .iter()
        .filter(|event| matches!(event, Event::Ended(call) if hidden(call)));
    hidden.count() as u64
}

/// How many trials lost their slots at the first lapse of each half-open period, which is told of.
pub fn outlived(log: &[Event]) -> Vec<u32> {
    let mut outlived = Vec::new();
    let mut told = false;
    for event in log {
        match event {
            Event::Trials => told = false,
            Event::Lapsed(trials) if !told => {
                told = true;
                outlived.push(*trials);
            }
            _ => {}
        }
    }
    outlived
}

pub fn would_trip(log: &[Event]) -> u64 {
    log.iter()
        .filter(|event| matches!(event, Event::WouldTrip))
        .count() as u64
}

/// What `rule` sees at `now` of the calls from number `since` of the log on, in windows aligned to
/// `origin`.
pub fn figures(log: &[Event], since: usize, rule: &Rule, now: u64, origin: u64) -> Figures {
    let Some(span) = rule.span else {
        let failures = consecutive(log);
        return Figures {
            recorded: failures,
            failed: failures,
            slow: 0,
            rate: None,
        };
    };
    let mut seen: Vec<&Ended> = log[since..]
        .iter()
        .filter_map(|event| match event {
            Event::Ended(call) if call.is_seen_by(rule) => Some(call),
            _ => None,
        })
        .collect();
    let most = match span {
        Span::Calls(calls) => {
            let expired = seen.len().saturating_sub(calls as usize);
            seen.drain(..expired);
            calls
        }
        Span::Time { length, buckets } => {
            let step = (length / buckets).as_nanos();
            let bucket = |at: u64| u128::from(at - origin) / step;
            seen.retain(|call| bucket(call.at) + u128::from(buckets) > bucket(now));
            u32::MAX
        }
    };
    let count = |of: &dyn Fn(&Ended) -> bool| {
        u32::try_from(seen.iter().filter(|call| of(call)).count()).unwrap()
    };
    let recorded = count(&|_| true);
    let failed = count(&Ended::failed);
    let slow = count(&|call| call.is_slow(rule));
    let enough = recorded >= rule.minimum_calls.unwrap_or(most.min(10));
    let part = match rule.kind {
        Kind::FailureRate(_) if enough => Some(failed),
        Kind::SlowCalls(_) if enough => Some(slow),
        _ => None,
    };
    let rate = part.map(|part| f64::from(part) / f64::from(recorded));
    Figures {
        recorded,
        failed,
        slow,
        rate,
    }
}

/// Whether the figures are what the rule forbids.
pub fn holds(rule: &Rule, figures: &Figures) -> bool {
    match rule.kind {
        Kind::Consecutive(most) | Kind::Failures(most) => figures.failed >= most,
        Kind::FailureRate(most) | Kind::SlowCalls(most) => {
            figures.rate.is_some_and(|rate| rate >= most)
        }
    }
}
