//! Keeps the windows of a circuit up to date with the success buffer.
//!
//! All functions here require the lock, except [`Circuit::buffer_success`]. See
//! [`success_buffer`](super::success_buffer) for the protocol between a success and the holder of
//! the lock.

use super::locked::Locked;
use super::shell::Circuit;
use super::success_buffer::{Interval, RemainingCapacity, SuccessBuffer};
use super::token::CallToken;
use crate::clock::Moment;
use crate::rules::Sample;
use crate::state::{Flags, PackedState, State};

impl Circuit {
    fn buffer(&self) -> Option<&SuccessBuffer> {
        self.cold_if_init()?.buffer.get()
    }

    /// Records a success in the buffer, or in the windows if the buffer rejects it. Returns `false`
    /// if the success has to be recorded like any other call.
    #[inline]
    pub(super) fn buffer_success(&self, token: CallToken) -> bool {
        let buffer = self.buffer();
        buffer.is_some_and(|buffer| buffer.try_record(token, &self.context.clock))
            || self.record_success_locked(token)
    }

    /// Records a success in the windows, and opens the buffer for the successes that follow.
    #[inline(never)]
    fn record_success_locked(&self, token: CallToken) -> bool {
        if token.started().is_some() {
            // The call may have been slow.
            return false;
        }
        let now = self.context.clock.now();
        let mut locked = self.locked.lock();
        if !self.word().success_is_buffered(token.generation()) {
            return false;
        }
        self.flush_buffer(&mut locked);
        let mut word = self.word();
        let Some(windows) = &mut locked.windows else {
            return false;
        };
        windows.evaluator.record(&Sample::success(now));
        windows.successes += u64::from(word.has(Flags::COUNT_SUCCESSES));
        while let Err(found) = self.publish(&mut locked, word, word.with_failures(0)) {
            word = found;
        }
        self.reopen_buffer(&mut locked, now);
        true
    }

    /// Moves the buffered successes into the windows and the totals, and resets the consecutive
    /// failures if there are any. The buffer stays open.
    pub(super) fn flush_buffer(&self, locked: &mut Locked) {
        self.drain_buffer(locked, SuccessBuffer::flush, None);
    }

    /// Flushes the buffer, and closes it until it is [reopened](Self::reopen_buffer). Returns
    /// `true` if the buffer contained a success.
    ///
    /// If the call that was recorded last is given as `last`, the successes enter the windows
    /// before it.
    pub(super) fn close_buffer(&self, locked: &mut Locked, last: Option<&Sample>) -> bool {
        self.drain_buffer(locked, SuccessBuffer::close, last)
    }

    #[inline]
    fn drain_buffer(
        &self,
        locked: &mut Locked,
        take: impl FnOnce(&SuccessBuffer, &mut RemainingCapacity) -> u64,
        last: Option<&Sample>,
    ) -> bool {
        let (Some(windows), Some(buffer)) = (&mut locked.windows, self.buffer()) else {
            return false;
        };
        let successes = take(buffer, &mut windows.capacity);
        if successes == 0 {
            return false;
        }
        windows.evaluator.add_fast_successes(successes, last);
        let word = self.word();
        if word.has(Flags::COUNT_SUCCESSES) {
            windows.successes += successes;
        }
        if word.failures() > 0 {
            self.update_word(|word| word.with_failures(0));
        }
        true
    }

    /// Replaces `word` with `next`, or returns the word that is stored instead. `next` receives
    /// [`Flags::BUFFER_SUCCESSES`] if successes may change the windows.
    #[inline]
    pub(super) fn publish(
        &self,
        locked: &mut Locked,
        word: PackedState,
        next: PackedState,
    ) -> Result<(), PackedState> {
        let wanted = locked.wants_successes();
        if !wanted {
            self.close_buffer(locked, None);
        }
        let buffering = Flags::BUFFER_SUCCESSES.when(wanted);
        let next = next.without(Flags::BUFFER_SUCCESSES).with(buffering);
        if next == word {
            return Ok(());
        }
        self.cas_word(word, next)
    }

    /// Opens the buffer for successes from `now` on, unless it has capacity for them.
    pub(super) fn reopen_buffer(&self, locked: &mut Locked, now: Moment) {
        let word = self.word();
        if word.state() != State::Closed || !word.has(Flags::BUFFER_SUCCESSES) {
            return;
        }
        let buffer = self.cold().buffer.get_or_init(SuccessBuffer::new);
        if buffer.has_capacity(word.generation(), now) {
            return;
        }
        self.close_buffer(locked, None);
        if let Some(windows) = &mut locked.windows {
            let interval = Interval {
                generation: word.generation(),
                end: windows.evaluator.align_bucket(now),
                slow_threshold: windows.evaluator.min_slow_threshold(),
                capacity: windows.evaluator.saturation_count().unwrap_or(u32::MAX),
            };
            buffer.open(&mut windows.capacity, interval);
        }
    }
}
