//! What people tell a breaker: the last word wins, from any state.

use super::circuit::Circuit;
use super::control::Control;
use super::counters::Count;
use super::transition::OpenPeriod;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::snapshot::Snapshot;
use crate::state::{Flags, State};
use crate::sync::Ordering;
use crate::text::prefix;
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
        let mut control = self.control.lock();
        self.close_tally(&mut control);
        match command {
            Command::Trip => self.trip(&mut control, OpenPeriod::Backoff, now),
            Command::TripFor(time) => self.trip(&mut control, OpenPeriod::Command(time), now),
            Command::HalfOpen => {
                if self.read().state(now) != State::HalfOpen {
                    self.enter(&mut control, State::HalfOpen, manual(None), now);
                }
            }
            Command::ForceOpen(reason) => {
                self.rest(&mut control, State::ForcedOpen, manual(reason), now);
            }
            Command::Disable => self.rest(&mut control, State::Disabled, manual(None), now),
            Command::MetricsOnly => self.rest(&mut control, State::MetricsOnly, manual(None), now),
            Command::Reset => self.reset(&mut control, now),
        }
        drop(control);
        self.call_next();
        self.deliver();
    }

    fn trip(&self, control: &mut Control, period: OpenPeriod, now: Moment) {
        let reading = self.read();
        if reading.word.state() == State::Open {
            if !now.has_reached(reading.deadline) {
                if let OpenPeriod::Command(time) = period {
                    control.ignore_hints();
                    self.set_deadline(now.after(time));
                }
                return;
            }
            // By now it is half-open, as everybody who asks is told.
            self.enter(control, State::HalfOpen, Cause::Recovering, now);
        }
        self.open(control, manual(None), period, now, |word| {
            match word.state() {
                State::HalfOpen => reading.failures,
                _ => word.count(),
            }
        });
    }

    /// Enters a state that lasts until the next command, unless it is the present one.
    fn rest(&self, control: &mut Control, state: State, cause: Cause, now: Moment) {
        if self.word().state() != state {
            self.enter(control, state, cause, now);
        }
    }

    fn reset(&self, control: &mut Control, now: Moment) {
        control.forget_attempts();
        control.forget_failure();
        // Relaxed: a hint for people.
        self.streak.store(0, Ordering::Relaxed);
        let rest = control.config().mode().rest();
        if self.word().state() == rest {
            control.clear_windows();
            let tallying = Flags::TALLYING.when(control.config().has_windows());
            self.replace_word(|word| word.renewed().with_count(0).with(Flags::BUSY | tallying));
        } else {
            self.enter(control, rest, manual(None), now);
        }
    }

    /// Gives a live breaker new settings: state, counts, generation and a running deadline stay.
    pub(super) fn configure(&self, config: &Arc<BreakerConfig>) {
        self.configure_if(config, |_| true);
    }

    /// Does so if `agreed`, and tells whether it did. `agreed` gets the settings that would go, and
    /// is called under the lock: nothing but our own code.
    pub(crate) fn configure_if(
        &self,
        config: &Arc<BreakerConfig>,
        agreed: impl FnOnce(&Arc<BreakerConfig>) -> bool,
    ) -> bool {
        let now = self.home.clock.now();
        let mut control = self.control.lock();
        if !agreed(control.config()) {
            return false;
        }
        self.close_tally(&mut control);
        let old = control.reconfigure(config);
        let also_old = self.config.swap(config.clone());
        let described = config.settings.describe.is(&old.settings.describe);
        if !config.capture_last_failure() || !described {
            // Kept by rules that no longer hold: it may be what nobody should see any more.
            control.forget_failure();
        }
        // Busy: the next success finds out whether there is more to do.
        let tallying = Flags::TALLYING.when(control.wants_successes());
        let flags = self.flags(config) | Flags::BUSY | tallying;
        self.replace_word(|word| word.with_flags(flags));
        if old.mode() != config.mode() {
            self.rest(&mut control, config.mode().rest(), Cause::Configured, now);
        }
        drop(control);
        // The old settings hold user closures: dropped outside the lock.
        drop((old, also_old));
        self.call_next();
        self.deliver();
        self.emit(|breaker| Event::Configured { breaker });
        true
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.home.clock.now();
        let mut control = self.control.lock();
        self.fold_tally(&mut control);
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
            cause: control.cause().cloned(),
            failure_count: reading.failures,
            last_failure: control
                .last_failure()
                .filter(|_| reading.failures > 0)
                .map(Arc::from),
            open_remaining: open.then(|| now.until(reading.deadline)),
            attempt: control.attempt(reading.word.state(), now).unwrap_or(0),
            totals: self.totals_with(&control),
            in_flight: match control.config().slower_than() {
                Some(_) => Some(self.counters.present(Count::InFlight)),
                None => trials,
            },
            rules: control.rules(now, reading.failures),
        };
        drop(control);
        snapshot
    }
}

/// The most of a reason that is kept, in bytes.
const MOST_REASON: usize = 256;

fn manual(reason: Option<&str>) -> Cause {
    Cause::Manual {
        reason: reason.map(|text| prefix(text, MOST_REASON).into()),
    }
}
