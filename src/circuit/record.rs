//! Records the outcome of a call.
//!
//! Every guarded call ends in one of three functions:
//!
//! * [`Circuit::record_success`] for a success. A healthy circuit needs one load of its word, and
//!   one increment of a total.
//! * [`Circuit::record`] for every other completion.
//! * [`Circuit::record_classified`] for a completion that was classified with settings the caller
//!   has loaded.
//!
//! A completion other than a success is first classified without the lock, because that may run
//! user code. Then [`record_trial`](Circuit::record_trial) or
//! [`record_closed`](Circuit::record_closed) applies it to the state, and the totals and events
//! follow. See [`windows`](super::windows) for the windows and the success buffer.

use super::counters::Counter;
use super::locked::Locked;
use super::shell::Circuit;
use super::token::CallToken;
use super::transition::OpenPeriod;
use crate::classify::Outcome;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event, Listeners};
use crate::rules::{RuleSnapshot, Sample};
use crate::state::{Flags, PackedState, State, TrialResult};
use crate::sync::Ordering;
use crate::text::{HumanDuration, TruncatedString};
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// The number of consecutive cancelled calls that triggers an event.
const CANCELLED_IN_A_ROW_THRESHOLD: u32 = 5;

/// How a call ended.
#[derive(Clone, Copy)]
pub(crate) enum Completion<'a> {
    /// The call returned, and its result was classified. The error is `None` if there is none to
    /// describe.
    Returned(Outcome, Option<&'a dyn fmt::Debug>),
    /// The call was dropped.
    Cancelled,
    /// A stream or body was dropped before its end. Unlike [`Cancelled`](Self::Cancelled), it is no
    /// sign of a timeout outside the breaker, so it is no call cancelled in a row.
    StreamDropped,
    /// The call panicked.
    Panicked,
    /// The call was dropped because it ran longer than this limit.
    TimedOut(Duration),
}

/// A completed call that was classified, but has not been applied to the state.
struct CompletedCall<'a> {
    token: CallToken,
    outcome: Outcome,
    /// The total that includes the call.
    counter: Counter,
    cancelled: bool,
    elapsed: Option<Duration>,
    slow: bool,
    /// The text of a failure, if it is captured.
    text: Option<&'a TruncatedString>,
    config: &'a BreakerConfig,
    wanted: Wanted,
    /// When the call ended, if the clock was read.
    now: Option<Moment>,
}

/// What is reported about a call after its outcome was recorded.
#[derive(Clone, Copy, Default)]
struct Wanted {
    /// A listener or stream wants the event of the call.
    event: bool,
    /// A recorder wants the call.
    record: bool,
}

/// The effect of a call on the state.
#[derive(Clone, Copy, PartialEq)]
enum Recorded {
    /// The call counts. Its total has not been incremented yet.
    Counted,
    /// The call counts. Its total was incremented with the windows.
    CountedInWindows,
    /// The call was admitted in an earlier generation, and changes nothing.
    Late,
}

impl Circuit {
    /// Records a success.
    #[inline]
    pub(crate) fn record_success(&self, token: CallToken) {
        let word = self.word();
        if !word.success_is_noop(token.admitted_by) {
            self.record_success_slow(word, token);
        } else if word.has(Flags::COUNT_SUCCESSES) {
            self.counters.add(Counter::Success);
        }
    }

    /// Records a success that changes more than a total.
    #[inline(never)]
    fn record_success_slow(&self, word: PackedState, token: CallToken) {
        let recorded = if word.success_is_buffered(token.generation()) {
            self.buffer_success(token)
        } else {
            self.reset_failures(word, token)
        };
        if !recorded {
            self.record(token, Completion::Returned(Outcome::Success, None));
        } else if token.started().is_some() {
            self.counters.decrement(Counter::InFlight);
        }
    }

    /// Records a success that at most resets the consecutive failures. Returns `false` if the
    /// success does more.
    fn reset_failures(&self, mut word: PackedState, token: CallToken) -> bool {
        while word.success_only_resets(token.generation()) {
            let reset = match word.failures() {
                0 => Ok(()),
                _ => self.cas_word(word, word.with_failures(0)),
            };
            match reset {
                Ok(()) if word.has(Flags::COUNT_SUCCESSES) => {
                    self.counters.add(Counter::Success);
                    return true;
                }
                Ok(()) => return true,
                Err(found) => word = found,
            }
        }
        false
    }

