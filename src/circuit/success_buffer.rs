//! The success buffer: records successes in the windows of a circuit without the mutex.
//!
//! # Problem
//!
//! The mutex of a circuit guards its windows. If each success took the mutex, all healthy calls
//! would contend for it. But a success that is not slow trips no rule, and two such successes
//! commute. It is therefore enough to count them, if the count is exact at each failure and in each
//! bucket of a time window.
//!
//! The buffer is a *statistics counter* with an exact read (Dice, Lev and Moir, *Scalable
//! Statistics Counters*, SPAA 2013). Under contention it is striped like `LongAdder` of
//! `java.util.concurrent`.
//!
//! # Cells
//!
//! The buffer has one shared cell. After the first contention, it also has one cell per
//! [stripe](crate::sync::striped) of threads. A cell is one `u64`:
//!
//! ```text
//! 63..32 generation of the circuit   31..0 remaining capacity
//! ```
//!
//! * A **success** decrements the capacity of its cell by compare-and-swap. The cell must have the
//!   generation of the call, and capacity. Otherwise the success is recorded under the mutex.
//! * **Opening** stores a generation and a capacity in each cell. **Closing** stores zero, which is
//!   no capacity in any generation.
//! * **Flushing** sums the remaining capacities. The difference from the sum of the last flush
//!   ([`RemainingCapacity`]) is the number of successes in between. A flush does not close the
//!   buffer, so a failure that does not open the circuit blocks no successes.
//!
//! # Intervals
//!
//! The buffer is opened for an [`Interval`]. The interval ends when the first bucket of any time
//! window ends, so all successes of an interval belong to one bucket of each window.
//!
//! A count window is *saturated* when it is full of successes that are not slow: one more changes
//! nothing. A time window, and a window of a slow-call rule, is never saturated. If all windows can
//! become saturated, the capacity of a cell is the size of the largest window; otherwise it is
//! `u32::MAX`. A success that finds no capacity takes the mutex, flushes the buffer, and opens it
//! again. If all windows are saturated by then, the state word loses
//! [`BUFFER_SUCCESSES`](crate::state::Flags::BUFFER_SUCCESSES), and successes skip the buffer.
//!
//! The buffer is closed before every step that successes must not cross: a new generation, new
//! settings, the opening of the circuit by a failure, and the end of an interval.
//!
//! # Invariants
//!
//! 1. Only the holder of the circuit's mutex opens, flushes and closes the buffer. No success
//!    enters between closing and opening.
//! 2. A cell has capacity in a generation only while the state word has that generation: the buffer
//!    is opened after the word enters a generation, and closed before the word leaves it.
//! 3. While the buffer is open, each change of a capacity is a decrement by one success.
//!
//! # Linearization
//!
//! The compare-and-swap is the linearization point of a success. By invariant 2, the circuit has
//! the generation of the call at that point. The order in which a success reads the state word, the
//! cell and the interval therefore does not matter. A late success finds another generation, or no
//! capacity.
//!
//! By invariant 3, the sum of capacities only decreases, by one at a time. A flush reads one cell
//! after another, and returns a sum that the cells had at some point between its first and its last
//! read. Successes before that point precede the step that flushes. The others follow it.
//!
//! # ABA
//!
//! Between the load and the compare-and-swap of a success, the buffer may be closed, and opened
//! again in the same generation. The cell may then return to the value that the success loaded, and
//! the compare-and-swap succeeds. This is correct: the success enters the new interval, like a
//! success that began after the opening. Only the checks against the end of the interval and the
//! slow threshold may be those of the earlier interval:
//!
//! * Intervals only advance, so the success counts in a later bucket than its own.
//! * The slow threshold changes only with the settings. A call may be classified by the settings
//!   that were valid when its recording began.
//!
//! # Memory ordering
//!
//! The cells are `Relaxed`. They publish nothing, and a compare-and-swap always finds the latest
//! value. A success that happened before a flush is in the value that the flush reads. Only the end
//! of the interval and the slow threshold need `Release` and `Acquire`, as `is_in_interval`
//! explains.

