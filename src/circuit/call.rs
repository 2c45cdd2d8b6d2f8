//! What there is to know of a call that has ended.

use super::counters::Counter;
use super::shell::Circuit;
use super::token::CallToken;
use crate::classify::Outcome;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::rules::Sample;
use crate::state::Flags;
use crate::text::{HumanDuration, TruncatedString};
use std::fmt;
use std::time::Duration;

/// How a call ended.
#[derive(Clone, Copy)]
pub(crate) enum Completion<'a> {
    /// It returned and was judged.
    Returned(Outcome, Option<&'a dyn fmt::Debug>),
    /// It was dropped.
    Cancelled,
    /// It panicked.
    Panicked,
    /// It was dropped because it ran longer than its limit.
    TimedOut(Duration),
}

/// What there is to know of an ended call before the circuit is asked.
pub(super) struct Call<'a> {
    pub(super) ticket: CallToken,
    pub(super) outcome: Outcome,
    pub(super) counts_as: Counter,
    pub(super) cancelled: bool,
    pub(super) elapsed: Option<Duration>,
    pub(super) slow: bool,
    pub(super) text: Option<&'a TruncatedString>,
    pub(super) config: &'a BreakerConfig,
    /// Whether anybody wants to hear of it.
    pub(super) heard: bool,
    /// When it ended, where anybody asks.
    pub(super) now: Option<Moment>,
}

impl Call<'_> {
    /// As the rules see it at `now`.
    pub(super) fn sample(&self, now: Moment) -> Sample {
        Sample {
            failed: self.failed(),
            ignored: self.outcome == Outcome::Ignored,
            elapsed: self.elapsed,
            now,
        }
    }

    #[inline]
    pub(super) fn failed(&self) -> bool {
        self.counts_as == Counter::Failure
    }

    pub(super) fn asked(&self) -> Option<Duration> {
        match self.outcome {
            Outcome::TripFor(time) => Some(time.min(self.config.max_trip_for())),
            _ => None,
        }
    }

    /// Whether no rule wants to hear of it. Slow-call rules do of a call that was ignored since it was
    /// dropped, when it had been slow.
    pub(super) fn says_nothing(&self) -> bool {
        self.outcome == Outcome::Ignored && !(self.cancelled && self.slow)
    }

    /// The failures in a row after it, of so many before it.
    pub(super) fn count_after(&self, count: u32) -> u32 {
        match self.outcome {
            Outcome::Ignored => count,
            _ if self.failed() => count.saturating_add(1),
            _ => 0,
        }
    }

    /// Whether a failure that makes `count` in a row opens the circuit, windows aside.
    pub(super) fn may_trip(&self, count: u32) -> bool {
        self.asked().is_some() || self.config.failure_threshold().is_some_and(|n| count >= n)
    }
}

impl Circuit {
    /// Whether it is worth asking who wants to hear of a call. Who comes to listen to a registry raises the
    /// flags of the breakers in it.
    fn may_be_heard(&self) -> bool {
        self.word().has(Flags::SLOW_PATH) || self.entry.is_removed()
    }

    /// Everything that calls somebody's code, before the lock is taken. The text of a failure is written to
    /// `room`, where it stays: it is far larger than all the rest.
    #[inline]
    pub(super) fn examine<'a>(
        &self,
        ticket: CallToken,
        ended: Completion<'_>,
        config: &'a BreakerConfig,
        room: &'a mut Option<TruncatedString>,
    ) -> Call<'a> {
        let asked = ticket.started().is_some() || config.is_over_time();
        let now = asked.then(|| self.home.clock.now());
        let elapsed = ticket
            .started()
            .zip(now)
            .map(|(started, now)| now.since(started));
        let ran_at_least = |limit: Option<Duration>| {
            elapsed
                .zip(limit)
                .is_some_and(|(elapsed, limit)| elapsed >= limit)
        };
        let outcome = match ended {
            Completion::Returned(outcome, _) => outcome,
            Completion::Panicked | Completion::TimedOut(_) => Outcome::Failure,
            Completion::Cancelled if ran_at_least(config.cancelled_after()) => Outcome::Failure,
            Completion::Cancelled => config.settings.cancelled,
        };
        let slow = elapsed
            .zip(config.slower_than())
            .is_some_and(|(took, limit)| took > limit);
        let cancelled = matches!(ended, Completion::Cancelled);
        let mut call = Call {
            ticket,
            outcome,
            counts_as: match outcome {
                Outcome::Failure | Outcome::TripFor(_) => Counter::Failure,
                Outcome::Success => Counter::Success,
                Outcome::Ignored if cancelled => Counter::Cancelled,
                Outcome::Ignored => Counter::Ignored,
            },
            cancelled,
            elapsed,
            slow,
            text: None,
            config,
            heard: self.may_be_heard() && self.tells_calls(config),
            now,
        };
        if call.failed() && config.capture_last_failure() {
            call.text = describe(ended, elapsed, config, room);
        }
        call
    }
}

/// What there is to say of a failure.
fn describe<'a>(
    ended: Completion<'_>,
    elapsed: Option<Duration>,
    config: &BreakerConfig,
    room: &'a mut Option<TruncatedString>,
) -> Option<&'a TruncatedString> {
    if let Completion::Returned(_, None) = ended {
        return None;
    }
    let text = room.insert(TruncatedString::empty());
    match (ended, elapsed) {
        (Completion::Returned(_, error), _) => {
            let write = |error| config.settings.describe.write(error, text);
            error.map(write);
        }
        (Completion::Panicked, _) => text.push("panicked"),
        (Completion::TimedOut(limit), _) => {
            text.push(format_args!("timed out after {}", HumanDuration(limit)));
        }
        (Completion::Cancelled, Some(time)) => {
            text.push(format_args!("cancelled after {}", HumanDuration(time)));
        }
        (Completion::Cancelled, None) => text.push("cancelled"),
    }
    Some(text)
}
