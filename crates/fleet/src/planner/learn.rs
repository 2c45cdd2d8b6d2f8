//! Applies a record of the store to a track: [`Track::learn`].

use super::context::Context;
use super::known::Known;
use super::timing::Time;
use super::track::{Report, Track};
use crate::protocol::{Phase, RecordView};
use breakerbox::State;
use std::time::Duration;

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A message, or a pull of the latest changes.
    News,
    /// The answer to an operation.
    Answer,
    /// A full pull, which began at this time. Authoritative: it replaces what is known, whatever its
    /// version, because versions of two primaries are not comparable.
    FullPull(Time),
}

impl Track {
    /// Applies a record. Returns `true` if the record says anything new.
    pub(crate) fn learn(
        &mut self,
        record: &RecordView,
        source: Source,
        cx: &mut Context,
        now: Time,
    ) -> bool {
        let is_poison = |micros| record.version.is_ahead_of(micros);
        if cx.clock.now(now).is_some_and(is_poison) {
            cx.counters.refused_records += 1;
            return false;
        }
        if record.phase.is_unknown() {
            return false;
        }
        let version = self.version();
        let is_refused = !cx.settings.mutants.ignore_versions
            && match source {
                Source::News => record.version <= version,
                Source::Answer => record.version < version,
                Source::FullPull(began) => {
                    let heard_since = |known: &Known| known.heard >= began;
                    record.version < version && self.known.as_ref().is_some_and(heard_since)
                }
            };
        if is_refused {
            if record.version < version {
                cx.counters.refused_records += 1;
            }
            return false;
        }
        let mut known = Known::new(record, now);
        known.end = known.end.min(now + cx.settings.max_open);
        self.lost = false;
        self.restore_at = None;
        let before = self.known.replace(known);
        let is_same = before
            .is_some_and(|before| before.version == record.version && before.phase == record.phase);
        if is_same {
            return true;
        }
        self.plan = None;
        // Opening and closing delete all votes.
        self.voted = false;
        match record.phase {
            Phase::Open | Phase::Leased => {
                self.close_at = None;
                if self.joined.is_some() {
                    self.joined = Some(record.version);
                }
            }
            _ if self.joined.is_some() => self.learn_close(record.version < version, cx, now),
            _ => {}
        }
        true
    }

    /// Plans to follow a close of the fleet.
    fn learn_close(&mut self, is_older: bool, cx: &mut Context, now: Time) {
        if let Some(lease) = &self.lease {
            let tries = match self.state {
                State::HalfOpen => true,
                State::Open => !lease.trying,
                _ => false,
            };
            // A command has closed the circuit, which ends the lease. The verdict of the trials is not
            // needed any more.
            if tries && !is_older && !lease.failed {
                self.lease = None;
                self.close_at = Some(now);
            }
        } else if is_older && self.report != Report::Adopted {
            // The store has lost an opening of this node, which announces it again.
            self.leave();
            self.report = Report::Pending;
        } else {
            let spread = (Duration::ZERO, cx.settings.close_spread);
            self.close_at = Some(now + cx.random(spread));
        }
    }
}