    /// Records a completion.
    pub(crate) fn record(&self, token: CallToken, completion: Completion<'_>) {
        self.record_classified(None, token, completion);
    }

    /// Records a completion. `config` is the settings that classified it, if the caller has loaded
    /// them.
    #[inline(never)]
    pub(crate) fn record_classified(
        &self,
        config: Option<&BreakerConfig>,
        token: CallToken,
        completion: Completion<'_>,
    ) {
        if token.is_joined() {
            return;
        }
        let word = self.word();
        self.record_own(config, token.leave(), word, completion);
        if word.has(Flags::SLOW_PATH) {
            self.flush_overdue_events();
        }
    }

    /// Records the completion of a call that did not join a trial.
    #[inline]
    fn record_own(
        &self,
        config: Option<&BreakerConfig>,
        token: CallToken,
        word: PackedState,
        completion: Completion<'_>,
    ) {
        if token.started().is_some() {
            self.counters.decrement(Counter::InFlight);
        }
        // A trial that lost its slot to another call still counts while its half-open period lasts.
        let late = word.generation() != token.generation()
            && !(token.is_trial() && self.is_in_period_of(token.generation()));
        if !late && word.state() == State::Disabled {
            return;
        }
        if matches!(completion, Completion::TimedOut(_)) {
            self.counters.add(Counter::TimedOut);
        }
        if late {
            self.record_late(completion);
            self.report_late_call(token, completion);
            return;
        }
        let loaded;
        let config = if let Some(config) = config {
            config
        } else {
            loaded = self.config.load();
            &loaded
        };
        let mut buf = None;
        let call = self.classify_completion(token, completion, config, &mut buf);
        if !matches!(completion, Completion::StreamDropped) {
            self.track_cancellations(&call);
        }
        let recorded = if word.state() == State::HalfOpen {
            let recorded = self.record_trial(&call);
            self.wake_next();
            recorded
        } else {
            self.record_closed(&call)
        };
        if recorded == Recorded::Late {
            self.record_late(completion);
        } else {
            self.update_totals(&call, recorded);
            if self.word().generation() != token.generation() {
                self.flush_events();
            }
            if call.wanted.event {
                self.emit(|breaker| Event::Recorded {
                    breaker,
                    outcome: call.outcome,
                    elapsed: call.elapsed,
                });
            }
        }
        if call.wanted.record {
            self.report_call(token, completion, call.elapsed, call.text, config);
        }
    }

