//! The model of a breaker: its current generation, and a log of everything that happened.

use crate::log::{self, Event, Figures};
use crate::ramp_up::RampUp;
use crate::settings::{Rule, Settings};
use crate::steps::{Command, Order};
use breakerbox::{Mode, Refusal, State};
use std::time::Duration;

/// A point in time. `None` is never reached.
type Deadline = Option<u64>;

pub struct Model {
    pub settings: Settings,
    pub now: u64,
    pub log: Vec<Event>,
    /// The state entered last. See [`reported_state`](Self::reported_state) for an expired open state.
    pub state: State,
    /// When `state` was entered.
    pub since: u64,
    /// Time windows are aligned to this time.
    pub origin: u64,
    pub deadline: Deadline,
    pub lease: Deadline,
    /// The trials that the current half-open period admits, and the successes that close the circuit.
    pub period: (u32, u32),
    /// Every admitted call. The other fields refer to calls by their position.
    pub calls: Vec<Call>,
    /// Calls of the current generation in flight. In a half-open circuit, each holds a slot.
    pub current_calls: Vec<usize>,
    /// Trials of the current half-open period whose lease lapsed.
    pub lapsed_trials: Vec<usize>,
    /// Whether a late call may extend the deadline of the open circuit.
    pub extendable: bool,
    /// When the open circuit would half-open without orders. `None` if only an order opened it.
    pub own_deadline: Option<Deadline>,
    /// The latest deadline of the open circuit that a hint or a command asked for.
    pub asked_deadline: Option<Deadline>,
    /// What made the current state. Known for open and disabled circuits.
    author: Author,
    /// A metrics-only circuit has reported a requested trip since the last success.
    pub request_reported: bool,
    pub rules: Vec<RuleState>,
    /// The ramp-up of a closed circuit, until a call finds that it is over.
    pub ramp_up: Option<RampUp>,
}

/// What made a state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Author {
    /// Its rules or its trials.
    Breaker,
    /// A command, or new settings.
    Command,
    /// An order of a fleet.
    Order,
}

#[derive(Clone, Copy)]
pub struct Call {
    pub began: u64,
    /// Whether a setting required the duration of calls when the call began.
    pub timed: bool,
}

/// A rule and its progress.
#[derive(Clone)]
pub struct RuleState {
    pub rule: Rule,
    /// The window contains no event before this position of the log.
    window_start: usize,
    /// A metrics-only circuit has reported that the rule is met, and the rule has been met since.
    pub reported: bool,
}

/// The refusal that a caller must receive.
pub struct Refused {
    pub reason: Refusal,
    pub retry_after: Option<Duration>,
}

impl Model {
    pub fn new(settings: &Settings, now: u64) -> Self {
        let fresh = |rule: &Rule| RuleState {
            rule: *rule,
            window_start: 0,
            reported: false,
        };
        Self {
            now,
            log: Vec::new(),
            state: initial_state(settings.mode),
            since: now,
            origin: now,
            deadline: None,
            lease: None,
            period: (0, 0),
            calls: Vec::new(),
            current_calls: Vec::new(),
            lapsed_trials: Vec::new(),
            extendable: false,
            own_deadline: None,
            asked_deadline: None,
            author: Author::Breaker,
            request_reported: false,
            ramp_up: None,
            rules: settings.rules.iter().map(fresh).collect(),
            settings: settings.clone(),
        }
    }

    pub fn call(&self, call: usize) -> Call {
        self.calls[call]
    }

    fn has_reached(&self, deadline: Deadline) -> bool {
        deadline.is_some_and(|at| self.now >= at)
    }

    fn after(&self, time: Duration) -> Deadline {
        let at = u128::from(self.now) + time.as_nanos();
        u64::try_from(at).ok().filter(|at| *at < u64::MAX)
    }

    fn until(&self, deadline: Deadline) -> Duration {
        deadline.map_or(Duration::MAX, |at| {
            Duration::from_nanos(at.saturating_sub(self.now))
        })
    }

