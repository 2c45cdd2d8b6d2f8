//! The model: what DESIGN says a breaker does, from a list of everything that ever happened.

use crate::record::{self, Event, Figures};
use crate::settings::{Rule, Settings};
use crate::steps::Command;
use breakerbox::{Mode, Refusal, State};
use std::time::Duration;

/// A point in time; `None` is one that never comes.
type Deadline = Option<u64>;

pub struct Model {
    pub settings: Settings,
    pub now: u64,
    pub log: Vec<Event>,
    /// What was entered last; an open one is half-open once its time has come.
    pub state: State,
    /// When it was entered.
    pub since: u64,
    pub origin: u64,
    pub deadline: Deadline,
    pub lease: Deadline,
    /// Trials, and successes among them, that the present half-open period allows and wants.
    pub period: (u32, u32),
    pub calls: Vec<Call>,
    /// The calls that still have a say; of a half-open circuit, those that hold a slot.
    pub live: Vec<usize>,
    /// Trials of the present half-open period whose lease lapsed.
    pub lapsed: Vec<usize>,
    /// The deadline of the open circuit may be moved by a hint.
    pub follows_hints: bool,
    /// A watching breaker has told of a hint, and no success has come since.
    pub hinted: bool,
    pub rules: Vec<Watched>,
}

#[derive(Clone, Copy)]
pub struct Call {
    pub began: u64,
    /// Something asked how long calls take when it began.
    pub timed: bool,
}

#[derive(Clone)]
pub struct Watched {
    pub rule: Rule,
    /// What happened before this place of the log is not in its window.
    since: usize,
    /// A watching breaker has told that it holds, and it has held ever since.
    pub told: bool,
}

pub struct Refused {
    pub reason: Refusal,
    pub retry_after: Option<Duration>,
}

