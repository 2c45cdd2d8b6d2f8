//! What people tell a breaker: the last word wins, from any state.

use super::circuit::Circuit;
use super::control::{Control, Entry, Opening};
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::snapshot::Snapshot;
use crate::state::{Flags, State};
use crate::sync::Ordering;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(super) enum Command<'a> {
    Trip,
    TripFor(Duration),
    HalfOpen,
    ForceOpen(Option<&'a str>),
    Disable,
    MetricsOnly,
    Reset,
}

impl Circuit {
    pub(super) fn command(&self, command: Command<'_>) {
        let now = self.home.clock.now();
        let config = self.config.load();
        let heard = self.is_heard(&config);
        let mut control = self.control.lock();
        match command {
            Command::Trip => self.trip(&mut control, &config, None, heard, now),
            Command::TripFor(time) => self.trip(&mut control, &config, Some(time), heard, now),
            Command::HalfOpen => {
                let reading = self.read();
                if reading.state(now) != State::HalfOpen {
                    self.trial_failures
                        .store(reading.failures, Ordering::Release);
                    let entry = Entry::new(State::HalfOpen, 0, Opening::reason(None), heard);
                    self.enter(&mut control, &config, entry, now);
                }
            }
            Command::ForceOpen(reason) => {
                self.rest(&mut control, &config, State::ForcedOpen, reason, heard, now);
            }
            Command::Disable => {
                self.rest(&mut control, &config, State::Disabled, None, heard, now);
            }
            Command::MetricsOnly => {
                self.rest(&mut control, &config, State::MetricsOnly, None, heard, now);
            }
            Command::Reset => {
                control.attempt = 0;
                control.keep_failure(None);
                // Relaxed: a hint for people.
                self.streak.store(0, Ordering::Relaxed);
                let rest = config.mode().rest();
                if self.word().state() == rest {
                    control.ledger.clear();
                    let busy = heard || !control.ledger.is_sated();
                    let flags = config.flags() | Flags::BUSY.when(busy);
                    self.replace_word(|word| word.renewed().with_count(0).with_flags(flags));
                } else {
                    self.rest(&mut control, &config, rest, None, heard, now);
                }
            }
        }
        drop(control);
        self.call_next();
        self.deliver();
    }

    fn trip(
        &self,
        control: &mut Control,
        config: &BreakerConfig,
        time: Option<Duration>,
        heard: bool,
        now: Moment,
    ) {
        let reading = self.read();
        if reading.word.state() == State::Open {
            if !now.has_reached(reading.deadline) {
                if let Some(time) = time {
                    self.set_deadline(now.after(time));
                }
                return;
            }
            // By now it is half-open, as everybody who asks is told.
            self.half_open(control, config, heard, now);
        }
        let cause = Opening::reason(None);
        self.open(
            control,
            config,
            Opening::new(reading.failures, cause, time, heard),
            now,
        );
    }

    /// Enters a state that lasts until the next command, unless it is the present one.
    fn rest(
        &self,
        control: &mut Control,
        config: &BreakerConfig,
        state: State,
        reason: Option<&str>,
        heard: bool,
        now: Moment,
    ) {
        if self.word().state() != state {
            let entry = Entry::new(state, 0, Opening::reason(reason), heard);
            self.enter(control, config, entry, now);
        }
    }

    /// Gives a live breaker new settings: state, counts, generation and a running deadline stay.
    pub(super) fn configure(&self, config: &Arc<BreakerConfig>) {
        let now = self.home.clock.now();
        let heard = self.is_heard(config);
        let mut control = self.control.lock();
        let old = self.config.swap(config.clone());
        let ledger = control.ledger.reconfigured(config.trip_rules());
        control.ledger = ledger;
        if old.mode() == config.mode() {
            // A streak, or a window with failures in it, makes itself busy again when it moves;
            // until then the next success finds out whether there is more to do.
            let flags = config.flags() | Flags::BUSY;
            self.replace_word(|word| word.with_flags(flags));
        } else {
            let rest = config.mode().rest();
            if self.word().state() != rest {
                let entry = Entry::new(rest, 0, Cause::Configured, heard);
                self.enter(&mut control, config, entry, now);
            }
        }
        drop(control);
        // The old settings hold user closures: dropped outside the lock.
        drop(old);
        self.call_next();
        self.deliver();
        self.emit(|breaker| Event::Configured { breaker });
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let now = self.home.clock.now();
        let config = self.config.load();
        let control = self.control.lock();
        let reading = self.read();
        let state = reading.state(now);
        let open = reading.word.state() == State::Open && state == State::Open;
        let trials = (state == State::HalfOpen && reading.word.state() == State::HalfOpen)
            .then(|| u32::from(reading.word.trials().in_flight));
        let snapshot = Snapshot {
            name: self.name.clone(),
            state,
            since: if state == reading.word.state() {
                now.since(control.since)
            } else {
                // Half-open by time alone, since its deadline.
                now.since(reading.deadline)
            },
            cause: control.cause.as_deref().cloned(),
            failure_count: reading.failures,
            last_failure: control
                .last_failure()
                .filter(|_| reading.failures > 0)
                .map(Arc::from),
            open_remaining: open.then(|| now.until(reading.deadline)),
            attempt: control.attempt,
            totals: self.counters.totals(config.count_successes()),
            in_flight: trials,
            rules: control.ledger.snapshots(now, reading.failures),
        };
        drop(control);
        snapshot
    }
}