use super::token::CallToken;
use crate::clock::{ClockSource, Moment};
use crate::state::Generation;
use crate::sync::striped::{reassign_index, stripe, stripes};
use crate::sync::{AtomicU64, OnceBox, Ordering};
use std::time::Duration;

/// The successes that the windows of a circuit do not contain yet. See the
/// [module documentation](self).
#[derive(Debug)]
pub(super) struct SuccessBuffer {
    /// The end of the present interval.
    interval_end: AtomicU64,
    /// The slow threshold of the present interval, in nanoseconds.
    slow_threshold: AtomicU64,
    shared: Cell,
    striped: OnceBox<Box<[CachePadded]>>,
}

/// The sum of all capacities at the last flush, which belongs to the holder of the circuit's mutex.
#[derive(Debug, Default)]
pub(super) struct RemainingCapacity(u64);

impl RemainingCapacity {
    /// Returns `true` if no success enters the buffer.
    pub(super) fn is_closed(&self) -> bool {
        self.0 == 0
    }
}

/// The successes that an open buffer accepts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub(super) generation: Generation,
    /// The time before which the successes end.
    pub(super) end: Moment,
    /// The maximum duration of a call that is slow for no rule.
    pub(super) slow_threshold: Duration,
    /// The number of successes that each cell accepts.
    pub(super) capacity: u32,
}

/// Aligned to two cache lines, because processors prefetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct CachePadded(Cell);

impl SuccessBuffer {
    /// Creates a closed buffer.
    pub(super) fn new() -> Self {
        Self {
            interval_end: AtomicU64::new(0),
            slow_threshold: AtomicU64::new(0),
            shared: Cell::default(),
            striped: OnceBox::new(),
        }
    }

    /// Records the success of an admitted call. Returns `false` if the success has to be recorded
    /// under the mutex.
    #[inline]
    pub(super) fn try_record(&self, token: CallToken, clock: &ClockSource) -> bool {
        let (cell, generation) = (self.cell(), token.generation());
        let value = cell.load();
        if !value.has_capacity_in(generation) || !self.is_in_interval(token, clock) {
            return false;
        }
        match cell.try_decrement(value) {
            Ok(()) => true,
            Err(found) => self.record_contended(cell, generation, found),
        }
    }

    /// Returns `true` if a call that ends now ends within the interval and is not slow.
    #[inline]
    fn is_in_interval(&self, token: CallToken, clock: &ClockSource) -> bool {
        // Ordering: `Acquire` here and below pairs with the `Release` stores in `open`. A success
        // that reads a new end or threshold also sees that the buffer was closed before, and cannot
        // enter the previous interval; without it a success could enter an interval that has ended.
        let interval_end = Moment::from_nanos(self.interval_end.load(Ordering::Acquire));
        match token.started() {
            None => interval_end == Moment::NEVER || clock.coarse_now() < interval_end,
            Some(started) => {
                let now = clock.now();
                let threshold = Duration::from_nanos(self.slow_threshold.load(Ordering::Acquire));
                (interval_end == Moment::NEVER || now < interval_end)
                    && now.since(started) <= threshold
            }
        }
    }

    /// Records a success whose compare-and-swap has `found` another value. Contention for the
    /// shared cell adds the stripes. Contention for a stripe moves the thread to another stripe.
    #[cold]
    #[inline(never)]
    fn record_contended(&self, cell: &Cell, generation: Generation, mut found: CellValue) -> bool {
        if found.has_capacity_in(generation) {
            if self.striped.get().is_some() {
                reassign_index();
            } else {
                // New cells are closed until the next opening.
                self.striped.get_or_init(stripes);
            }
        }
        while found.has_capacity_in(generation) {
            match cell.try_decrement(found) {
                Ok(()) => return true,
                Err(other) => found = other,
            }
        }
        false
    }

    /// Returns `true` if the buffer accepts a success of `generation` that ends at `now`.
    pub(super) fn has_capacity(&self, generation: Generation, now: Moment) -> bool {
        // Ordering: `Relaxed` suffices, because only the holder of the mutex stores the end.
        let interval_end = Moment::from_nanos(self.interval_end.load(Ordering::Relaxed));
        (interval_end == Moment::NEVER || now < interval_end)
            && self.cell().load().has_capacity_in(generation)
    }

