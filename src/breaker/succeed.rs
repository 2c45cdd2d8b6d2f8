//! Successes, which nearly every call is: what they need not do.

use super::call::Ended;
use super::cell::Slot;
use super::circuit::Circuit;
use super::control::{Books, Control};
use super::counters::Count;
use super::tally::{Folded, Tally, Terms};
use super::ticket::Ticket;
use crate::classify::Outcome;
use crate::clock::Moment;
use crate::snapshot::Totals;
use crate::state::{Flags, State, Word};
use crate::trip::Sample;

impl Circuit {
    /// Records a success. On a healthy circuit that is one load, and one more number in the totals.
    #[inline]
    pub(crate) fn succeed(&self, ticket: Ticket) {
        let word = self.word();
        if !ticket.is_quiet_at(word) {
            self.succeed_attentively(word, ticket);
        } else if word.has(Flags::COUNTING) {
            self.counters.add(Count::Success);
        }
    }

    /// Records a success that has a little more to do: to end a row of failures, to be put down for the
    /// windows, to be no longer in flight.
    ///
    /// Most often it is put down for windows of calls, so that comes first. A processor does not begin an
    /// atomic step before all earlier writes are out: whatever needs more than a few registers, and so
    /// would save some on the stack, is a function of its own.
    #[inline(never)]
    fn succeed_attentively(&self, word: Word, ticket: Ticket) {
        match self.open_at_once(word, ticket) {
            Some(slot) => {
                if let Err(found) = slot.put() {
                    self.succeed_among_others(word, ticket, slot.seen(), found);
                }
            }
            None => self.succeed_slowly(word, ticket),
        }
    }

    #[cold]
    #[inline(never)]
    fn succeed_among_others(&self, word: Word, ticket: Ticket, seen: u64, found: u64) {
        let put = |tally: &Tally| tally.put_into_first_again(seen, found);
        if !self.tally().is_some_and(put) {
            self.succeed_slowly(word, ticket);
        }
    }

    #[inline(never)]
    fn succeed_slowly(&self, word: Word, ticket: Ticket) {
        let done = if word.has(Flags::TALLYING) {
            // The totals find it where it was put.
            self.put_into_tally(ticket) || self.put_into_ledger(ticket)
        } else {
            let done = self.end_row(word, ticket);
            if done && word.has(Flags::COUNTING) {
                self.counters.add(Count::Success);
            }
            done
        };
        if !done {
            self.settle(ticket, Ended::Returned(Outcome::Success, None));
        } else if ticket.started().is_some() {
            self.counters.take(Count::InFlight);
        }
    }

    /// Sets the failures in a row to zero, if a success has nothing else to do.
    fn end_row(&self, mut word: Word, ticket: Ticket) -> bool {
        while word.is_calm(ticket.generation()) {
            if word.count() == 0 {
                return true;
            }
            match self.exchange(word, word.with_count(0)) {
                Ok(()) => return true,
                Err(found) => word = found,
            }
        }
        false
    }

