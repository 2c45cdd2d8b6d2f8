//! Closed circuits: ends a lease, withdraws a vote, or follows an opening of the fleet.

use super::{Adoption, Effect, Step, Wanted};
use crate::planner::context::Context;
use crate::planner::timing::{TICK, Time};
use crate::planner::track::Track;
use breakerbox::Cause;
use breakerbox::fleet::{Order, View};
use std::sync::Arc;
use std::time::Duration;

impl Track {
    pub(super) fn step_closed(
        &mut self,
        name: &Arc<str>,
        view: &View,
        cx: &mut Context,
        now: Time,
    ) -> Step {
        if let Some(lease) = &self.lease {
            if !cx.synced {
                return Step::Rest(None);
            }
            // A command closes this circuit, and not the one of the fleet.
            let succeeded = matches!(view.cause, Some(Cause::TrialsSucceeded));
            let succeeded = succeeded && !lease.failed;
            let wanted =
                if succeeded && (lease.trying || self.recovered.is_some()) && !lease.yielding {
                    Wanted::Verdict
                } else {
                    Wanted::Yield
                };
            return Step::Send(wanted, None);
        }
        if let Some(step) = self.announce_recovery(cx, now) {
            return step;
        }
        self.leave();
        if let Some(step) = self.withdraw(cx) {
            return step;
        }
        match self.adoption(view, cx, now) {
            Adoption::Yes => self.adopt(cx, now),
            Adoption::No => Step::Rest(None),
            Adoption::Refused => {
                self.report_ignored(name, cx);
                Step::Rest(None)
            }
            Adoption::LacksEvidence => {
                self.report_ignored(name, cx);
                let end = self.known.as_ref().map_or(now, |known| known.end);
                Step::Rest((now < end).then_some(now + TICK))
            }
        }
    }

    /// Closes the circuit of the fleet, whose open period has ended, if this circuit has recovered while
    /// the store was away. Takes the lease for that, so that no other node is overruled.
    fn announce_recovery(&mut self, cx: &mut Context, now: Time) -> Option<Step> {
        let recovered = self.recovered?;
        let known = self.known.as_ref()?;
        let has_ended = known.is_open() && !known.holds(now) && !self.lost;
        if known.version != recovered || !has_ended || !self.share.follows(u32::MAX) {
            return None;
        }
        if !cx.may_extend() {
            return Some(Step::Rest(None));
        }
        let ask_at = self.planned_ask(known.end, cx, now).max(self.retry_at);
        Some(if now >= ask_at {
            Step::Send(Wanted::Ask, None)
        } else {
            Step::Rest(Some(ask_at))
        })
    }

    /// Opens the circuit until a grace after the end of the fleet's open period.
    pub(super) fn adopt(&self, cx: &Context, now: Time) -> Step {
        let Some(known) = &self.known else {
            return Step::Rest(None);
        };
        let mut time = known.end.saturating_sub(now) + cx.settings.grace;
        if cx.settings.mutants.no_dead_mans_switch {
            time += Duration::from_secs(24 * 60 * 60);
        }
        let order = Order::OpenFor(time, known.attempt);
        Step::Order(order, known.cause(), Effect::Adopt)
    }
}