    /// Returns the number of successes since the last flush.
    #[inline]
    pub(super) fn flush(&self, remaining: &mut RemainingCapacity) -> u64 {
        if remaining.is_closed() {
            return 0;
        }
        let now = self.sum(Cell::load);
        std::mem::replace(&mut remaining.0, now) - now
    }

    /// Closes every cell, and returns the number of successes since the last flush.
    pub(super) fn close(&self, remaining: &mut RemainingCapacity) -> u64 {
        if remaining.is_closed() {
            return 0;
        }
        std::mem::take(&mut remaining.0) - self.sum(Cell::close)
    }

    /// Opens every cell of a closed buffer.
    pub(super) fn open(&self, remaining: &mut RemainingCapacity, interval: Interval) {
        debug_assert!(remaining.is_closed());
        let threshold = u64::try_from(interval.slow_threshold.as_nanos()).unwrap_or(u64::MAX);
        // Ordering: see `is_in_interval`.
        self.interval_end
            .store(interval.end.as_nanos(), Ordering::Release);
        self.slow_threshold.store(threshold, Ordering::Release);
        let value = CellValue::new(interval.generation, interval.capacity);
        remaining.0 = self.sum(|cell| cell.open(value));
    }

    /// Returns the cell of the current thread.
    #[inline]
    fn cell(&self) -> &Cell {
        match self.striped.get() {
            Some(striped) => &stripe(striped).0,
            None => &self.shared,
        }
    }

    /// Sums the capacities in the values that `value` returns for all cells. Stripes that were
    /// added since the opening are closed, and contribute nothing.
    #[inline]
    fn sum(&self, value: impl Fn(&Cell) -> CellValue) -> u64 {
        let striped = self.striped.get().map(Box::as_ref).unwrap_or_default();
        let striped = striped.iter().map(|padded| value(&padded.0).capacity());
        value(&self.shared).capacity() + striped.sum::<u64>()
    }
}

/// The value of a cell: a generation in the upper half, the remaining capacity in the lower half.
#[derive(Clone, Copy, Debug, PartialEq)]
struct CellValue(u64);

impl CellValue {
    const CLOSED: Self = Self(0);

    fn new(generation: Generation, capacity: u32) -> Self {
        Self(u64::from(generation.number()) << 32 | u64::from(capacity))
    }

    const fn capacity(self) -> u64 {
        self.0 & 0xffff_ffff
    }

    #[inline]
    fn has_capacity_in(self, generation: Generation) -> bool {
        self.0 >> 32 == u64::from(generation.number()) && self.capacity() > 0
    }
}

#[derive(Debug, Default)]
struct Cell(AtomicU64);

impl Cell {
    #[inline]
    fn load(&self) -> CellValue {
        CellValue(self.0.load(Ordering::Relaxed))
    }

    /// Decrements the capacity of `value`, or returns the value that the cell has instead.
    #[inline]
    fn try_decrement(&self, value: CellValue) -> Result<(), CellValue> {
        let relaxed = Ordering::Relaxed;
        let decremented = self
            .0
            .compare_exchange(value.0, value.0 - 1, relaxed, relaxed);
        decremented.map(|_| ()).map_err(CellValue)
    }

    fn open(&self, value: CellValue) -> CellValue {
        self.0.store(value.0, Ordering::Relaxed);
        value
    }