    /// Classifies a completion. All user code of a recording runs here, before the lock is taken.
    ///
    /// The text of a failure is written to `buf`, because it is much larger than the record.
    #[inline]
    fn classify_completion<'a>(
        &self,
        token: CallToken,
        completion: Completion<'_>,
        config: &'a BreakerConfig,
        buf: &'a mut Option<TruncatedString>,
    ) -> CompletedCall<'a> {
        let reads_clock = token.started().is_some() || config.is_over_time();
        let now = reads_clock.then(|| self.context.clock.now());
        let started = token.started().zip(now);
        let elapsed = started.map(|(started, now)| now.since(started));
        let outcome = match completion {
            Completion::Returned(outcome, _) => outcome,
            Completion::Panicked | Completion::TimedOut(_) => Outcome::Failure,
            Completion::Cancelled | Completion::StreamDropped => {
                match elapsed.zip(config.cancelled_after()) {
                    Some((elapsed, limit)) if elapsed >= limit => Outcome::Failure,
                    _ => config.cancelled_as(),
                }
            }
        };
        let cancelled = matches!(
            completion,
            Completion::Cancelled | Completion::StreamDropped
        );
        let counter = match outcome {
            Outcome::Failure | Outcome::TripFor(_) => Counter::Failure,
            Outcome::Success => Counter::Success,
            Outcome::Ignored if cancelled => Counter::Cancelled,
            Outcome::Ignored => Counter::Ignored,
        };
        // A listener that attaches to the registry sets no flag on a removed breaker.
        let may_notify = self.word().has(Flags::SLOW_PATH) || self.entry.is_removed();
        let wanted = may_notify.then(|| Wanted::by(self.listeners(config)));
        let text = if counter == Counter::Failure && config.capture_last_failure() {
            failure_text(completion, elapsed, config, buf)
        } else {
            None
        };
        CompletedCall {
            token,
            outcome,
            counter,
            cancelled,
            elapsed,
            slow: elapsed
                .zip(config.slower_than())
                .is_some_and(|(elapsed, limit)| elapsed > limit),
            text,
            config,
            wanted: wanted.unwrap_or_default(),
            now,
        }
    }

    /// Counts consecutive cancelled calls, and sends an event when they reach the threshold.
    fn track_cancellations(&self, call: &CompletedCall<'_>) {
        // Ordering: `Relaxed`, because the count only decides when an event is sent.
        if !call.cancelled {
            if self.consecutive_cancellations.load(Ordering::Relaxed) > 0 {
                self.consecutive_cancellations.store(0, Ordering::Relaxed);
            }
            return;
        }
        let cancelled = &self.consecutive_cancellations;
        let calls = cancelled.fetch_add(1, Ordering::Relaxed) + 1;
        // The flag sends the next success here, which resets the count. It is set at every
        // cancellation, because a success that read the previous count may have just cleared it.
        self.set_slow_path();
        if calls == CANCELLED_IN_A_ROW_THRESHOLD {
            self.report(|breaker| Event::CancelledInARow { breaker, calls });
        }
    }

    /// Records a call that was not a trial. Without windows, and without a text to store, that
    /// takes one compare-and-swap, unless the call trips the circuit.
    fn record_closed(&self, call: &CompletedCall<'_>) -> Recorded {
        loop {
            let word = self.word();
            if word.generation() != call.token.generation() {
                return Recorded::Late;
            }
            if call.is_neutral() {
                return Recorded::Counted;
            }
            let failures = call.next_consecutive_failures(word.failures());
            let trips = call.failed() && call.reaches_threshold(failures);
            let may_clear_slow_path = word.has(Flags::SLOW_PATH) && !call.wanted.any();
            let has_windows = word.has(Flags::BUFFER_SUCCESSES) || call.config.has_windows();
            if word.state() != State::Closed || has_windows || may_clear_slow_path || trips {
                return self.record_locked(call);
            }
            let captures = call.failed() && call.config.capture_last_failure();
            // The text is stored under the lock that is held while the failure is counted, so that
            // the text of an earlier failure cannot replace it.
            let mut locked = captures.then(|| self.locked.lock());
            let config = locked.as_deref().map(Locked::config);
            if config.is_some_and(|config| !ptr::eq(Arc::as_ptr(config), call.config)) {
                // The settings were replaced. The new ones may have windows or a lower threshold.
                break;
            }
            if word.failures() == failures
                || self.cas_word(word, word.with_failures(failures)).is_ok()
            {
                if let Some(locked) = &mut locked {
                    call.store_last_failure(locked);
                }
                return Recorded::Counted;
            }
        }
        self.record_locked(call)
    }

    /// Records a call in the windows, evaluates the rules, and opens the circuit if a rule is met.
    ///
    /// The rules are evaluated with the successes that were flushed from the buffer. If a rule is
    /// met, the buffer is closed. Successes that entered the buffer after the flush come before the
    /// call, and may keep the circuit closed, so the rules are evaluated again.
    #[inline(never)]
    fn record_locked(&self, call: &CompletedCall<'_>) -> Recorded {
        // Read before the lock is taken: the clock may be user code.
        let now = call.now.unwrap_or_else(|| self.context.clock.now());
        let sample = call.sample(now);
        let mut locked = self.locked.lock();
        if self.word().generation() != call.token.generation() {
            return Recorded::Late;
        }
        self.flush_buffer(&mut locked);
        let mut word = self.word();
        let closed = word.state() == State::Closed;
        let metrics_only = word.state() == State::MetricsOnly;
        if metrics_only {
            locked.evaluator().refresh(now, word.failures());
        }
        let recorded = if locked.record(&sample) {
            Recorded::CountedInWindows
        } else {
            Recorded::Counted
        };
        let failures = loop {
            // Other threads change the count in the word, and thereby whether this call trips.
            let failures = call.next_consecutive_failures(word.failures());
            let published = match call.trip_cause(&locked, &sample, failures) {
                Some(_) if closed && self.close_buffer(&mut locked, Some(&sample)) => {
                    Err(self.word())
                }
                Some(cause) if closed => {
                    let period = OpenPeriod::by_call(call.requested_open_duration());
                    self.trip_from(&mut locked, (word, failures), cause, period, now)
                }
                _ => {
                    let mut next = word.with_failures(failures);
                    if word.has(Flags::SLOW_PATH) && !self.needs_slow_path(locked.config()) {
                        // The listener that needed the durations may be gone.
                        next = next
                            .without(Flags::SLOW_PATH | Flags::TIMED)
                            .with(self.flags(locked.config()));
                    }
                    self.publish(&mut locked, word, next)
                }
            };
            match published {
                Ok(()) => break failures,
                Err(found) => word = found,
            }
        };
        call.store_last_failure(&mut locked);
        self.reopen_buffer(&mut locked, now);
        if metrics_only {
            let rules = locked.evaluator().newly_met(&sample, failures);
            let hint = call.requested_open_duration();
            let is_new = locked.is_new_hint(hint.is_some(), failures);
            drop(locked);
            self.emit_would_trip(rules, hint.filter(|_| is_new));
        }
        recorded
    }

    /// Returns `true` if a success must do more than be counted. Called under the lock, because new
    /// settings may have brought listeners.
    pub(super) fn needs_slow_path(&self, config: &BreakerConfig) -> bool {
        self.reports_calls(config)
            || self.has_overdue_events()
            // Ordering: see `track_cancellations`.
            || self.consecutive_cancellations.load(Ordering::Relaxed) > 0
    }

    fn emit_would_trip(&self, rules: Vec<RuleSnapshot>, hint: Option<Duration>) {
        let rules = rules.into_iter().map(Cause::Rule);
        for cause in rules.chain(hint.map(Cause::Asked)) {
            self.count_would_trip(cause);
        }
    }

    /// Counts and reports that a metrics-only circuit would have opened.
    pub(super) fn count_would_trip(&self, cause: Cause) {
        self.counters.add(Counter::WouldTrip);
        self.emit(|breaker| Event::WouldTrip { breaker, cause });
    }

    /// Records a trial of the half-open period, and closes or reopens the circuit if the trial
    /// decides the period.
    fn record_trial(&self, call: &CompletedCall<'_>) -> Recorded {
        let now = self.context.clock.now();
        let mut locked = self.locked.lock();
        let word = self.word();
        let trials = if word.generation() == call.token.generation() {
            word.trials().released()
        } else if word.state() == State::HalfOpen
            && locked.is_of_period(call.token.generation(), word.generation())
        {
            // The trial lost its slot when its lease expired; the outcome still counts.
            word.trials()
        } else {
            return Recorded::Late;
        };
        let failures = self.trial_failures.load(Ordering::Acquire);
        let failures = call.next_consecutive_failures(failures);
        let trial_result = if call.requested_open_duration().is_some() {
            TrialResult::Reopen
        } else if call.is_neutral() {
            TrialResult::Undecided(trials)
        } else if call.failed() || call.slow {
            trials.failed()
        } else {
            trials.succeeded()
        };
        call.store_last_failure(&mut locked);
        // Ordering: see `consistent_read`.
        self.trial_failures.store(failures, Ordering::Release);
        match trial_result {
            TrialResult::Undecided(trials) => {
                self.update_word(|word| word.with_trials(trials));
            }
            TrialResult::Close => {
                let state = call.config.mode().state_after_recovery();
                self.transition(&mut locked, state, Cause::TrialsSucceeded, now);
            }
            TrialResult::Reopen => {
                let hint = call.requested_open_duration();
                let cause = hint.map_or(Cause::TrialFailed, Cause::Asked);
                let period = OpenPeriod::by_call(hint);
                self.open(&mut locked, cause, period, now, |_| failures);
            }
        }
        Recorded::Counted
    }

    fn update_totals(&self, call: &CompletedCall<'_>, recorded: Recorded) {
        let counts = call.counter != Counter::Success || call.config.count_successes();
        if recorded == Recorded::Counted && counts {
            self.counters.add(call.counter);
        }
        if call.slow {
            self.counters.add(Counter::Slow);
        }
    }

    /// Counts a late call, which changes nothing in the present state. Only its hint still applies:
    /// for how long the dependency asked for no calls.
    fn record_late(&self, completion: Completion<'_>) {
        self.counters.add(Counter::Late);
        if let Completion::Returned(Outcome::TripFor(time), _) = completion {
            self.postpone(time);
        }
    }
}

