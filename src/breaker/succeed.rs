//! Successes, which nearly every call is: what they need not do.

use super::call::Ended;
use super::circuit::Circuit;
use super::control::Control;
use super::counters::Count;
use super::tally::Tally;
use super::ticket::Ticket;
use crate::classify::Outcome;
use crate::clock::Moment;
use crate::state::{Flags, State, Word};
use crate::sync::Ordering;
use crate::trip::Sample;

impl Circuit {
    /// Records a success. On a healthy circuit that is one load, and one more number in the totals.
    #[inline]
    pub(crate) fn succeed(&self, ticket: Ticket) {
        let word = self.word();
        let quiet = word.is_quiet(ticket.generation()) && ticket.started().is_none();
        if !quiet && !self.succeed_calmly(word, ticket) && !self.succeed_in_windows(word, ticket) {
            self.settle(ticket, Ended::Returned(Outcome::Success, None));
        } else if word.has(Flags::COUNTING) {
            self.counters.add(Count::Success);
        }
    }

    /// Records a success of a timed circuit, or one with windows, that needs no lock; tells whether it
    /// was one.
    #[inline(never)]
    fn succeed_calmly(&self, word: Word, ticket: Ticket) -> bool {
        if !word.is_calm(ticket.generation())
            || word.has(Flags::TALLYING) && !self.put_into_tally(ticket)
        {
            return false;
        }
        if ticket.started().is_some() {
            self.counters.take(Count::InFlight);
        }
        true
    }

    /// Records a success of a closed circuit with nothing to do but to go through its windows; tells
    /// whether it was one.
    fn succeed_in_windows(&self, word: Word, ticket: Ticket) -> bool {
        if ticket.started().is_some() || !word.has(Flags::BUSY | Flags::TALLYING) {
            return false;
        }
        // Read before the lock is taken, and only if a window asks.
        let timely = word.has(Flags::TALLYING);
        let now = timely.then(|| self.home.clock.recent());
        let mut control = self.control.lock();
        let mut word = self.word();
        let quiet = !control.attended && self.streak.load(Ordering::Relaxed) == 0;
        let plain = word.state() == State::Closed && !word.has(Flags::TIMED);
        let unread = word.has(Flags::TALLYING) && now.is_none();
        if word.generation() != ticket.generation() || !quiet || !plain || unread {
            return false;
        }
        self.take_tally(&mut control);
        let now = now.unwrap_or(Moment::ORIGIN);
        let Some(ledger) = &mut control.ledger else {
            return false;
        };
        ledger.record(&Sample::success(now));
        let busy = Flags::BUSY.when(!ledger.is_sated());
        loop {
            let next = word.with_count(0).without(Flags::BUSY).with(busy);
            if next == word {
                break;
            }
            match self.exchange(word, next) {
                Ok(()) => break,
                Err(found) => word = found,
            }
        }
        self.open_tally(&mut control, word, now);
        true
    }

    fn put_into_tally(&self, ticket: Ticket) -> bool {
        let Some(tally) = self.tally() else {
            return false;
        };
        let Some(slot) = tally.open() else {
            return false;
        };
        // In this order: see the invariants of `Tally`.
        if !self.word().is_calm(ticket.generation()) {
            return false;
        }
        let clock = &self.home.clock;
        let (now, elapsed) = match ticket.started() {
            None => (clock.recent(), None),
            Some(started) => {
                let now = clock.now();
                (now, Some(now.since(started)))
            }
        };
        tally.takes(now, elapsed) && tally.put(&slot)
    }

    #[inline]
    fn tally(&self) -> Option<&Tally> {
        self.known_extras()?.tally.get()
    }

    /// Brings the ledger up to date, and keeps it so until [`open_tally`](Self::open_tally).
    pub(super) fn take_tally(&self, control: &mut Control) {
        if let Some(tally) = self.tally() {
            let successes = tally.freeze();
            if let Some(ledger) = &mut control.ledger {
                ledger.add_quick(successes);
            }
        }
    }

    /// Lets quick successes be counted without the lock from `now` on.
    pub(super) fn open_tally(&self, control: &mut Control, word: Word, now: Moment) {
        if word.state() != State::Closed || !word.has(Flags::TALLYING) {
            return;
        }
        if let Some(ledger) = &mut control.ledger {
            let edge = ledger.begin_interval(now);
            let tally = self.extras().tally.get_or_init(Tally::new);
            tally.thaw(edge, ledger.slowest_quick());
        }
    }
}
