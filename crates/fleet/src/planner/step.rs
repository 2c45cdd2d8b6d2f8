//! Decides what to do next about one circuit: [`Track::step`].
//!
//! A step depends on the circuit as it is now, on what the store last said, and on the time. Nothing
//! is queued: after each event, the circuit is looked at again.

mod closed;
mod command;
mod half_open;
mod joined;
mod open;

use super::context::Context;
use super::timing::Time;
use super::track::{Report, Track};
use crate::event::FleetEvent;
use crate::protocol::Phase;
use crate::share::Share;
use breakerbox::fleet::{Order, View};
use breakerbox::{Cause, State};
use std::sync::Arc;
use std::time::Duration;

/// What to do next about one circuit.
#[derive(Debug)]
pub(crate) enum Step {
    /// Gives an order to the circuit, and decides again.
    Order(Order, Cause, Effect),
    /// Sends an operation. Also looks again at the time, if there is one.
    Send(Wanted, Option<Time>),
    /// Does nothing until something changes, or until the time.
    Rest(Option<Time>),
}

/// What an order means to the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The circuit follows an opening of the fleet.
    Adopt,
    /// The circuit stops trying, because it has no lease.
    Gate,
    /// The deadline moves.
    Deadline,
    /// The circuit tries the dependency with a lease.
    Try,
    /// The circuit follows a close of the fleet.
    Close,
    /// The circuit follows a command of an operator.
    Command,
    /// The circuit no longer follows a command.
    Release,
}

/// An operation that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Trip,
    Ask,
    Renew,
    Yield,
    /// The result of the trials.
    Verdict,
    Unvote,
    Restore,
}

/// Whether a circuit follows the opening that the store last reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adoption {
    Yes,
    /// There is no opening to follow.
    No,
    /// The policy does not allow it.
    Refused,
    /// The policy may allow it later.
    LacksEvidence,
}

impl Track {
    /// Decides what to do next.
    pub(crate) fn step(
        &mut self,
        name: &Arc<str>,
        view: &View,
        cx: &mut Context,
        now: Time,
    ) -> Step {
        self.observe(view, cx, now);
        if let Some(step) = self.step_command(name, view, cx, now) {
            return step;
        }
        if self.share == Share::local() {
            return self.step_local(cx);
        }
        match view.state {
            State::Closed => self.step_closed(name, view, cx, now),
            State::Open => self.step_open(view, cx, now),
            State::HalfOpen => self.step_half_open(name, view, cx, now),
            _ => self.step_special(name, view, cx, now),
        }
    }

    /// Notes what changed since the previous look.
    fn observe(&mut self, view: &View, cx: &Context, now: Time) {
        let before = self.state;
        let seen = self.mark.replace(view.mark);
        let marked = seen != Some(view.mark);
        self.state = view.state;
        if !marked && before == view.state {
            return;
        }
        // A command from before the first look may be older than all that is known now.
        if marked && seen.is_some() && is_manual(view) {
            // A local command came after the record that is known now.
            if !cx.settings.mutants.override_commands {
                self.passed_over = self.passed_over.max(self.version());
                self.overruled = self.overruled.max(cx.commands.latest());
            }
            self.leave();
        }
        self.recovered = None;
        match view.state {
            State::Open => self.observe_opening(before, view, cx, now),
            State::Closed => {
                if matches!(view.cause, Some(Cause::TrialsSucceeded)) && self.lease.is_none() {
                    let known = self.known.as_ref().filter(|known| known.is_open());
                    self.recovered = known.map(|known| known.version);
                }
                self.opened = None;
                self.last_trial_failed = false;
                self.report = Report::Pending;
            }
            _ => {}
        }
    }

