//! What people tell a breaker: the last word wins, from any state.

use super::counters::Count;
use super::locked::Locked;
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
            Action::HalfOpen if found == State::HalfOpen => restate(&mut locked, cause),
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
                    // The deadline is the command's now, not the rule's.
                    locked.set_cause(cause);
                } else {
                    restate(locked, cause);
                }
                return;
            }
            // By now it is half-open, as everybody who asks is told.
            self.transition(locked, State::HalfOpen, Cause::Recovering, now);
        }
        self.open(locked, cause, period, now, |word| match word.state() {
            State::HalfOpen => view.failures,
            _ => word.failures(),
        });
    }

    /// Enters a state that lasts until the next command, unless it is the present one.
    fn enter_sticky(&self, locked: &mut Locked, state: State, cause: Cause, now: Moment) {
        if self.word().state() == state {
            restate(locked, cause);
        } else {
            self.transition(locked, state, cause, now);
        }
    }

    fn reset(&self, locked: &mut Locked, cause: Cause, now: Moment) {
        locked.clear_attempt();
        locked.clear_last_failure();
        // Relaxed: a hint for people.
        self.consecutive_cancellations.store(0, Ordering::Relaxed);
        let rest = locked.config().mode().initial_state();
        if self.word().state() == rest {
            locked.clear_windows();
            let buffering = Flags::BUFFER_SUCCESSES.when(locked.config().has_windows());
            self.update_word(|word| {
                word.next_generation()
                    .with_failures(0)
                    .with(Flags::SLOW_PATH | buffering)
            });
            restate(locked, cause);
        } else {
            self.transition(locked, rest, cause, now);
        }
    }

    /// Gives a live breaker new settings, if `predicate`: state, counts, generation and a running
    /// deadline stay. Returns the old settings. `predicate` gets these, and is called under the lock:
    /// nothing but our own code.
    ///
    /// The old settings hold user values, whose `Drop` may take its time. The caller drops them
    /// when everything else is done.
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
        // The same settings as `old`, which keeps them.
        drop(self.config.swap(config.clone()));
        let described = config.settings.describe.is(&old.settings.describe);
        if !config.capture_last_failure() || !described {
            // Kept by rules that no longer hold: it may be what nobody should see any more.
            locked.clear_last_failure();
        }
        // Busy: the next success finds out whether there is more to do.
        let buffering = Flags::BUFFER_SUCCESSES.when(locked.wants_successes());
        let flags = self.flags(config) | Flags::SLOW_PATH | buffering;
        self.update_word(|word| word.with_flags(flags));
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

    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.context.clock.now();
        let mut locked = self.locked.lock();
        self.flush_buffer(&mut locked);
        let view = self.consistent_read();
        let state = view.state(now);
        let open = view.word.state() == State::Open && state == State::Open;
        let trials = (state == State::HalfOpen && view.word.state() == State::HalfOpen)
            .then(|| u32::from(view.word.trials().in_flight));
        let snapshot = Snapshot {
            name: self.name.clone(),
            state,
            since: if state == view.word.state() {
                now.since(locked.since)
            } else {
                // Half-open by time alone, since its deadline.
                now.since(view.deadline)
            },
            cause: locked.cause().cloned(),
            failure_count: view.failures,
            last_failure: locked
                .last_failure()
                .filter(|_| view.failures > 0)
                .map(Arc::from),
            open_remaining: open.then(|| now.until(view.deadline)),
            attempt: locked.attempt(view.word.state(), now).unwrap_or(0),
            totals: self.totals_with(&locked),
            in_flight: trials.or_else(|| {
                let timed = locked.config().slower_than().is_some();
                timed.then(|| self.counters.present(Count::InFlight))
            }),
            rules: locked.rules(now, view.failures),
        };
        drop(locked);
        snapshot
    }
}

/// Replaces the reason and the actor when a command finds the circuit in the state that it asks
/// for. What is no command keeps its place as the cause, unless the command has something to say.
fn restate(locked: &mut Locked, cause: Cause) {
    let silent = Cause::Manual {
        reason: None,
        actor: None,
    };
    if cause != silent || matches!(locked.cause(), Some(Cause::Manual { .. })) {
        locked.set_cause(cause);
    }
}