    /// Returns the value before the closing.
    fn close(&self) -> CellValue {
        CellValue(self.0.swap(CellValue::CLOSED.0, Ordering::Relaxed))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::state::{Flags, PackedState, State};

    fn generations() -> [Generation; 2] {
        let word = PackedState::new(State::Closed, Flags::NONE);
        [word.generation(), word.next_generation().generation()]
    }

    fn interval(generation: Generation) -> Interval {
        Interval {
            generation,
            end: Moment::NEVER,
            slow_threshold: Duration::MAX,
            capacity: u32::MAX,
        }
    }

    fn record(buffer: &SuccessBuffer, generation: Generation) -> bool {
        buffer.try_record(CallToken::untimed(generation), &ClockSource::default())
    }

    #[test]
    fn buffer_records_only_while_open() {
        for generation in generations() {
            let (buffer, mut remaining) = (SuccessBuffer::new(), RemainingCapacity::default());
            assert!(!record(&buffer, generation));
            buffer.open(&mut remaining, interval(generation));
            assert!(record(&buffer, generation) && record(&buffer, generation));
            assert_eq!(buffer.flush(&mut remaining), 2);
            assert!(record(&buffer, generation), "a flush closes nothing");
            assert_eq!(buffer.close(&mut remaining), 1);
            assert!(!record(&buffer, generation));
            assert_eq!(buffer.close(&mut remaining), 0);
            assert_eq!(buffer.flush(&mut remaining), 0);
        }
    }

    #[test]
    fn buffer_records_only_its_generation() {
        let [first, second] = generations();
        for (open, other) in [(first, second), (second, first)] {
            let (buffer, mut remaining) = (SuccessBuffer::new(), RemainingCapacity::default());
            buffer.open(&mut remaining, interval(open));
            assert!(!record(&buffer, other) && record(&buffer, open));
            assert_eq!(buffer.close(&mut remaining), 1);
        }
    }

    #[test]
    fn end_and_slow_threshold_send_successes_to_mutex() {
        let [generation, _] = generations();
        let (buffer, mut remaining) = (SuccessBuffer::new(), RemainingCapacity::default());
        let clock = ClockSource::default();
        let timed = CallToken::timed(generation, clock.now());
        let with = |end, slow_threshold| Interval {
            end,
            slow_threshold,
            ..interval(generation)
        };
        let hour = Duration::from_secs(3600);
        for (end, slow_threshold, records) in [
            (Moment::NEVER, hour, [true, true]),
            (clock.now().after(hour), hour, [true, true]),
            (Moment::ORIGIN, hour, [false, false]),
            (Moment::NEVER, Duration::ZERO, [true, false]),
        ] {
            buffer.open(&mut remaining, with(end, slow_threshold));
            let recorded = [CallToken::untimed(generation), timed]
                .map(|token| buffer.try_record(token, &clock));
            assert_eq!(recorded, records);
            buffer.close(&mut remaining);
        }
    }

    #[test]
    fn contention_adds_stripes() {
        let [generation, _] = generations();
        let (buffer, mut remaining) = (SuccessBuffer::new(), RemainingCapacity::default());
        buffer.open(&mut remaining, interval(generation));
        let cell = &buffer.shared;
        let found = cell.load();
        assert!(buffer.record_contended(cell, generation, found));
        assert!(
            !record(&buffer, generation),
            "closed until the next opening"
        );
        assert_eq!(buffer.flush(&mut remaining), 1);
        assert_eq!(buffer.close(&mut remaining), 0);
        buffer.open(&mut remaining, interval(generation));
        assert!(record(&buffer, generation));
        assert_eq!(buffer.shared.load().capacity(), u64::from(u32::MAX));
        assert_eq!(buffer.flush(&mut remaining), 1);
    }

    #[test]
    fn full_cell_sends_successes_to_mutex() {
        let [generation, _] = generations();
        let (buffer, mut remaining) = (SuccessBuffer::new(), RemainingCapacity::default());
        let small = |capacity| Interval {
            capacity,
            ..interval(generation)
        };
        buffer.open(&mut remaining, small(2));
        let found = buffer.shared.load();
        assert!(record(&buffer, generation) && record(&buffer, generation));
        assert!(!record(&buffer, generation));
        let now = buffer.shared.try_decrement(found).unwrap_err();
        assert!(!buffer.record_contended(&buffer.shared, generation, now));
        assert_eq!(buffer.flush(&mut remaining), 2);
        assert_eq!(buffer.close(&mut remaining), 0);
        buffer.open(&mut remaining, small(1));
        assert!(record(&buffer, generation) && !record(&buffer, generation));
        assert_eq!(buffer.close(&mut remaining), 1);
    }
}