impl Model {
    pub fn new(settings: &Settings, now: u64) -> Self {
        let watched = |rule: &Rule| Watched {
            rule: *rule,
            since: 0,
            told: false,
        };
        Self {
            now,
            log: Vec::new(),
            state: rest(settings.mode),
            since: now,
            origin: now,
            deadline: None,
            lease: None,
            period: (0, 0),
            calls: Vec::new(),
            live: Vec::new(),
            lapsed: Vec::new(),
            follows_hints: false,
            hinted: false,
            rules: settings.rules.iter().map(watched).collect(),
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

    pub fn shown(&self) -> State {
        match self.state {
            State::Open if self.has_reached(self.deadline) => State::HalfOpen,
            state => state,
        }
    }

    pub fn open_remaining(&self) -> Option<Duration> {
        (self.shown() == State::Open).then(|| self.until(self.deadline))
    }

    pub fn live(&self) -> usize {
        self.live.len()
    }

    pub fn rules(&self) -> impl Iterator<Item = (&Rule, Figures)> {
        self.rules
            .iter()
            .map(|watched| (&watched.rule, self.figures(watched)))
    }

    pub fn figures(&self, watched: &Watched) -> Figures {
        record::figures(
            &self.log,
            watched.since,
            &watched.rule,
            self.now,
            self.origin,
        )
    }

    pub fn begin(&mut self) -> Result<usize, Refused> {
        match self.shown() {
            State::Open => return Err(self.refuse(Refusal::Open)),
            State::ForcedOpen => return Err(self.refuse(Refusal::Forced)),
            State::HalfOpen => self.begin_trial()?,
            _ => {}
        }
        let timed = self.settings.cancelled_after.is_some()
            || self
                .settings
                .rules
                .iter()
                .any(|rule| rule.slower_than.is_some());
        self.calls.push(Call {
            // The end of time is no beginning.
            began: self.now.min(u64::MAX - 1),
            timed,
        });
        self.live.push(self.calls.len() - 1);
        Ok(self.calls.len() - 1)
    }

    fn begin_trial(&mut self) -> Result<(), Refused> {
        if self.state == State::Open {
            self.enter(State::HalfOpen);
        }
        if self.lapses() {
            let trials = u32::try_from(self.live.len()).unwrap();
            self.log.push(Event::Lapsed(trials));
            self.lapsed.append(&mut self.live);
        }
        if !self.has_slot() {
            return Err(self.refuse(Refusal::TrialsTaken));
        }
        let least = Duration::from_secs(30);
        let timeout = self.settings.trial_timeout;
        self.lease = self.after(timeout.unwrap_or(self.settings.recovery.first.max(least)));
        Ok(())
    }

    /// Whether a call that asked now would be refused.
    pub fn refuses(&self) -> bool {
        match self.shown() {
            State::Open | State::ForcedOpen => true,
            State::HalfOpen => self.state == State::HalfOpen && !self.lapses() && !self.has_slot(),
            _ => false,
        }
    }

    fn lapses(&self) -> bool {
        !self.live.is_empty() && self.has_reached(self.lease)
    }

    fn has_slot(&self) -> bool {
        let (good, bad) = record::trials(&self.log);
        self.live.len() < (self.period.0 - good - bad) as usize
    }

    fn refuse(&mut self, reason: Refusal) -> Refused {
        self.log.push(Event::Refused);
        let retry_after = match reason {
            Refusal::Open => Some(self.until(self.deadline)),
            Refusal::TrialsTaken => Some(self.until(self.lease)),
            _ => None,
        };
        Refused {
            reason,
            retry_after,
        }
    }

    /// The attempt from which the backoff continues.
    pub fn attempt(&self) -> Option<u32> {
        let (attempt, recovered) = record::attempt(&self.log)?;
        let settings = &self.settings;
        let delay = settings.recovery.delay(attempt);
        let limit = settings.reset_backoff_after.unwrap_or(delay);
        let over = |at| Duration::from_nanos(self.now - at) >= limit;
        (!recovered.is_some_and(over)).then_some(attempt)
    }

    /// Opens for as long as the dependency asked for, or as the backoff says.
    pub fn open(&mut self, hint: Option<Duration>) {
        let attempt = self.attempt().map_or(0, |attempt| attempt + 1);
        let delay = self.settings.recovery.delay(attempt);
        let time = match hint {
            None => delay,
            Some(hint) if attempt == 0 => hint,
            Some(hint) => hint.max(delay),
        };
        self.follows_hints = true;
        self.open_for(time, attempt);
    }

    fn open_for(&mut self, time: Duration, attempt: u32) {
        self.deadline = self.after(time);
        self.log.push(Event::Opened(attempt));
        self.enter(State::Open);
    }

    /// A late call asks to be left alone.
    pub fn postpone(&mut self, hint: Duration) {
        let asked = self.after(hint.min(self.settings.max_trip_for));
        let later = |at: Deadline| at.unwrap_or(u64::MAX);
        if self.shown() == State::Open && self.follows_hints && later(asked) > later(self.deadline)
        {
            self.deadline = asked;
        }
    }

    /// Whether `call` is a trial of the present half-open period.
    pub fn is_trial(&self, call: usize) -> bool {
        self.state == State::HalfOpen && self.has_a_say(call)
    }

    /// Enters a state by a command or by other settings.
    fn enter_anew(&mut self, state: State) {
        self.log.push(Event::BackoffAnew);
        self.enter(state);
    }

    pub fn enter(&mut self, state: State) {
        self.state = state;
        self.since = self.now;
        self.begin_anew();
        match state {
            State::Open => {}
            State::HalfOpen => {
                let calls = self.settings.half_open_calls;
                self.period = (calls, self.settings.success_threshold.unwrap_or(calls));
                self.log.push(Event::Trials);
            }
            _ => self.log.push(Event::NothingFailed),
        }
    }

    /// No call in flight has a say, and no window holds any.
    fn begin_anew(&mut self) {
        self.live.clear();
        self.lapsed.clear();
        self.hinted = false;
        for watched in &mut self.rules {
            (watched.since, watched.told) = (self.log.len(), false);
        }
    }

    /// Enters a state, unless it is the present one.
    fn rest_in(&mut self, state: State) {
        if self.state != state {
            self.enter_anew(state);
        }
    }

    pub fn command(&mut self, command: Command) {
        match command {
            Command::Trip if self.shown() == State::Open => {}
            Command::TripFor(time) if self.shown() == State::Open => {
                self.follows_hints = false;
                self.deadline = self.after(time);
            }
            Command::Trip => self.open(None),
            Command::TripFor(time) => {
                self.follows_hints = false;
                self.open_for(time, self.attempt().unwrap_or(0));
            }
            Command::HalfOpen if self.shown() == State::HalfOpen => {}
            Command::HalfOpen => self.enter_anew(State::HalfOpen),
            Command::ForceOpen => self.rest_in(State::ForcedOpen),
            Command::Disable => self.rest_in(State::Disabled),
            Command::MetricsOnly => self.rest_in(State::MetricsOnly),
            Command::Reset => {
                self.rest_in(rest(self.settings.mode));
                self.begin_anew();
                self.log.extend([Event::NothingFailed, Event::BackoffAnew]);
            }
        }
    }

    pub fn configure(&mut self, settings: &Settings) {
        let old = std::mem::replace(&mut self.settings, settings.clone());
        let same = |watched: &&Watched, rule: &Rule| {
            watched.rule.span == rule.span && watched.rule.slower_than == rule.slower_than
        };
        let fresh = self.log.len();
        let carried = |rule: &Rule| Watched {
            rule: *rule,
            since: self
                .rules
                .iter()
                .find(|old| same(old, rule))
                .map_or(fresh, |old| old.since),
            // It was the rule that was told of, not its window.
            told: self.rules.iter().any(|old| old.rule == *rule && old.told),
        };
        self.rules = settings.rules.iter().map(carried).collect();
        if old.mode != settings.mode {
            self.rest_in(rest(settings.mode));
        }
    }
}

fn rest(mode: Mode) -> State {
    match mode {
        Mode::MetricsOnly => State::MetricsOnly,
        Mode::Disabled => State::Disabled,
        Mode::ForcedOpen => State::ForcedOpen,
        _ => State::Closed,
    }
}
