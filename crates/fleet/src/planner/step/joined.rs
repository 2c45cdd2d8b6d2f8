//! Open circuits that the fleet keeps open: announces, restores, asks for the lease, and keeps the
//! deadline beyond the next request.

use super::open::{Ends, move_deadline};
use super::{Step, Wanted, is_by_fleet};
use crate::planner::context::Context;
use crate::planner::known::Known;
use crate::planner::timing::{
    ASK_WAIT, FAILED_LAST_WAIT, MAX_IDLE_TICK, PULL_INTERVAL, REQUEST_MARGIN, RESTORE_WAIT, TICK,
    TOLERANCE, Time,
};
use crate::planner::track::{Plan, Report, Track};
use crate::protocol::Phase;
use breakerbox::fleet::View;
use std::time::Duration;

impl Track {
    pub(super) fn step_joined(
        &mut self,
        view: &View,
        ends: Ends,
        cx: &mut Context,
        now: Time,
    ) -> Step {
        let Some(known) = self.known.clone().filter(Known::is_open) else {
            self.leave();
            return Step::Rest(None);
        };
        let is_owner = known.phase == Phase::Open && &*known.by == cx.settings.node.instance();
        let mut due = Due::new(now);
        if is_owner && cx.synced && self.announces(&known, ends, cx, now) {
            return Step::Send(Wanted::Trip, None);
        }
        if is_owner {
            due.add(known.end);
        }
        let republishes = cx.settings.mutants.republish_adopted && self.announced.is_zero();
        if republishes && self.report == Report::Adopted && cx.synced {
            return Step::Send(Wanted::Trip, None);
        }
        if self.lost && known.phase == Phase::Open && known.holds(now) && cx.synced {
            let wait = if is_owner {
                Duration::ZERO
            } else {
                cx.random(RESTORE_WAIT)
            };
            let restore_at = *self.restore_at.get_or_insert(now + wait);
            let restore_at = restore_at.max(self.retry_at);
            if now >= restore_at {
                return Step::Send(Wanted::Restore, None);
            }
            due.add(restore_at);
        }
        // The owner stays open to its own end, and no circuit is tried before a hint allows it.
        let own = ends.own.filter(|_| is_owner);
        let mut floor = known.end.max(ends.asked.max(own).unwrap_or(Time::ZERO));
        // The lease was granted, but its answer was lost: the same token gets it again.
        let is_holder = known.phase == Phase::Leased && &*known.by == cx.settings.node.instance();
        if is_holder && self.token.is_some() && self.lease.is_none() {
            floor = ends.asked.unwrap_or(Time::ZERO);
        }
        let ask_at = self.planned_ask(floor, cx, now).max(self.retry_at);
        let has_demand = self.has_demand(view) || cx.settings.mutants.greedy_lease;
        let asks = now >= ask_at && has_demand;
        // Nothing keeps a circuit open of which the store knows no more than that it had ended.
        let is_forgotten = self.lost && !known.holds(now) && now >= ask_at && !has_demand;
        let extends = cx.may_extend() && !self.lease_failed && !is_forgotten;
        if extends && !cx.settings.mutants.no_extension {
            let needed = if now < ask_at {
                ask_at + REQUEST_MARGIN
            } else if has_demand {
                now + REQUEST_MARGIN
            } else {
                cx.last_pull.unwrap_or(now) + PULL_INTERVAL + cx.settings.grace
            };
            let needed = needed.max(known.end + cx.settings.grace);
            let needed = needed.max(ends.own.unwrap_or(Time::ZERO));
            // Shortened only if the end of the fleet has moved.
            let is_late = is_by_fleet(view)
                && !cx.settings.mutants.no_dead_mans_switch
                && ends.deadline > needed + PULL_INTERVAL + cx.settings.grace;
            if needed > ends.deadline + TOLERANCE || is_late {
                return move_deadline(needed, now);
            }
        }
        if !cx.synced || cx.leaving {
            return Step::Rest(None);
        }
        if asks {
            return Step::Send(Wanted::Ask, None);
        }
        due.add(if now < ask_at {
            ask_at
        } else {
            idle_tick(now.saturating_sub(ask_at), now)
        });
        Step::Rest(due.earliest)
    }

    /// Whether the owner has to announce more of its open period than the record says.
    fn announces(&self, known: &Known, ends: Ends, cx: &Context, now: Time) -> bool {
        if now < self.retry_at || self.report == Report::Adopted {
            return false;
        }
        let Some(opened) = self.opened else {
            return false;
        };
        let is_news = |end: Time| end > self.announced + TOLERANCE && end > now + TOLERANCE;
        if known.holds(now) {
            // A hint has lengthened the opening.
            let longest = opened + cx.settings.max_open;
            let asked = ends.asked.map(|asked| asked.min(longest));
            asked.is_some_and(|asked| is_news(asked) && asked > known.end + TOLERANCE)
        } else {
            // The record is limited; the opening of this node is longer.
            ends.own.is_some_and(is_news)
        }
    }

    /// Returns when to ask for the lease. Planned once for each end of the open period.
    pub(super) fn planned_ask(&mut self, floor: Time, cx: &mut Context, now: Time) -> Time {
        if cx.settings.mutants.greedy_lease {
            return now;
        }
        if let Some(plan) = self.plan.filter(|plan| plan.floor == floor) {
            return plan.ask_at;
        }
        let mut wait = cx.random(ASK_WAIT);
        if self.last_trial_failed {
            wait += FAILED_LAST_WAIT;
        }
        // After a pause, the end may be long ago; the wait still spreads the nodes.
        let ask_at = floor.max(now) + wait;
        self.plan = Some(Plan { floor, ask_at });
        ask_at
    }
}

/// Returns when to compare the demand again. Circuits that stay idle are compared less often, at the
/// same instants, so that many of them cost one timer.
fn idle_tick(idle: Duration, now: Time) -> Time {
    let wait = (idle / 8).clamp(TICK, MAX_IDLE_TICK);
    let grid = TICK.as_nanos();
    let ticks = (now + wait).as_nanos().div_ceil(grid);
    Duration::from_nanos(u64::try_from(ticks * grid).unwrap_or(u64::MAX))
}

/// The earliest of several later instants.
struct Due {
    now: Time,
    earliest: Option<Time>,
}

impl Due {
    fn new(now: Time) -> Self {
        Self {
            now,
            earliest: None,
        }
    }

    fn add(&mut self, due: Time) {
        if due > self.now {
            self.earliest = Some(self.earliest.map_or(due, |earliest| earliest.min(due)));
        }
    }
}