    /// Where a success may be put down, if neither time nor a lock has to be asked for.
    #[inline]
    fn open_at_once(&self, word: Word, ticket: Ticket) -> Option<Slot<'_>> {
        if !word.has(Flags::TALLYING) || ticket.started().is_some() {
            return None;
        }
        let tally = self.tally()?;
        let slot = tally.open_first_cell()?;
        // In this order: see the invariants of `Tally`.
        let quick = self.word().is_tallying(ticket.generation()) && tally.edge() == Moment::NEVER;
        quick.then_some(slot)
    }

    fn put_into_tally(&self, ticket: Ticket) -> bool {
        let Some(tally) = self.tally() else {
            return false;
        };
        let Some(slot) = tally.open_cell() else {
            return false;
        };
        // In this order: see the invariants of `Tally`.
        if !self.word().is_tallying(ticket.generation()) {
            return false;
        }
        let edge = tally.edge();
        let clock = &self.home.clock;
        let quick = match ticket.started() {
            None => edge == Moment::NEVER || clock.recent() < edge,
            Some(started) => {
                let now = clock.now();
                (edge == Moment::NEVER || now < edge) && now.since(started) <= tally.limit()
            }
        };
        quick && tally.put(slot)
    }

    /// Records a success under the lock, and sees to it that the next ones are put into the tally.
    #[inline(never)]
    fn put_into_ledger(&self, ticket: Ticket) -> bool {
        if ticket.started().is_some() || !self.word().is_tallying(ticket.generation()) {
            return false;
        }
        // Read before the lock is taken, and only if a window asks. Precisely: it may begin an interval.
        let asked = self
            .tally()
            .is_none_or(|tally| tally.edge() != Moment::NEVER);
        let now = asked.then(|| self.home.clock.now());
        let mut control = self.control.lock();
        let word = self.word();
        let unread = now.is_none() && control.config().is_over_time();
        if !word.is_tallying(ticket.generation()) || unread {
            return false;
        }
        self.fold_tally(&mut control);
        let now = now.unwrap_or(Moment::ORIGIN);
        let Some(books) = &mut control.books else {
            return false;
        };
        books.ledger.record(&Sample::success(now));
        books.successes += u64::from(word.has(Flags::COUNTING));
        let mut word = self.word();
        while let Err(found) = self.publish(&mut control, word, word.with_count(0)) {
            word = found;
        }
        self.renew_tally(&mut control, now);
        true
    }

    #[inline]
    fn tally(&self) -> Option<&Tally> {
        self.known_extras()?.tally.get()
    }

    /// Brings ledger, word and totals up to date with the successes that have been put down.
    pub(super) fn fold_tally(&self, control: &mut Control) {
        if self.fold(control) {
            self.forget_row();
        }
    }

    /// The same, and nothing is put down any more until the tally is [renewed](Self::renew_tally).
    pub(super) fn close_tally(&self, control: &mut Control) {
        if self.close(control) {
            self.forget_row();
        }
    }

    /// A success came after the failures in the word.
    pub(super) fn forget_row(&self) {
        if self.word().count() > 0 {
            self.replace_word(|word| word.with_count(0));
        }
    }

    /// Brings the ledger and the totals up to date, and tells whether there was anything: then the row
    /// of failures in the word is over.
    pub(super) fn fold(&self, control: &mut Control) -> bool {
        self.add_put_down(control, Tally::fold)
    }

    /// The same, and closes the tally.
    pub(super) fn close(&self, control: &mut Control) -> bool {
        self.add_put_down(control, Tally::close)
    }

    #[inline]
    fn add_put_down(
        &self,
        control: &mut Control,
        number: impl FnOnce(&Tally, &mut Folded) -> u64,
    ) -> bool {
        let (Some(books), Some(tally)) = (&mut control.books, self.tally()) else {
            return false;
        };
        let Books {
            ledger,
            folded,
            successes,
            ..
        } = &mut **books;
        let put_down = number(tally, folded);
        if put_down == 0 {
            return false;
        }
        ledger.add_quick(put_down);
        if self.word().has(Flags::COUNTING) {
            *successes += put_down;
        }
        true
    }

    /// Publishes `next` instead of `word`, with the word of the windows on whether they want successes;
    /// or tells which there is instead. The tally is closed while they want none.
    #[inline]
    pub(super) fn publish(
        &self,
        control: &mut Control,
        word: Word,
        next: Word,
    ) -> Result<(), Word> {
        let wanted = control.wants_successes();
        if !wanted {
            self.close_tally(control);
        }
        let tallying = Flags::TALLYING.when(wanted);
        let next = next.without(Flags::TALLYING).with(tallying);
        if next == word {
            return Ok(());
        }
        self.exchange(word, next)
    }

    /// Opens the tally for what ends from `now` on, unless it is open for that.
    pub(super) fn renew_tally(&self, control: &mut Control, now: Moment) {
        let word = self.word();
        if word.state() != State::Closed || !word.has(Flags::TALLYING) {
            return;
        }
        let Some(books) = &control.books else {
            return;
        };
        let tally = self.extras().tally.get_or_init(Tally::new);
        let current = |edge| edge == Moment::NEVER || now < edge;
        if books.folded.is_open() && current(tally.edge()) && tally.open_cell().is_some() {
            return;
        }
        self.close_tally(control);
        if let Some(Books { ledger, folded, .. }) = control.books.as_deref_mut() {
            let terms = Terms {
                edge: ledger.begin_interval(now),
                limit: ledger.slowest_quick(),
                room: ledger.fill().unwrap_or(u32::MAX),
            };
            tally.open(folded, terms);
        }
    }

    /// The totals, with what was counted in the tally. It has been folded.
    pub(super) fn totals_with(&self, control: &Control) -> Totals {
        let (successes, failures) = control.counted();
        let totals = self.counters.totals(control.config().count_successes());
        Totals {
            success: totals.success.map(|counted| counted + successes),
            failure: totals.failure + failures,
            ..totals
        }
    }
}
