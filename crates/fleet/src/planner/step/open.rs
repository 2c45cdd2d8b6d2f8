//! Open circuits: reports an opening, follows the fleet, or ends a lease.

use super::{Adoption, Effect, Step, Wanted, is_manual};
use crate::planner::context::Context;
use crate::planner::timing::{ENDLESS, REQUEST_MARGIN, TOLERANCE, Time};
use crate::planner::track::{Report, Track};
use breakerbox::Cause;
use breakerbox::fleet::{CauseKind, Order, View};
use std::time::Duration;

/// The ends of an open circuit, by the clock of the node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// The deadline.
    pub(super) deadline: Time,
    /// The deadline without the fleet.
    pub(super) own: Option<Time>,
    /// The part of it that a hint or a command asked for.
    pub(super) asked: Option<Time>,
}

impl Ends {
    fn new(opened: Time, view: &View, now: Time) -> Self {
        let end = |time: Duration| opened.saturating_add(time).min(ENDLESS);
        let deadline = now.saturating_add(view.left.unwrap_or_default());
        Self {
            deadline: deadline.min(2 * ENDLESS),
            own: view.opened_for.map(end),
            asked: view.asked_for.map(end),
        }
    }
}

impl Track {
    pub(super) fn step_open(&mut self, view: &View, cx: &mut Context, now: Time) -> Step {
        let opened = self.opened.unwrap_or(now);
        let ends = Ends::new(opened, view, now);
        if is_manual(view) {
            // Local until its deadline.
            let due = ends.deadline.checked_add(Duration::from_millis(1));
            let due = due.filter(|_| view.left != Some(Duration::MAX));
            return self.withdraw(cx).unwrap_or(Step::Rest(due));
        }
        if let Some(step) = self.step_open_lease(cx, now) {
            return step;
        }
        if let Some(close_at) = self.close_at {
            if ends.asked.is_none_or(|asked| asked <= now) {
                return self.close(close_at, now);
            }
            // A hint has asked for more time than the fleet.
            self.leave();
            self.report = Report::Local;
        }
        if self.joined.is_none() && self.adoption(view, cx, now) == Adoption::Yes {
            self.join();
        }
        if self.joined.is_some() {
            self.step_joined(view, ends, cx, now)
        } else {
            self.step_alone(view, ends, cx, now)
        }
    }

    /// Begins or ends the trials of a lease.
    fn step_open_lease(&mut self, cx: &Context, now: Time) -> Option<Step> {
        let lease = self.lease.as_ref()?;
        if lease.yielding || lease.trying {
            // The circuit has opened again: the trials failed.
            let wanted = if lease.yielding {
                Wanted::Yield
            } else {
                Wanted::Verdict
            };
            let due = Some(self.retry_at).filter(|retry_at| *retry_at > now);
            return Some(match due {
                None if cx.synced => Step::Send(wanted, None),
                _ => Step::Rest(due),
            });
        }
        if now >= lease.lost_at || cx.leaving {
            self.lease = None;
            return None;
        }
        let cause = Cause::fleet(cx.settings.node.instance(), CauseKind::Recovering);
        Some(Step::Order(Order::Try, cause, Effect::Try))
    }

    /// Makes the known record the one that keeps this circuit open.
    pub(in crate::planner) fn join(&mut self) {
        self.joined = Some(self.version());
        self.voted = false;
        if self.report != Report::Adopted {
            self.report = Report::Joined;
        }
    }

    /// An open circuit that the fleet has not opened.
    fn step_alone(&mut self, view: &View, ends: Ends, cx: &mut Context, now: Time) -> Step {
        let Some(own) = ends.own else {
            // The fleet says nothing any more. Time alone half-opens the circuit.
            return Step::Rest(None);
        };
        let due = match self.report {
            Report::Pending => Some(self.retry_at),
            Report::Voted { again } => Some(again.max(self.retry_at)),
            Report::Joined | Report::Adopted | Report::Local => None,
        };
        let follows = self.share.follows(u32::MAX);
        if due.is_some_and(|due| now >= due)
            && cx.synced
            && !view.left.unwrap_or_default().is_zero()
        {
            let needed = now + REQUEST_MARGIN;
            let extends = cx.may_extend() && follows && self.report == Report::Pending;
            if extends && ends.deadline + TOLERANCE < needed {
                return move_deadline(needed, now);
            }
            return Step::Send(Wanted::Trip, None);
        }
        // The store has not opened the circuit: its deadline is its own again.
        let is_late = ends.deadline > own + TOLERANCE && own < ENDLESS;
        if self.report != Report::Pending && cx.may_extend() && is_late {
            return move_deadline(own, now);
        }
        Step::Rest(due.filter(|due| *due > now && cx.synced))
    }
}

pub(super) fn move_deadline(to: Time, now: Time) -> Step {
    let order = Order::Extend(to.saturating_sub(now));
    // The order keeps the cause.
    Step::Order(order, Cause::Recovering, Effect::Deadline)
}