    /// Returns the state that a caller sees. An open circuit is half-open after its deadline.
    pub fn reported_state(&self) -> State {
        match self.state {
            State::Open if self.has_reached(self.deadline) => State::HalfOpen,
            state => state,
        }
    }

    pub fn open_remaining(&self) -> Option<Duration> {
        (self.reported_state() == State::Open).then(|| self.until(self.deadline))
    }

    pub fn trials_in_flight(&self) -> usize {
        self.current_calls.len()
    }

    pub fn rules(&self) -> impl Iterator<Item = (&Rule, Figures)> {
        self.rules
            .iter()
            .map(|state| (&state.rule, self.figures(state)))
    }

    pub fn figures(&self, state: &RuleState) -> Figures {
        log::figures(
            &self.log,
            state.window_start,
            &state.rule,
            self.now,
            self.origin,
        )
    }

    /// Admits or refuses a call, and counts a refusal. Returns the number of an admitted call.
    pub fn begin(&mut self) -> Result<usize, Refused> {
        let begun = self.begin_uncounted();
        if begun.is_err() {
            self.log.push(Event::Refused);
        }
        begun
    }

    /// Admits or refuses a call like [`begin`](Self::begin), but does not count a refusal.
    pub fn begin_uncounted(&mut self) -> Result<usize, Refused> {
        match self.reported_state() {
            State::Open => return Err(self.refuse(Refusal::Open)),
            State::ForcedOpen => return Err(self.refuse(Refusal::Forced)),
            State::HalfOpen => self.begin_trial()?,
            _ => self.begin_ramping_up()?,
        }
        let timed = self.settings.cancelled_after.is_some()
            || self
                .settings
                .rules
                .iter()
                .any(|rule| rule.slower_than.is_some());
        self.calls.push(Call {
            // As in the library: the last nanosecond stands for a time that is never reached.
            began: self.now.min(u64::MAX - 1),
            timed,
        });
        self.current_calls.push(self.calls.len() - 1);
        Ok(self.calls.len() - 1)
    }

    /// Decides a call of a closed circuit that ramps up, if it does.
    fn begin_ramping_up(&mut self) -> Result<(), Refused> {
        let Some(ramp_up) = &mut self.ramp_up else {
            return Ok(());
        };
        let Some(share) = ramp_up.share(self.now) else {
            self.ramp_up = None;
            self.log.push(Event::RampingUp(1.0));
            return Ok(());
        };
        let decision = ramp_up.decide(self.now);
        if decision.begins_part {
            self.log.push(Event::RampingUp(share));
        }
        if !decision.is_admitted {
            return Err(self.refuse(Refusal::RampingUp));
        }
        Ok(())
    }

    fn begin_trial(&mut self) -> Result<(), Refused> {
        if self.state == State::Open {
            self.enter(State::HalfOpen);
        }
        if self.lease_has_expired() {
            let trials = u32::try_from(self.current_calls.len()).unwrap();
            self.log.push(Event::LeaseLapsed(trials));
            self.lapsed_trials.append(&mut self.current_calls);
        }
        if !self.has_free_slot() {
            return Err(self.refuse(Refusal::TrialsTaken));
        }
        let least = Duration::from_secs(30);
        let timeout = self.settings.trial_timeout;
        self.lease = self.after(timeout.unwrap_or(self.settings.recovery.first.max(least)));
        Ok(())
    }

    /// Returns whether a call that begins now would be refused.
    pub fn would_refuse(&self) -> bool {
        match self.reported_state() {
            State::Open | State::ForcedOpen => true,
            State::HalfOpen => {
                self.state == State::HalfOpen && !self.lease_has_expired() && !self.has_free_slot()
            }
            _ => false,
        }
    }

    fn lease_has_expired(&self) -> bool {
        !self.current_calls.is_empty() && self.has_reached(self.lease)
    }

    fn has_free_slot(&self) -> bool {
        let (succeeded, failed) = log::trial_results(&self.log);
        self.current_calls.len() < (self.period.0 - succeeded - failed) as usize
    }