impl Wanted {
    fn by(listeners: Listeners<'_>) -> Self {
        Self {
            event: listeners.wants_call_events(),
            record: listeners.has_recorders(),
        }
    }

    fn any(self) -> bool {
        self.event || self.record
    }
}

impl CompletedCall<'_> {
    /// Returns the call as the rules evaluate it, with `now` as its end.
    fn sample(&self, now: Moment) -> Sample {
        Sample {
            failed: self.failed(),
            ignored: self.outcome == Outcome::Ignored,
            elapsed: self.elapsed,
            now,
        }
    }

    #[inline]
    fn failed(&self) -> bool {
        self.counter == Counter::Failure
    }

    /// Returns the time for which the dependency asked for no calls, limited by the settings.
    fn requested_open_duration(&self) -> Option<Duration> {
        match self.outcome {
            Outcome::TripFor(time) => Some(time.min(self.config.max_trip_for())),
            _ => None,
        }
    }

    /// Returns `true` if the call concerns no rule. A slow cancelled call concerns slow-call rules.
    fn is_neutral(&self) -> bool {
        self.outcome == Outcome::Ignored && !(self.cancelled && self.slow)
    }

    /// Returns the consecutive failures after the call, given the `failures` before it.
    fn next_consecutive_failures(&self, failures: u32) -> u32 {
        match self.outcome {
            Outcome::Ignored => failures,
            Outcome::Success => 0,
            Outcome::Failure | Outcome::TripFor(_) => failures.saturating_add(1),
        }
    }

    /// Returns `true` if the call opens the circuit regardless of the windows: with a hint, or with
    /// `failures` consecutive failures.
    fn reaches_threshold(&self, failures: u32) -> bool {
        self.requested_open_duration().is_some()
            || self
                .config
                .failure_threshold()
                .is_some_and(|n| failures >= n)
    }

    /// Returns why the call opens a closed circuit, with `failures` consecutive failures. `None` if
    /// it does not.
    fn trip_cause(&self, locked: &Locked, sample: &Sample, failures: u32) -> Option<Cause> {
        match self.requested_open_duration() {
            Some(time) => Some(Cause::Asked(time)),
            None => locked.tripped(sample, failures).map(Cause::Rule),
        }
    }

    /// Stores the text of a failure, if the present settings still allow that.
    fn store_last_failure(&self, locked: &mut Locked) {
        if !self.failed() {
            return;
        }
        let present = &**locked.config();
        let allowed = ptr::eq(present, self.config)
            || present.capture_last_failure() && present.has_redaction_of(self.config);
        locked.store_last_failure(self.text.filter(|_| allowed));
    }
}

/// Writes the text of a failure to `buf`. Returns `None` if there is no error to describe.
fn failure_text<'a>(
    completion: Completion<'_>,
    elapsed: Option<Duration>,
    config: &BreakerConfig,
    buf: &'a mut Option<TruncatedString>,
) -> Option<&'a TruncatedString> {
    if let Completion::Returned(_, None) = completion {
        return None;
    }
    let text = buf.insert(TruncatedString::empty());
    match (completion, elapsed) {
        (Completion::Returned(_, error), _) => {
            let write = |error| config.write_failure(error, text);
            error.map(write);
        }
        (Completion::Panicked, _) => text.push("panicked"),
        (Completion::TimedOut(limit), _) => {
            text.push(format_args!("timed out after {}", HumanDuration(limit)));
        }
        (Completion::Cancelled | Completion::StreamDropped, Some(time)) => {
            text.push(format_args!("cancelled after {}", HumanDuration(time)));
        }
        (Completion::Cancelled | Completion::StreamDropped, None) => text.push("cancelled"),
    }
    Some(text)
}
