//! Commands and new settings. A command works in every state, and the last command wins.

use super::locked::Locked;
#[cfg(feature = "fleet")]
use super::pending_changes::PendingChange;
use super::shell::Circuit;
use super::transition::OpenPeriod;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::state::{Flags, State};
use crate::sync::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// The effect of a command.
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
    /// Executes a command, with `cause` as the cause of the new state.
    ///
    /// # Errors
    ///
    /// If a state is `expected` and the circuit is in another state, returns that state and changes
    /// nothing.
    pub(crate) fn command(
        &self,
        action: Action,
        cause: Cause,
        expected: Option<State>,
    ) -> Result<(), State> {
        // Read before the lock is taken: the clock may be user code.
        let now = self.context.clock.now();
        let mut locked = self.locked.lock();
        let found = self.consistent_read().state(now);
        if expected.is_some_and(|expected| expected != found) {
            return Err(found);
        }
        self.close_buffer(&mut locked, None);
        match action {
            Action::Trip => self.trip(&mut locked, OpenPeriod::Backoff, cause, now),
            Action::TripFor(time) => {
                self.trip(&mut locked, OpenPeriod::Command(time), cause, now);
            }
            Action::HalfOpen if found == State::HalfOpen => replace_cause(&mut locked, cause),
            Action::HalfOpen => self.transition(&mut locked, State::HalfOpen, cause, now),
            Action::ForceOpen => self.enter_sticky(&mut locked, State::ForcedOpen, cause, now),
            Action::Disable => self.enter_sticky(&mut locked, State::Disabled, cause, now),
            Action::MetricsOnly => self.enter_sticky(&mut locked, State::MetricsOnly, cause, now),
            Action::Reset => self.reset(&mut locked, cause, now),
        }
        drop(locked);
        self.wake_next();
        self.flush_events();
        Ok(())
    }

    fn trip(&self, locked: &mut Locked, period: OpenPeriod, cause: Cause, now: Moment) {
        let view = self.consistent_read();
        if view.word.state() == State::Open {
            if !now.has_reached(view.deadline) {
                if let OpenPeriod::Command(time) = period {
                    locked.ignore_hints();
                    self.set_deadline(now.after(time));
                    // The earlier cause no longer explains the deadline, which now comes from the
                    // command.
                    locked.set_cause(cause);
                } else {
                    replace_cause(locked, cause);
                }
                #[cfg(feature = "fleet")]
                self.take_over_deadline(locked);
                return;
            }
            // The deadline has passed, so the circuit already reports half-open. That transition is
            // made before the circuit opens again.
            self.transition(locked, State::HalfOpen, Cause::Recovering, now);
        }
        self.open(locked, cause, period, now, |word| match word.state() {
            State::HalfOpen => view.failures,
            _ => word.failures(),
        });
    }

    /// Enters a state that lasts until the next command, unless the circuit is already in that
    /// state.
    fn enter_sticky(&self, locked: &mut Locked, state: State, cause: Cause, now: Moment) {
        if self.word().state() == state {
            take_over_cause(locked, cause);
        } else {
            self.transition(locked, state, cause, now);
        }
    }

    fn reset(&self, locked: &mut Locked, cause: Cause, now: Moment) {
        locked.clear_attempt();
        locked.clear_last_failure();
        // Ordering: `Relaxed`, because the count only decides when an event is sent.
        self.consecutive_cancellations.store(0, Ordering::Relaxed);
        let initial = locked.config().mode().initial_state();
        if self.word().state() == initial {
            locked.clear_windows();
            #[cfg(feature = "fleet")]
            locked.change_mark();
            let buffering = Flags::BUFFER_SUCCESSES.when(locked.config().has_windows());
            self.update_word(|word| {
                word.next_generation()
                    .with_failures(0)
                    .without(Flags::RAMPING_UP)
                    .with(Flags::SLOW_PATH | buffering)
            });
            take_over_cause(locked, cause);
        } else {
            self.transition(locked, initial, cause, now);
        }
    }

    /// Replaces the settings by equal settings from other layers, if `predicate` holds for the
    /// present settings. Returns the old settings, like [`reconfigure_if`](Self::reconfigure_if).
    #[must_use]
    pub(crate) fn replace_layers_if(
        &self,
        config: &Arc<BreakerConfig>,
        predicate: impl FnOnce(&Arc<BreakerConfig>) -> bool,
    ) -> Option<Arc<BreakerConfig>> {
        let mut locked = self.locked.lock();
        if !predicate(locked.config()) {
            return None;
        }
        let old = locked.reconfigure(config);
        // Frees nothing under the lock: `old` refers to the same settings.
        drop(self.config.swap(config.clone()));
        Some(old)
    }

    /// Replaces the settings if `predicate` holds for the present settings. Returns the old
    /// settings.
    ///
    /// State, counts, generation and a running deadline are kept. `predicate` is called under the
    /// lock, so it must not call user code. The caller drops the old settings last, because they
    /// may contain user values whose `Drop` takes time or panics.
    #[must_use]
    pub(crate) fn reconfigure_if(
        &self,
        config: &Arc<BreakerConfig>,
        predicate: impl FnOnce(&Arc<BreakerConfig>) -> bool,
    ) -> Option<Arc<BreakerConfig>> {
        let now = self.context.clock.now();
        let mut locked = self.locked.lock();
        if !predicate(locked.config()) {
            return None;
        }
        self.close_buffer(&mut locked, None);
        let old = locked.reconfigure(config);
        // Frees nothing under the lock: `old` refers to the same settings.
        drop(self.config.swap(config.clone()));
        let described = config.has_redaction_of(&old);
        if !config.capture_last_failure() || !described {
            // The text was captured under the old settings. The new ones may redact it.
            locked.clear_last_failure();
        }
        // The next success takes the slow path, which clears the flag if nothing needs it.
        let buffering = Flags::BUFFER_SUCCESSES.when(locked.wants_successes());
        let flags = self.flags(config) | Flags::SLOW_PATH | buffering;
        let may_ramp_up = config.ramp_up().is_some();
        self.update_word(|word| {
            let ramping_up = may_ramp_up && word.has(Flags::RAMPING_UP);
            word.with_flags(flags | Flags::RAMPING_UP.when(ramping_up))
        });
        #[cfg(feature = "fleet")]
        if old.fleet() != config.fleet() {
            self.queue_change(&mut locked, PendingChange::Share);
        }
        if old.mode() != config.mode() {
            self.enter_sticky(
                &mut locked,
                config.mode().initial_state(),
                Cause::Configured,
                now,
            );
        }
        drop(locked);
        self.wake_next();
        self.flush_events();
        self.emit(|breaker| Event::Configured { breaker });
        Some(old)
    }
}

/// Makes a command the cause of a state that the circuit was already in.
fn take_over_cause(locked: &mut Locked, cause: Cause) {
    #[cfg(feature = "fleet")]
    if locked.is_by_fleet() {
        // A fleet only undoes states that it has caused itself.
        locked.set_cause(cause);
        return;
    }
    replace_cause(locked, cause);
}

/// Replaces the cause, for a command that finds the circuit already in the requested state.
///
/// A command without a reason and an actor replaces only the cause of an earlier command.
fn replace_cause(locked: &mut Locked, cause: Cause) {
    let silent = Cause::Manual {
        reason: None,
        actor: None,
    };
    if cause != silent || matches!(locked.cause(), Some(Cause::Manual { .. })) {
        locked.set_cause(cause);
    }
}