    fn refuse(&self, reason: Refusal) -> Refused {
        let retry_after = match reason {
            Refusal::Open => Some(self.until(self.deadline)),
            Refusal::TrialsTaken => Some(self.until(self.lease)),
            Refusal::RampingUp => self.ramp_up.as_ref().map(RampUp::retry_after),
            _ => None,
        };
        Refused {
            reason,
            retry_after,
        }
    }

    /// Returns the attempt from which the backoff continues, or `None` if it starts over.
    pub fn attempt(&self) -> Option<u32> {
        let (attempt, recovered) = log::attempt(&self.log)?;
        let settings = &self.settings;
        let delay = settings.recovery.delay(attempt);
        let limit = settings.reset_backoff_after.unwrap_or(delay);
        let expired = |at| Duration::from_nanos(self.now - at) >= limit;
        (!recovered.is_some_and(expired)).then_some(attempt)
    }

    /// Opens the circuit for the requested time, but not for less than the backoff of a repeated
    /// attempt.
    pub fn open(&mut self, requested: Option<Duration>) {
        let attempt = self.attempt().map_or(0, |attempt| attempt + 1);
        let delay = self.settings.recovery.delay(attempt);
        let time = match requested {
            None => delay,
            Some(time) if attempt == 0 => time,
            Some(time) => time.max(delay),
        };
        self.extendable = true;
        self.open_for(time, attempt);
        self.asked_deadline = requested.map(|_| self.deadline);
    }

    fn open_for(&mut self, time: Duration, attempt: u32) {
        self.deadline = self.after(time);
        self.own_deadline = Some(self.deadline);
        self.asked_deadline = None;
        self.log.push(Event::Opened(attempt));
        self.enter(State::Open);
    }

    /// Applies the trip that a late call requested: extends the deadline of an open circuit.
    pub fn extend_deadline(&mut self, requested: Duration) {
        let extended = self.after(requested.min(self.settings.max_trip_for));
        let time = |deadline: Deadline| deadline.unwrap_or(u64::MAX);
        if self.reported_state() != State::Open || !self.extendable {
            return;
        }
        let later = |one: Deadline| {
            if time(one) > time(extended) {
                one
            } else {
                extended
            }
        };
        if time(extended) > time(self.deadline) {
            self.deadline = extended;
        }
        self.own_deadline = Some(self.own_deadline.map_or(extended, later));
        self.asked_deadline = Some(self.asked_deadline.map_or(extended, later));
    }

    /// Executes an order of a fleet. Returns `false` if the state takes no such order.
    pub fn order(&mut self, order: Order) -> bool {
        match (order, self.reported_state()) {
            (Order::OpenFor(time, attempt), State::Closed | State::HalfOpen) => {
                self.half_open_at_deadline();
                self.extendable = true;
                self.open_for(time, attempt);
                self.own_deadline = None;
            }
            (Order::OpenFor(..), State::MetricsOnly) => {
                self.log.push(Event::WouldTrip);
                return false;
            }
            (Order::Extend(time), State::Open) => self.deadline = self.after(time),
            (Order::Try, _) if self.state == State::Open => self.enter(State::HalfOpen),
            (Order::Close, State::Open | State::HalfOpen) => {
                self.half_open_at_deadline();
                self.recover();
            }
            (Order::Disable, State::Closed | State::Open | State::HalfOpen) => {
                self.enter_by_command(State::Disabled);
                self.author = Author::Order;
            }
            (Order::Enable, State::Disabled) if self.author == Author::Order => {
                self.enter_by_command(initial_state(self.settings.mode));
            }
            _ => return false,
        }
        true
    }

    /// Enters the half-open state, if the circuit is open past its deadline.
    fn half_open_at_deadline(&mut self) {
        if self.state == State::Open && self.reported_state() == State::HalfOpen {
            self.enter(State::HalfOpen);
        }
    }

    /// A command is the cause of the deadline now.
    fn take_over_deadline(&mut self) {
        self.own_deadline = Some(self.deadline);
        self.asked_deadline = Some(self.deadline);
    }

