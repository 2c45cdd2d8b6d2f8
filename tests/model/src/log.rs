//! The log of a model, and the counts that are computed from it.

use crate::settings::{Kind, Rule, Span};
use breakerbox::{State, Totals};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RecordedOutcome {
    Success,
    Failure,
    Ignored,
}

#[derive(Clone, Copy, Debug)]
pub struct RecordedCall {
    pub at: u64,
    pub outcome: RecordedOutcome,
    pub cancelled: bool,
    /// `None` if no setting required the duration of calls when the call began.
    pub elapsed: Option<Duration>,
    pub slow: bool,
    /// The state in which the call ended.
    pub state: State,
    /// The value of `count_successes` when the call ended.
    pub counted: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Event {
    Recorded(RecordedCall),
    Late,
    Refused,
    WouldTrip,
    /// The circuit opened, as this attempt of the backoff.
    Opened(u32),
    /// The trials closed the circuit at this time.
    Recovered(u64),
    /// The backoff starts over.
    BackoffReset,
    /// The consecutive failures start over.
    FailuresReset,
    HalfOpenEntered,
    /// The first call of a twentieth of a ramp-up, or the first call after it, found this share.
    RampingUp(f64),
    /// The lease lapsed, and this number of trials lost their slots.
    LeaseLapsed(u32),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    pub recorded: u32,
    pub failed: u32,
    pub slow: u32,
    pub rate: Option<f64>,
}

impl RecordedCall {
    fn is_slow(&self, rule: &Rule) -> bool {
        matches!((self.elapsed, rule.slower_than), (Some(took), Some(limit)) if took > limit)
    }

    pub fn failed(&self) -> bool {
        self.outcome == RecordedOutcome::Failure
    }

    /// Returns whether the call counts against `rule`. Only such a call may trip the rule.
    pub fn violates(&self, rule: &Rule) -> bool {
        self.is_seen_by(rule)
            && match rule.kind {
                Kind::SlowCalls(_) => self.is_slow(rule),
                _ => self.failed(),
            }
    }

    /// Returns whether the call enters the window of `rule`.
    ///
    /// An ignored call does not, except for a cancelled call that was slow.
    fn is_seen_by(&self, rule: &Rule) -> bool {
        self.state != State::HalfOpen
            && (self.outcome != RecordedOutcome::Ignored || self.cancelled && self.is_slow(rule))
    }

