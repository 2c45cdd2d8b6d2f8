//! What people tell a breaker: the last word wins, from any state.

use super::control::Control;
use super::counters::Counter;
use super::shell::Circuit;
use super::transition::OpenPeriod;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::snapshot::Snapshot;
use crate::state::{Flags, State};
use crate::sync::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// What a command does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Trip,
    TripFor(Duration),
    HalfOpen,
    ForceOpen,
    Disable,
    MetricsOnly,
    Reset,
}

impl Circuit {
    /// Executes a command, which `cause` describes, if the state is the `expected` one. The error
    /// is the state that was found instead.
    pub(crate) fn command(
        &self,
        action: Action,
        cause: Cause,
        expected: Option<State>,
    ) -> Result<(), State> {
        let now = self.home.clock.now();
        let mut control = self.control.lock();
        let found = self.read().state(now);
        if expected.is_some_and(|expected| expected != found) {
            return Err(found);
        }
        self.close_buffer(&mut control);
        match action {
            Action::Trip => self.trip(&mut control, OpenPeriod::Backoff, cause, now),
            Action::TripFor(time) => {
                self.trip(&mut control, OpenPeriod::Command(time), cause, now);
            }
            Action::HalfOpen if found == State::HalfOpen => restate(&mut control, cause),
            Action::HalfOpen => self.enter(&mut control, State::HalfOpen, cause, now),
            Action::ForceOpen => self.rest(&mut control, State::ForcedOpen, cause, now),
            Action::Disable => self.rest(&mut control, State::Disabled, cause, now),
            Action::MetricsOnly => self.rest(&mut control, State::MetricsOnly, cause, now),
            Action::Reset => self.reset(&mut control, cause, now),
        }
        drop(control);
        self.call_next();
        self.deliver();
        Ok(())
    }

    fn trip(&self, control: &mut Control, period: OpenPeriod, cause: Cause, now: Moment) {
        let reading = self.read();
        if reading.word.state() == State::Open {
            if !now.has_reached(reading.deadline) {
                if let OpenPeriod::Command(time) = period {
                    control.ignore_hints();
                    self.set_deadline(now.after(time));
                    // The deadline is the command's now, not the rule's.
                    control.set_cause(cause);
                } else {
                    restate(control, cause);
                }
                return;
            }
            // By now it is half-open, as everybody who asks is told.
            self.enter(control, State::HalfOpen, Cause::Recovering, now);
        }
        self.open(control, cause, period, now, |word| match word.state() {
            State::HalfOpen => reading.failures,
            _ => word.failures(),
        });
    }

    /// Enters a state that lasts until the next command, unless it is the present one.
    fn rest(&self, control: &mut Control, state: State, cause: Cause, now: Moment) {
        if self.word().state() == state {
            restate(control, cause);
        } else {
            self.enter(control, state, cause, now);
        }
    }

    fn reset(&self, control: &mut Control, cause: Cause, now: Moment) {
        control.forget_attempts();
        control.forget_failure();
        // Relaxed: a hint for people.
        self.streak.store(0, Ordering::Relaxed);
        let rest = control.config().mode().initial_state();
        if self.word().state() == rest {
            control.clear_windows();
            let buffering = Flags::BUFFER_SUCCESSES.when(control.config().has_windows());
            self.replace_word(|word| {
                word.next_generation()
                    .with_failures(0)
                    .with(Flags::SLOW_PATH | buffering)
            });
            restate(control, cause);
        } else {
            self.enter(control, rest, cause, now);
        }
    }

    /// Gives a live breaker new settings, if `agreed`: state, counts, generation and a running
    /// deadline stay. Returns the old settings. `agreed` gets these, and is called under the lock:
    /// nothing but our own code.
    ///
    /// The old settings hold user values, whose `Drop` may take its time. The caller drops them
    /// when everything else is done.
    #[must_use]
    pub(crate) fn configure_if(
        &self,
        config: &Arc<BreakerConfig>,
        agreed: impl FnOnce(&Arc<BreakerConfig>) -> bool,
    ) -> Option<Arc<BreakerConfig>> {
        let now = self.home.clock.now();
        let mut control = self.control.lock();
        if !agreed(control.config()) {
            return None;
        }
        self.close_buffer(&mut control);
        let old = control.reconfigure(config);
        // The same settings as `old`, which keeps them.
        drop(self.config.swap(config.clone()));
        let described = config.settings.describe.is(&old.settings.describe);
        if !config.capture_last_failure() || !described {
            // Kept by rules that no longer hold: it may be what nobody should see any more.
            control.forget_failure();
        }
        // Busy: the next success finds out whether there is more to do.
        let buffering = Flags::BUFFER_SUCCESSES.when(control.wants_successes());
        let flags = self.flags(config) | Flags::SLOW_PATH | buffering;
        self.replace_word(|word| word.with_flags(flags));
        if old.mode() != config.mode() {
            self.rest(
                &mut control,
                config.mode().initial_state(),
                Cause::Configured,
                now,
            );
        }
        drop(control);
        self.call_next();
        self.deliver();
        self.emit(|breaker| Event::Configured { breaker });
        Some(old)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.home.clock.now();
        let mut control = self.control.lock();
        self.flush_buffer(&mut control);
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
            in_flight: trials.or_else(|| {
                let timed = control.config().slower_than().is_some();
                timed.then(|| self.counters.current(Counter::InFlight))
            }),
            rules: control.rules(now, reading.failures),
        };
        drop(control);
        snapshot
    }
}

/// Replaces the reason and the actor when a command finds the circuit in the state that it asks
/// for. What is no command keeps its place as the cause, unless the command has something to say.
fn restate(control: &mut Control, cause: Cause) {
    let silent = Cause::Manual {
        reason: None,
        actor: None,
    };
    if cause != silent || matches!(control.cause(), Some(Cause::Manual { .. })) {
        control.set_cause(cause);
    }
}