    /// Returns whether `call` is a trial of the current half-open period.
    pub fn is_current_trial(&self, call: usize) -> bool {
        self.state == State::HalfOpen && self.is_current(call)
    }

    /// Enters a state because of a command or of new settings.
    fn enter_by_command(&mut self, state: State) {
        self.log.push(Event::BackoffReset);
        self.enter(state);
    }

    pub fn enter(&mut self, state: State) {
        self.state = state;
        self.since = self.now;
        self.author = Author::Breaker;
        self.ramp_up = None;
        self.start_generation();
        match state {
            State::Open => {}
            State::HalfOpen => {
                let calls = self.settings.half_open_calls;
                self.period = (calls, self.settings.success_threshold.unwrap_or(calls));
                self.log.push(Event::HalfOpenEntered);
            }
            _ => self.log.push(Event::FailuresReset),
        }
    }

    /// Starts a generation: all calls in flight are late from now on, and all windows are empty.
    fn start_generation(&mut self) {
        self.current_calls.clear();
        self.lapsed_trials.clear();
        self.request_reported = false;
        for state in &mut self.rules {
            (state.window_start, state.reported) = (self.log.len(), false);
        }
    }

    /// Enters `state`, unless it is the current state.
    fn enter_unless_current(&mut self, state: State) {
        if self.state != state {
            self.enter_by_command(state);
        }
        self.author = Author::Command;
    }

    pub fn command(&mut self, command: Command) {
        match command {
            // A command without a reason takes over only from an earlier command.
            Command::Trip if self.reported_state() == State::Open => {
                if self.author == Author::Command {
                    self.take_over_deadline();
                }
            }
            Command::TripFor(time) if self.reported_state() == State::Open => {
                self.extendable = false;
                self.deadline = self.after(time);
                self.author = Author::Command;
                self.take_over_deadline();
            }
            Command::Trip => {
                self.open(None);
                self.author = Author::Command;
                self.take_over_deadline();
            }
            Command::TripFor(time) => {
                self.extendable = false;
                self.open_for(time, self.attempt().unwrap_or(0));
                self.author = Author::Command;
                self.take_over_deadline();
            }
            Command::HalfOpen if self.reported_state() == State::HalfOpen => {}
            Command::HalfOpen => self.enter_by_command(State::HalfOpen),
            Command::ForceOpen => self.enter_unless_current(State::ForcedOpen),
            Command::Disable => self.enter_unless_current(State::Disabled),
            Command::MetricsOnly => self.enter_unless_current(State::MetricsOnly),
            Command::Reset => {
                self.enter_unless_current(initial_state(self.settings.mode));
                self.ramp_up = None;
                self.start_generation();
                self.log.extend([Event::FailuresReset, Event::BackoffReset]);
            }
        }
    }

    pub fn configure(&mut self, settings: &Settings) {
        let old = std::mem::replace(&mut self.settings, settings.clone());
        let has_window_of = |state: &&RuleState, rule: &Rule| {
            state.rule.span == rule.span && state.rule.slower_than == rule.slower_than
        };
        let log_end = self.log.len();
        let carried = |rule: &Rule| RuleState {
            rule: *rule,
            window_start: self
                .rules
                .iter()
                .find(|old| has_window_of(old, rule))
                .map_or(log_end, |old| old.window_start),
            // A rule is reported, not its window: another threshold over the same window is new.
            reported: self
                .rules
                .iter()
                .any(|old| old.rule == *rule && old.reported),
        };
        self.rules = settings.rules.iter().map(carried).collect();
        if settings.ramp_up.is_none() {
            self.ramp_up = None;
        }
        if old.mode != settings.mode {
            self.enter_unless_current(initial_state(settings.mode));
        }
    }
}

/// Returns the state that a breaker has in `mode` at first and after a reset.
fn initial_state(mode: Mode) -> State {
    match mode {
        Mode::MetricsOnly => State::MetricsOnly,
        Mode::Disabled => State::Disabled,
        Mode::ForcedOpen => State::ForcedOpen,
        _ => State::Closed,
    }
}
