//! Commands of operators: follows a command, or undoes it when it has ended.

use super::{Effect, Step, is_by_fleet, is_manual};
use crate::planner::commands::{KnownCommand, hold};
use crate::planner::context::Context;
use crate::planner::timing::{ENDLESS, FORCED_FOR, TOLERANCE, Time};
use crate::planner::track::{Obedience, Track};
use crate::protocol::Verb;
use breakerbox::fleet::{CauseKind, Order, View};
use breakerbox::{Cause, State};
use std::sync::Arc;
use std::time::Duration;

impl Track {
    /// Follows the command that counts for the circuit, or undoes an earlier one. Returns `None` if
    /// commands have nothing to say about the circuit as it is.
    pub(super) fn step_command(
        &mut self,
        name: &Arc<str>,
        view: &View,
        cx: &mut Context,
        now: Time,
    ) -> Option<Step> {
        let command = cx.commands.of(name, now).cloned();
        let follows = cx.settings.accept_commands && self.share.follows(u32::MAX) && !cx.leaving;
        let command = command.filter(|_| follows);
        self.obedience = match &command {
            None => Obedience::None,
            Some(known) if known.command.version <= self.overruled => Obedience::Overruled,
            Some(_) => Obedience::Follows,
        };
        let command = command.filter(|_| self.obedience == Obedience::Follows);
        let verb = command.as_ref().map(|known| known.command.verb);
        let is_local = view.state == State::Open && is_manual(view);
        match (view.state, command) {
            (State::Disabled, Some(known)) if is_ordered(view) && verb == Some(Verb::Disable) => {
                self.opened = None;
                self.leave();
                let rest = Step::Rest(Some(known.end));
                Some(self.withdraw(cx).unwrap_or(rest))
            }
            (State::Disabled, _) if is_ordered(view) => {
                Some(Step::Order(Order::Enable, own_cause(cx), Effect::Release))
            }
            // Local commands last. A circuit that one has opened takes no order until its deadline.
            (State::Open, _) if is_local => None,
            (State::Open, Some(known)) if verb == Some(Verb::ForceOpen) => {
                Some(self.keep_open(&known, view, cx, now))
            }
            (State::Closed | State::HalfOpen, Some(known)) if verb == Some(Verb::ForceOpen) => {
                self.yield_lease();
                let time = hold(known.end, cx.settings.grace, now);
                let order = Order::OpenFor(time, view.attempt);
                Some(Step::Order(order, known.cause(), Effect::Command))
            }
            (State::Closed | State::HalfOpen | State::Open, Some(known)) => {
                self.yield_lease();
                Some(Step::Order(Order::Disable, known.cause(), Effect::Command))
            }
            (State::Open, None) if is_ordered(view) && is_by_fleet(view) && !cx.leaving => {
                self.release(cx, now)
            }
            _ => None,
        }
    }

    /// Trials end, because a command decides.
    fn yield_lease(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.yielding = true;
        }
    }

    /// Moves the deadline of a forced-open circuit, also while the store is away. Without a look of the
    /// task, time alone half-opens the circuit.
    fn keep_open(
        &mut self,
        known: &KnownCommand,
        view: &View,
        cx: &mut Context,
        now: Time,
    ) -> Step {
        self.yield_lease();
        self.lease = self.lease.take().filter(|lease| now < lease.lost_at);
        let grace = cx.settings.grace;
        let left = view.left.unwrap_or_default().min(ENDLESS);
        let needed = hold(known.end, grace, now);
        // Moved at half of its time, so that a busy task is never too late.
        let shortest = needed.min(FORCED_FOR / 2 + grace);
        if left + TOLERANCE < shortest {
            let order = Order::Extend(needed);
            return Step::Order(order, known.cause(), Effect::Deadline);
        }
        let again = now + left.saturating_sub(shortest) + Duration::from_millis(1);
        let due = again.max(now + TOLERANCE).min(known.end);
        match self.withdraw(cx).filter(|_| self.lease.is_some()) {
            Some(Step::Send(wanted, _)) if now >= self.retry_at => Step::Send(wanted, Some(due)),
            _ => Step::Rest(Some(due)),
        }
    }

    /// Closes a circuit that a command has opened, unless the fleet keeps it open as well.
    fn release(&mut self, cx: &mut Context, now: Time) -> Option<Step> {
        let known = self.known.as_ref().filter(|known| known.is_open());
        if known.is_some_and(|known| known.version > self.passed_over) && !self.lost {
            self.join();
            return None;
        }
        let spread = (Duration::ZERO, cx.settings.close_spread);
        let close_at = match self.close_at {
            Some(close_at) => close_at,
            None => now + cx.random(spread),
        };
        self.close_at = Some(close_at);
        Some(if now < close_at {
            Step::Rest(Some(close_at))
        } else {
            Step::Order(Order::Close, own_cause(cx), Effect::Release)
        })
    }
}

/// Whether a command of an operator made the present state.
fn is_ordered(view: &View) -> bool {
    matches!(view.cause, Some(Cause::Fleet { .. })) && view.why == Some(CauseKind::Manual)
}

fn own_cause(cx: &Context) -> Cause {
    Cause::fleet(cx.settings.node.instance(), CauseKind::Manual)
}
