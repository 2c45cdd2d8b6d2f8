//! Records successes, most of which have little to do.

use super::call::Completion;
use super::control::Control;
use super::counters::Count;
use super::shell::Circuit;
use super::success_buffer::{RoomLeft, SuccessBuffer, Terms};
use super::token::CallToken;
use crate::classify::Outcome;
use crate::clock::Moment;
use crate::rules::Sample;
use crate::snapshot::Totals;
use crate::state::{Flags, PackedState, State};

impl Circuit {
    /// Records a success. On a healthy circuit that is one load, and one more number in the totals.
    #[inline]
    pub(crate) fn record_success(&self, ticket: CallToken) {
        let word = self.word();
        if !ticket.is_noop_success(word) {
            self.record_success_slow(word, ticket);
        } else if word.has(Flags::COUNT_SUCCESSES) {
            self.counters.add(Count::Success);
        }
    }

    /// Records a success that changes more than a total.
    #[inline(never)]
    fn record_success_slow(&self, word: PackedState, ticket: CallToken) {
        let recorded = if word.success_is_buffered(ticket.generation()) {
            self.buffer_success(ticket) || self.record_success_locked(ticket)
        } else {
            let reset = self.reset_count(word, ticket);
            if reset && word.has(Flags::COUNT_SUCCESSES) {
                self.counters.add(Count::Success);
            }
            reset
        };
        if !recorded {
            self.record(ticket, Completion::Returned(Outcome::Success, None));
        } else if ticket.started().is_some() {
            self.counters.take(Count::InFlight);
        }
    }

    /// Resets the consecutive failures, if a success has nothing else to do.
    fn reset_count(&self, mut word: PackedState, ticket: CallToken) -> bool {
        while word.success_only_resets(ticket.generation()) {
            if word.failures() == 0 {
                return true;
            }
            match self.exchange(word, word.with_failures(0)) {
                Ok(()) => return true,
                Err(found) => word = found,
            }
        }
        false
    }

    #[inline]
    fn buffer_success(&self, ticket: CallToken) -> bool {
        let buffer = self.buffer();
        buffer.is_some_and(|buffer| buffer.count(ticket, &self.home.clock))
    }

    /// Records a success for which the buffer has no room, and opens the buffer for the next ones. A timed
    /// call may be a slow one, which takes more than this.
    #[inline(never)]
    fn record_success_locked(&self, ticket: CallToken) -> bool {
        if ticket.started().is_some() {
            return false;
        }
        let now = self.home.clock.now();
        let mut control = self.control.lock();
        if !self.word().success_is_buffered(ticket.generation()) {
            return false;
        }
        self.flush_buffer(&mut control);
        let mut word = self.word();
        let Some(books) = &mut control.books else {
            return false;
        };
        books.ledger.record(&Sample::success(now));
        books.successes += u64::from(word.has(Flags::COUNT_SUCCESSES));
        while let Err(found) = self.publish(&mut control, word, word.with_failures(0)) {
            word = found;
        }
        self.renew_buffer(&mut control, now);
        true
    }

    #[inline]
    fn buffer(&self) -> Option<&SuccessBuffer> {
        self.known_extras()?.buffer.get()
    }

    /// Brings windows, totals and word up to date with the buffered successes.
    pub(super) fn flush_buffer(&self, control: &mut Control) {
        if self.flush(control) {
            self.reset_row();
        }
    }

    /// The same, and closes the buffer until it is [renewed](Self::renew_buffer).
    pub(super) fn close_buffer(&self, control: &mut Control) {
        if self.take_buffered(control, SuccessBuffer::close, None) {
            self.reset_row();
        }
    }

    /// A success came after the failures in the word.
    fn reset_row(&self) {
        if self.word().failures() > 0 {
            self.replace_word(|word| word.with_failures(0));
        }
    }

    /// Brings windows and totals up to date. Returns whether a success was buffered: then the consecutive
    /// failures in the word are over.
    pub(super) fn flush(&self, control: &mut Control) -> bool {
        self.take_buffered(control, SuccessBuffer::flush, None)
    }

    /// The same, and closes the buffer. Successes that were still in it come before the call that was
    /// recorded `last`.
    pub(super) fn close_before(&self, control: &mut Control, last: &Sample) -> bool {
        self.take_buffered(control, SuccessBuffer::close, Some(last))
    }

    #[inline]
    fn take_buffered(
        &self,
        control: &mut Control,
        take: impl FnOnce(&SuccessBuffer, &mut RoomLeft) -> u64,
        before: Option<&Sample>,
    ) -> bool {
        let (Some(books), Some(buffer)) = (&mut control.books, self.buffer()) else {
            return false;
        };
        let successes = take(buffer, &mut books.room);
        if successes == 0 {
            return false;
        }
        books.ledger.add_fast_successes(successes, before);
        if self.word().has(Flags::COUNT_SUCCESSES) {
            books.successes += successes;
        }
        true
    }

    /// Publishes `next` instead of `word`, with the word of the windows on whether they want successes;
    /// or returns which word there is instead. The buffer is closed while they want none.
    #[inline]
    pub(super) fn publish(
        &self,
        control: &mut Control,
        word: PackedState,
        next: PackedState,
    ) -> Result<(), PackedState> {
        let wanted = control.wants_successes();
        if !wanted {
            self.close_buffer(control);
        }
        let buffering = Flags::BUFFER_SUCCESSES.when(wanted);
        let next = next.without(Flags::BUFFER_SUCCESSES).with(buffering);
        if next == word {
            return Ok(());
        }
        self.exchange(word, next)
    }

    /// Opens the buffer for successes from `now` on, unless they find room in it.
    pub(super) fn renew_buffer(&self, control: &mut Control, now: Moment) {
        let word = self.word();
        if word.state() != State::Closed || !word.has(Flags::BUFFER_SUCCESSES) {
            return;
        }
        let buffer = self.extras().buffer.get_or_init(SuccessBuffer::new);
        if buffer.has_room(word.generation(), now) {
            return;
        }
        self.close_buffer(control);
        if let Some(books) = &mut control.books {
            let terms = Terms {
                generation: word.generation(),
                interval_end: books.ledger.align_bucket(now),
                quick_limit: books.ledger.min_slow_threshold(),
                capacity: books.ledger.fill().unwrap_or(u32::MAX),
            };
            buffer.open(&mut books.room, terms);
        }
    }

    /// The totals, with what was counted in the windows. The buffer has been flushed.
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