    /// Returns whether a trial succeeded, or `None` if it must be repeated.
    pub fn trial_result(&self) -> Option<bool> {
        match self.outcome {
            RecordedOutcome::Ignored => (self.cancelled && self.slow).then_some(false),
            RecordedOutcome::Failure => Some(false),
            RecordedOutcome::Success => Some(!self.slow),
        }
    }
}

/// Counts the failures since the last success.
pub fn consecutive_failures(log: &[Event]) -> u32 {
    let mut failures = 0;
    for event in log {
        match event {
            Event::Recorded(call) if call.failed() => failures += 1,
            Event::Recorded(call) if call.outcome == RecordedOutcome::Success => failures = 0,
            Event::FailuresReset => failures = 0,
            _ => {}
        }
    }
    failures
}

/// Returns the attempt of the latest opening, and when the circuit recovered from it, if it did.
pub fn attempt(log: &[Event]) -> Option<(u32, Option<u64>)> {
    let mut attempt = None;
    for event in log {
        match event {
            Event::Opened(number) => attempt = Some((*number, None)),
            Event::Recovered(at) => attempt = attempt.map(|(number, _)| (number, Some(*at))),
            Event::BackoffReset => attempt = None,
            _ => {}
        }
    }
    attempt
}

/// Counts the successful and the failed trials of the current half-open period.
pub fn trial_results(log: &[Event]) -> (u32, u32) {
    let (mut succeeded, mut failed) = (0, 0);
    for event in log {
        match event {
            Event::HalfOpenEntered => (succeeded, failed) = (0, 0),
            Event::Recorded(call) if call.state == State::HalfOpen => match call.trial_result() {
                Some(true) => succeeded += 1,
                Some(false) => failed += 1,
                None => {}
            },
            _ => {}
        }
    }
    (succeeded, failed)
}

/// Compares the totals with the log. `counting` is the current value of `count_successes`.
pub fn assert_totals(log: &[Event], counting: bool, found: &Totals) {
    let count = |of: &dyn Fn(&Event) -> bool| log.iter().filter(|event| of(event)).count() as u64;
    let ended = |of: &dyn Fn(&RecordedCall) -> bool| {
        count(&|event| matches!(event, Event::Recorded(call) if of(call)))
    };
    let success = ended(&|call| call.outcome == RecordedOutcome::Success && call.counted);
    assert_eq!(found.success, counting.then_some(success), "successes");
    assert_eq!(found.failure, ended(&RecordedCall::failed), "failures");
    let ignored = |call: &RecordedCall, cancelled| {
        call.outcome == RecordedOutcome::Ignored && call.cancelled == cancelled
    };
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
    let lapsed = log.iter().map(|event| match event {
        Event::LeaseLapsed(trials) => u64::from(*trials),
        _ => 0,
    });
    assert_eq!(found.outlived, lapsed.sum::<u64>(), "outlived");
}

/// Counts the successes that are missing in the totals: those that were not counted, or all of them if the
/// totals of successes are not `shown`.
pub fn uncounted_successes(log: &[Event], shown: bool) -> u64 {
    let is_missing =
        |call: &RecordedCall| call.outcome == RecordedOutcome::Success && !(shown && call.counted);
    let missing = log
        .iter()
        .filter(|event| matches!(event, Event::Recorded(call) if is_missing(call)));
    missing.count() as u64
}

/// Returns the number of trials in each `TrialsOutlived` event.
///
/// Only the first lapse of a half-open period is reported.
pub fn outlived(log: &[Event]) -> Vec<u32> {
    let mut outlived = Vec::new();
    let mut reported = false;
    for event in log {
        match event {
            Event::HalfOpenEntered => reported = false,
            Event::LeaseLapsed(trials) if !reported => {
                reported = true;
                outlived.push(*trials);
            }
            _ => {}
        }
    }
    outlived
}

/// Returns the share in each `RampingUp` event.
pub fn ramp_up_shares(log: &[Event]) -> Vec<f64> {
    let share = |event: &Event| match event {
        Event::RampingUp(share) => Some(*share),
        _ => None,
    };
    log.iter().filter_map(share).collect()
}

pub fn would_trip(log: &[Event]) -> u64 {
    log.iter()
        .filter(|event| matches!(event, Event::WouldTrip))
        .count() as u64
}

/// Computes the figures of `rule` at `now`, from the events since position `window_start` of the log.
/// The buckets of a time window are aligned to `origin`.
pub fn figures(log: &[Event], window_start: usize, rule: &Rule, now: u64, origin: u64) -> Figures {
    let Some(span) = rule.span else {
        let failures = consecutive_failures(log);
        return Figures {
            recorded: failures,
            failed: failures,
            slow: 0,
            rate: None,
        };
    };
    let mut seen: Vec<&RecordedCall> = log[window_start..]
        .iter()
        .filter_map(|event| match event {
            Event::Recorded(call) if call.is_seen_by(rule) => Some(call),
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
    let count = |of: &dyn Fn(&RecordedCall) -> bool| {
        u32::try_from(seen.iter().filter(|call| of(call)).count()).unwrap()
    };
    let recorded = count(&|_| true);
    let failed = count(&RecordedCall::failed);
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

/// Returns whether the figures reach the limit of the rule.
pub fn is_met(rule: &Rule, figures: &Figures) -> bool {
    match rule.kind {
        Kind::Consecutive(most) | Kind::Failures(most) => figures.failed >= most,
        Kind::FailureRate(most) | Kind::SlowCalls(most) => {
            figures.rate.is_some_and(|rate| rate >= most)
        }
    }
}
