//! Builds the operation that a circuit wants to send: [`Track::operation`].

use super::context::Context;
use super::step::Wanted;
use super::timing::{MIN_VOTE, Time};
use super::track::Track;
use crate::protocol::{
    LeaseRequest, MAX_ATTEMPT, Micros, Op, Opening, RETENTION, Restoration, Trip, Why, or_none,
};
use breakerbox::fleet::View;
use std::time::Duration;

/// An operation on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) wanted: Wanted,
    pub(crate) at: Time,
    /// When the opening began that the operation reports.
    pub(crate) opened: Option<Time>,
    /// Until when the operation announces the opening.
    pub(crate) announced: Time,
    /// When a vote is sent again.
    pub(crate) again: Time,
}

impl Track {
    /// Builds an operation from the circuit as it is now. Returns `None` if the operation has become
    /// pointless.
    pub(crate) fn operation(
        &mut self,
        name: &str,
        wanted: Wanted,
        view: Option<&View>,
        cx: &mut Context,
        now: Time,
    ) -> Option<(Op, Sent)> {
        let name = name.to_owned();
        let mut sent = Sent {
            wanted,
            at: now,
            opened: self.opened,
            announced: Time::ZERO,
            again: Time::ZERO,
        };
        let token = || self.lease.as_ref().map(|lease| lease.token.clone());
        let op = match (wanted, view) {
            (Wanted::Yield, _) => Op::Yield {
                name,
                token: token()?,
            },
            (Wanted::Unvote, _) => Op::Unvote { name },
            (Wanted::Renew, _) => {
                let request = LeaseRequest {
                    token: token()?,
                    duration: cx.settings.lease,
                    demand: true,
                    opened_by_fleet: Some(self.known.as_ref()?.attempt.min(MAX_ATTEMPT)),
                };
                Op::Lease { name, request }
            }
            (_, None) => return None,
            (Wanted::Trip, Some(view)) => {
                let trip = self.trip(view, cx, now, &mut sent)?;
                Op::Trip { name, trip }
            }
            (Wanted::Ask, Some(view)) => {
                let rng = &mut cx.rng;
                let random = || format!("{:016x}", rng.u64(..));
                let token = self.token.get_or_insert_with(random);
                let request = LeaseRequest {
                    token: token.clone(),
                    duration: cx.settings.lease,
                    demand: true,
                    opened_by_fleet: Some(view.attempt.min(MAX_ATTEMPT)),
                };
                Op::Lease { name, request }
            }
            (Wanted::Verdict, Some(view)) => {
                let token = token()?;
                let failed = view.state == breakerbox::State::Open;
                let opening = failed.then(|| self.opening(view, cx, now, &mut sent));
                Op::Done {
                    name,
                    token,
                    opening,
                }
            }
            (Wanted::Restore, Some(_)) => {
                let known = self.known.as_ref()?;
                let restoration = Restoration {
                    left: known.end.saturating_sub(now).min(RETENTION),
                    attempt: known.attempt.min(MAX_ATTEMPT),
                    by: or_none(&known.by).to_owned(),
                    why: or_none(&known.why).to_owned(),
                    version: known.version,
                };
                Op::Restore { name, restoration }
            }
        };
        Some((op, sent))
    }

    fn trip(&self, view: &View, cx: &Context, now: Time, sent: &mut Sent) -> Option<Trip> {
        let opened = self.opened?;
        let own = match view.opened_for {
            Some(time) => opened.saturating_add(time),
            None => now.saturating_add(view.left?),
        };
        sent.announced = own.min(now.saturating_add(cx.settings.max_open));
        let window = view.longest_window.unwrap_or_default();
        let vote_ttl = MIN_VOTE
            .max(window.saturating_mul(2))
            .max(
                own.saturating_sub(now)
                    .saturating_add(Duration::from_secs(1)),
            )
            .min(RETENTION);
        sent.again = now + vote_ttl * 4 / 5;
        let at = if cx.settings.mutants.trip_at_sending {
            // The store cuts the instant to its own time.
            cx.clock.now(now)?.after(RETENTION)
        } else {
            self.at(opened, cx)?
        };
        Some(Trip {
            duration: sent.announced.saturating_sub(opened).min(RETENTION),
            at,
            attempt: view.attempt.min(MAX_ATTEMPT),
            why: why(view),
            quorum: self.share.needed(),
            alone: cx.is_alone(now),
            vote_ttl,
            reset_backoff_after: view.reset_backoff_after.min(RETENTION),
        })
    }

    /// Returns when the circuit opened, by the clock of the store.
    ///
    /// The earlier estimate counts: one was made when the opening was first seen, the other one now.
    fn at(&self, opened: Time, cx: &Context) -> Option<Micros> {
        let now = cx.clock.at(opened)?;
        Some(self.opened_at.map_or(now, |then| then.min(now)))
    }

    fn opening(&self, view: &View, cx: &Context, now: Time, sent: &mut Sent) -> Opening {
        let opened = self.opened.unwrap_or(now);
        let own = opened.saturating_add(view.opened_for.or(view.left).unwrap_or_default());
        sent.announced = own.min(now.saturating_add(cx.settings.max_open));
        Opening {
            duration: sent.announced.saturating_sub(now).min(RETENTION),
            attempt: view.attempt.min(MAX_ATTEMPT),
            why: why(view),
        }
    }
}

fn why(view: &View) -> Why {
    // A late hint keeps the cause of the opening, but determines its end.
    if view.asked_for.is_some() && view.asked_for == view.opened_for {
        return Why::Asked;
    }
    view.why
        .map_or(Why::Other, |kind| Why::from_code(kind.code()))
}
