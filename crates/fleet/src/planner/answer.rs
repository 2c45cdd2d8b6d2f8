//! Applies the answers of the store to a track: [`Track::answered`].

use super::context::Context;
use super::operation::Sent;
use super::step::Wanted;
use super::timing::{RETRY, Time};
use super::track::{Lease, Report, Track};
use crate::event::FleetEvent;
use crate::protocol::{Answer, Word};
use std::sync::Arc;

impl Track {
    /// Applies the answer to an operation. The record of the answer is known already.
    pub(crate) fn answered(
        &mut self,
        name: &Arc<str>,
        sent: &Sent,
        answer: &Answer,
        cx: &mut Context,
        now: Time,
    ) {
        if matches!(answer.word, Word::Failed(_) | Word::Bad) {
            self.failed(sent, cx, now);
            return;
        }
        self.retry_at = Time::ZERO;
        match sent.wanted {
            Wanted::Trip => self.answered_trip(sent, answer, cx, now),
            Wanted::Ask => self.answered_ask(name, sent, answer, cx, now),
            Wanted::Renew => self.answered_renewal(name, sent, answer, cx, now),
            Wanted::Yield => self.lease = None,
            Wanted::Verdict => self.answered_verdict(name, sent, answer, cx),
            Wanted::Unvote => self.voted = false,
            Wanted::Restore => {
                if answer.word == Word::Restored {
                    cx.note_published(&answer.view.why);
                }
                self.lost = false;
                self.restore_at = None;
            }
        }
    }

    /// The store did not apply the operation, or gave no answer to it. It is sent again later.
    pub(crate) fn failed(&mut self, sent: &Sent, cx: &mut Context, now: Time) {
        cx.counters.failed_operations += 1;
        self.retry_at = now + RETRY;
        self.lease_failed |= matches!(sent.wanted, Wanted::Ask | Wanted::Renew);
    }

    fn answered_trip(&mut self, sent: &Sent, answer: &Answer, cx: &mut Context, now: Time) {
        match answer.word {
            Word::Voting(_) => self.voted = true,
            Word::Stale => cx.counters.stale += 1,
            Word::Opened => cx.note_published(&answer.view.why),
            _ => {}
        }
        if self.opened.is_none() || self.opened != sent.opened {
            // The answer is about an earlier opening. The next look reports the present one.
            return;
        }
        self.announced = sent.announced;
        match answer.word {
            Word::Opened | Word::Joined | Word::Trying => {
                if self.share.follows(u32::MAX) {
                    self.join();
                } else {
                    self.report = Report::Local;
                }
            }
            Word::Voting(_) => {
                // An owner that announces the rest of its opening stays joined.
                self.report = Report::Voted { again: sent.again };
            }
            Word::Stale => {
                let is_first = answer.view.version > self.stale_closed;
                self.stale_closed = self.stale_closed.max(answer.view.version);
                self.report = Report::Local;
                if is_first || cx.settings.mutants.always_close_on_stale {
                    self.close_at = Some(now);
                }
            }
            _ => self.report = Report::Local,
        }
    }

    fn answered_ask(
        &mut self,
        name: &Arc<str>,
        sent: &Sent,
        answer: &Answer,
        cx: &mut Context,
        now: Time,
    ) {
        self.lease_failed = false;
        let Some(token) = self.token.take() else {
            return;
        };
        match answer.word {
            Word::Granted | Word::Wanted => {
                let mut lease = Lease::new(token, now);
                lease.renew(
                    lease_start(sent, cx, now),
                    cx.settings.lease,
                    answer.word == Word::Wanted,
                );
                self.lease = Some(lease);
                self.joined = Some(answer.view.version);
                cx.counters.leases_granted += 1;
                if self.recovered.is_none() {
                    cx.events.push(FleetEvent::LeaseGranted {
                        breaker: name.clone(),
                    });
                }
            }
            Word::Absent => self.retry_at = now + RETRY,
            _ => {
                cx.counters.leases_denied += 1;
                self.plan = None;
                self.recovered = None;
            }
        }
    }

    fn answered_renewal(
        &mut self,
        name: &Arc<str>,
        sent: &Sent,
        answer: &Answer,
        cx: &mut Context,
        now: Time,
    ) {
        self.lease_failed = false;
        let Some(lease) = &mut self.lease else { return };
        match answer.word {
            Word::Granted | Word::Wanted => {
                lease.renew(
                    lease_start(sent, cx, now),
                    cx.settings.lease,
                    answer.word == Word::Wanted,
                );
            }
            _ if cx.settings.mutants.no_fencing => {}
            _ => {
                self.lease = None;
                self.baseline = None;
                lost_lease(name, cx);
            }
        }
    }

    fn answered_verdict(
        &mut self,
        name: &Arc<str>,
        sent: &Sent,
        answer: &Answer,
        cx: &mut Context,
    ) {
        self.lease = None;
        self.recovered = None;
        match answer.word {
            Word::Opened => {
                cx.note_published(&answer.view.why);
                if self.opened.is_some() && self.opened == sent.opened {
                    self.announced = sent.announced;
                    self.join();
                }
            }
            Word::Closed => cx.note_published(&answer.view.why),
            // The opening is reported as one of this node alone.
            _ => {
                self.leave();
                lost_lease(name, cx);
            }
        }
    }

    /// Prepares the track for a store that may have lost its memory.
    pub(crate) fn announce_again(&mut self) {
        if let Report::Voted { again } = &mut self.report {
            *again = Time::ZERO;
        }
    }
}

/// Returns when a lease counts from: the time of sending, because the store has granted it later.
fn lease_start(sent: &Sent, cx: &Context, now: Time) -> Time {
    if cx.settings.mutants.lease_from_receipt {
        now
    } else {
        sent.at
    }
}

/// Reports a lease that ended before the trials did.
pub(crate) fn lost_lease(name: &Arc<str>, cx: &mut Context) {
    cx.counters.leases_lost += 1;
    cx.events.push(FleetEvent::LeaseLost {
        breaker: name.clone(),
    });
}