    fn observe_opening(&mut self, before: State, view: &View, cx: &Context, now: Time) {
        let opened = now.saturating_sub(view.since);
        // The clock was read twice.
        let is_same = |known: Time| known.abs_diff(opened) <= Duration::from_millis(1);
        if before == State::Open && self.opened.is_some_and(is_same) {
            return;
        }
        self.opened = Some(opened);
        self.opened_at = cx.clock.at(opened);
        self.announced = Time::ZERO;
        self.baseline = Some(view.refused);
        self.plan = None;
        self.restore_at = None;
        if is_by_fleet(view) {
            self.report = Report::Adopted;
            return;
        }
        self.report = Report::Pending;
        match &mut self.lease {
            Some(lease) if lease.trying => lease.failed = true,
            _ => self.leave(),
        }
        self.last_trial_failed = matches!(view.cause, Some(Cause::TrialFailed));
    }

    /// Not shared any more: time alone ends an open period.
    fn step_local(&mut self, cx: &Context) -> Step {
        self.leave();
        self.withdraw(cx).unwrap_or(Step::Rest(None))
    }

    /// Forced open, disabled and metrics-only: the fleet changes nothing.
    fn step_special(&mut self, name: &Arc<str>, view: &View, cx: &mut Context, now: Time) -> Step {
        self.opened = None;
        self.leave();
        if view.state == State::MetricsOnly {
            let known = self.known.as_ref().filter(|known| known.holds(now));
            if let Some(known) = known.filter(|known| known.version > self.ignored) {
                if self.share.follows(view.recorded_failures) {
                    self.ignored = known.version;
                    cx.counters.ignored += 1;
                    // Rejected and counted: the circuit would have opened.
                    let order = Order::OpenFor(
                        known.end.saturating_sub(now) + cx.settings.grace,
                        known.attempt,
                    );
                    return Step::Order(order, known.cause(), Effect::Adopt);
                }
                self.report_ignored(name, cx);
            }
        }
        self.withdraw(cx).unwrap_or(Step::Rest(None))
    }

    /// Gives back what the store may have of this node.
    fn withdraw(&self, cx: &Context) -> Option<Step> {
        if !cx.synced {
            return None;
        }
        if self.lease.is_some() {
            return Some(Step::Send(Wanted::Yield, None));
        }
        let withdraws = self.voted && !cx.settings.mutants.no_unvote;
        withdraws.then_some(Step::Send(Wanted::Unvote, None))
    }

    /// Whether this circuit follows the opening that the store last reported.
    fn adoption(&self, view: &View, cx: &Context, now: Time) -> Adoption {
        let Some(known) = &self.known else {
            return Adoption::No;
        };
        let holds = known.holds(now) || cx.settings.mutants.adopt_ended && known.is_open();
        if !holds || known.version <= self.passed_over || cx.leaving {
            return Adoption::No;
        }
        // The answer to a request for this lease was lost, and the circuit has closed since.
        let is_own_lease =
            known.phase == Phase::Leased && &*known.by == cx.settings.node.instance();
        if is_own_lease && view.state == State::Closed {
            return Adoption::No;
        }
        // A circuit that is open or half-open had its evidence.
        let own = if view.state == State::Closed {
            view.recorded_failures
        } else {
            u32::MAX
        };
        if self.share.follows(own) {
            Adoption::Yes
        } else if self.share.follows(u32::MAX) {
            Adoption::LacksEvidence
        } else {
            Adoption::Refused
        }
    }

    /// Reports once per record that an opening was not followed.
    fn report_ignored(&mut self, name: &Arc<str>, cx: &mut Context) {
        let known = self.known.as_ref();
        let Some(known) = known.filter(|known| known.version > self.ignored) else {
            return;
        };
        self.ignored = known.version;
        cx.counters.ignored += 1;
        cx.events.push(FleetEvent::Ignored {
            breaker: name.clone(),
            policy: self.share,
            by: known.by.clone(),
        });
    }
}

/// Whether a command made the present state. Such a state stays local.
pub(super) fn is_manual(view: &View) -> bool {
    matches!(view.cause, Some(Cause::Manual { .. }))
}

/// Whether only the fleet has opened the circuit.
pub(super) fn is_by_fleet(view: &View) -> bool {
    view.opened_for.is_none()
}
