//! [`ServerClock`]: estimates instants of the store's clock.

use super::timing::Time;
use crate::protocol::Micros;
use std::collections::VecDeque;
use std::time::Duration;

/// One answer of the store.
#[derive(Clone, Copy, Debug)]
struct Sample {
    sent: Time,
    received: Time,
    server: Micros,
}

/// Estimates at which instant of the store's clock something happened at this node.
///
/// The clocks of nodes are never compared. An instant is the time of the latest answer *before* it,
/// plus the monotonic time since. A pause of this node or a slow request therefore makes an instant
/// older, and never newer.
#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    /// Oldest first. All are of one epoch, except that a jump forward keeps older ones.
    samples: VecDeque<Sample>,
}

const MAX_SAMPLES: usize = 64;
const SPACING: Duration = Duration::from_millis(500);
const MAX_DRIFT: Duration = Duration::from_millis(250);

impl ServerClock {
    /// Notes an answer. Returns `true` if the clock of the store has jumped, so that earlier instants
    /// are unknown until a pull.
    pub(crate) fn note(&mut self, sent: Time, received: Time, server: Micros) -> bool {
        let sample = Sample {
            sent,
            received,
            server,
        };
        let jumped = self.samples.back().is_some_and(|last| {
            let earliest = last.server.after(sent.saturating_sub(last.received));
            let latest = last.server.after(received.saturating_sub(last.sent));
            server < earliest.before(MAX_DRIFT) || server > latest.after(MAX_DRIFT)
        });
        if jumped && self.samples.back().is_some_and(|last| server < last.server) {
            self.samples.clear();
        }
        // The latest answer is always kept; the others are spaced.
        let len = self.samples.len();
        let is_close =
            len >= 2 && received.saturating_sub(self.samples[len - 2].received) < SPACING;
        if is_close && !jumped {
            self.samples.pop_back();
        }
        self.samples.push_back(sample);
        if self.samples.len() > MAX_SAMPLES {
            self.samples.pop_front();
        }
        jumped
    }

    /// Returns the present time of the store, or `None` before the first answer.
    pub(crate) fn now(&self, now: Time) -> Option<Micros> {
        let last = self.samples.back()?;
        Some(last.server.after(now.saturating_sub(last.received)))
    }

    /// Returns the instant of something that happened at `time`, or `None` before the first answer.
    pub(crate) fn at(&self, time: Time) -> Option<Micros> {
        let last = self.samples.back()?;
        let mut earlier = self.samples.iter().rev();
        let before = earlier.find(|sample| sample.received <= time);
        let estimate =
            before.map(|sample| sample.server.after(time.saturating_sub(sample.received)));
        // Never later than the latest answer says, whose epoch may be another one.
        let bound = if time >= last.received {
            last.server.after(time.saturating_sub(last.received))
        } else {
            last.server.before(last.received.saturating_sub(time))
        };
        Some(estimate.map_or(bound, |estimate| estimate.min(bound)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Micros = Micros(1_790_000_000_000_000);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pause_after_trip_makes_trip_older() {
        let mut clock = ServerClock::default();
        assert!(!clock.note(s(10), s(10), EPOCH));
        // The node trips at 12 s. Then its monotonic clock stands still for a minute.
        assert!(clock.note(s(13), s(13), EPOCH.after(s(63))));
        assert_eq!(clock.at(s(12)), Some(EPOCH.after(s(2))));
        assert_eq!(clock.now(s(14)), Some(EPOCH.after(s(64))));
    }

    #[test]
    fn slower_clock_of_new_server_makes_trip_no_newer() {
        let mut clock = ServerClock::default();
        clock.note(s(10), s(10), EPOCH);
        assert!(clock.note(s(20), s(20), EPOCH.after(s(4))));
        assert_eq!(clock.at(s(15)), Some(EPOCH.before(s(1))));
    }

    #[test]
    fn slow_answer_is_no_jump() {
        let mut clock = ServerClock::default();
        assert!(!clock.note(s(10), s(11), EPOCH));
        assert!(!clock.note(s(12), s(13), EPOCH.after(s(3))));
        assert!(!clock.note(s(14), s(15), EPOCH.after(s(4))));
    }

    #[test]
    fn trip_before_first_answer_is_counted_back() {
        let mut clock = ServerClock::default();
        assert_eq!(clock.at(s(5)), None);
        clock.note(s(10), s(10), EPOCH);
        assert_eq!(clock.at(s(5)), Some(EPOCH.before(s(5))));
    }

    #[test]
    fn samples_stay_within_their_bound() {
        let mut clock = ServerClock::default();
        for step in 0..10_000_u64 {
            let now = Duration::from_millis(step * 100);
            clock.note(now, now, EPOCH.after(now));
        }
        assert!(clock.samples.len() <= MAX_SAMPLES);
        let now = s(999);
        assert_eq!(clock.at(now), Some(EPOCH.after(now)));
    }
}
