//! Half-open circuits: renews or gives back a lease, and stops trials without one.

use super::{Adoption, Effect, Step, Wanted, is_manual};
use crate::planner::answer::lost_lease;
use crate::planner::context::Context;
use crate::planner::timing::{IDLE_LEASE, REQUEST_MARGIN, Time};
use crate::planner::track::{Lease, Track};
use breakerbox::Cause;
use breakerbox::fleet::{CauseKind, Order, View};
use std::sync::Arc;
use std::time::Duration;

impl Track {
    pub(super) fn step_half_open(
        &mut self,
        name: &Arc<str>,
        view: &View,
        cx: &mut Context,
        now: Time,
    ) -> Step {
        // A verdict that the store never heard. The circuit has waited since, and tries by itself.
        let lease = self.lease.take().filter(|lease| !lease.failed);
        if let Some(lease) = lease {
            return self.hold(lease, name, view, cx, now);
        }
        if let Some(close_at) = self.close_at {
            return self.close(close_at, now);
        }
        if is_manual(view) && view.trials_left > 0 && self.voted && cx.synced {
            return self.withdraw(cx).unwrap_or(Step::Rest(None));
        }
        if !cx.may_extend() || self.lease_failed || cx.settings.mutants.no_fencing {
            return Step::Rest(None);
        }
        match self.adoption(view, cx, now) {
            Adoption::Yes => return self.adopt(cx, now),
            Adoption::No | Adoption::LacksEvidence => {}
            Adoption::Refused => self.report_ignored(name, cx),
        }
        let has_ended = self.known.as_ref().is_none_or(|known| !known.holds(now));
        if self.lost && has_ended {
            // The store knows nothing of the circuit, so its trials are its own.
            self.leave();
        }
        if self.joined.is_some() && !cx.settings.mutants.no_extension {
            // Time alone has half-opened the circuit while the store was away.
            if view.in_flight > 0 {
                self.baseline = None;
            }
            return self.gate(view, cx);
        }
        Step::Rest(None)
    }

    fn hold(
        &mut self,
        mut lease: Lease,
        name: &Arc<str>,
        view: &View,
        cx: &mut Context,
        now: Time,
    ) -> Step {
        if !lease.trying {
            // Time alone has half-opened the circuit while the request was on its way.
            lease.trying = true;
            lease.refused = view.refused;
            lease.active_at = now;
        }
        if now >= lease.lost_at && !cx.settings.mutants.no_fencing {
            lost_lease(name, cx);
            self.baseline = None;
            return self.gate(view, cx);
        }
        lease.note_activity(view, now);
        let idle = now.saturating_sub(lease.active_at);
        let patience = if lease.wanted {
            cx.settings.lease / 3
        } else {
            IDLE_LEASE
        };
        let is_idle = view.in_flight == 0 && idle >= patience;
        if is_manual(view) {
            lease.yielding = true;
        } else if (is_idle || cx.leaving) && cx.synced && !lease.yielding {
            // Closed before the lease is given back, so that no trial starts in between.
            lease.yielding = true;
            self.lease = Some(lease);
            return self.gate(view, cx);
        }
        let due = [lease.renew_at, lease.active_at + patience, lease.lost_at];
        let due = due.into_iter().filter(|due| *due > now).min();
        let lost_at = lease.lost_at;
        let (yields, renews) = (lease.yielding, now >= lease.renew_at);
        self.lease = Some(lease);
        if !cx.synced {
            Step::Rest(Some(lost_at).filter(|lost_at| *lost_at > now))
        } else if yields {
            Step::Send(
                Wanted::Yield,
                Some(lost_at).filter(|lost_at| *lost_at > now),
            )
        } else if renews && now >= self.retry_at {
            Step::Send(Wanted::Renew, due)
        } else {
            let retry_at = renews.then_some(self.retry_at);
            Step::Rest(due.into_iter().chain(retry_at).min())
        }
    }

    /// Closes the gate of a circuit that has no lease.
    fn gate(&self, view: &View, cx: &Context) -> Step {
        let node: Arc<str> = match &self.known {
            Some(known) => known.by.clone(),
            None => cx.settings.node.instance().into(),
        };
        let time: Duration = cx.settings.grace.max(REQUEST_MARGIN);
        let cause = Cause::fleet(node, CauseKind::Recovering);
        Step::Order(Order::OpenFor(time, view.attempt), cause, Effect::Gate)
    }

    /// Follows a close of the fleet, when its time has come.
    pub(super) fn close(&self, close_at: Time, now: Time) -> Step {
        if now < close_at {
            return Step::Rest(Some(close_at));
        }
        let cause = match &self.known {
            Some(known) => known.cause(),
            None => Cause::TrialsSucceeded,
        };
        Step::Order(Order::Close, cause, Effect::Close)
    }
}
