//! The success buffer: successes that count in the windows of a circuit without its lock.
//!
//! # Problem
//!
//! The windows of a circuit are guarded by its lock. A lock for each success would make every healthy
//! call contend with every other one. But a success that is not slow cannot trip a rule, and two such
//! successes have the same effect in either order. It is enough to count them, as long as the count is
//! exact between any two failures, and within any bucket of a time window.
//!
//! # Protocol
//!
//! The buffer has one shared cell, and one padded cell per stripe of threads since two successes met in
//! the shared cell (the `LongAdder` of `java.util.concurrent`). A cell is one `u64`:
//!
//! ```text
//! 63..32 generation of the circuit   31..0 room left
//! ```
//!
//! * A **success** is one compare-and-swap that takes one from the room, while the cell has the
//!   generation that admitted the call, and room. Otherwise the success is recorded under the lock.
//! * The **lock's holder** opens, flushes and closes the cells. *Opening* writes generation and room,
//!   *closing* writes zero: no room in any generation. *Flushing* sums up the room that is left; what
//!   is missing since the last flush are the successes in between ([`RoomLeft`] keeps that sum).
//!
//! A flush closes nothing, so that a failure that opens no circuit holds up no success. The buffer is
//! closed where successes must come either before or after a step: before the generation moves on, before
//! the settings change, before a failure opens the circuit, and at the end of an interval.
//!
//! An interval ends with the first bucket that ends, of all time windows, so that all successes of one
//! interval belong into the same bucket of each window. The room of a cell is the size of the largest
//! window of calls: a success that finds its cell full flushes the buffer, and learns there whether all
//! windows are full of successes by now. Then the word loses [`BUFFERING`](crate::state::Flags::BUFFER_SUCCESSES),
//! and a success has nothing to do at all.
//!
//! # Invariants
//!
//! 1. Only the holder of the circuit's lock opens, flushes and closes the buffer, and no success enters
//!    between closing and opening.
//! 2. A cell has room in a generation only while the word has this generation: the buffer is opened
//!    after the word enters a generation, and closed before the word leaves it.
//! 3. While the buffer is open, its room changes by successes only, one at a time, downwards.
//!
//! # Linearization
//!
//! The compare-and-swap is the linearization point of a success. By invariant 2 the circuit has the
//! generation of the call at that point, whatever the call has read before: the order in which it reads
//! word, cell, interval and limit does not matter. A late success finds another generation, or no room.
//!
//! By invariant 3 a flush, which reads one cell after another, returns a sum that the cells had at one
//! point between its first and its last read. Successes before that point come before the step for
//! which the buffer is flushed, and the others come after it. (Dice, Lev and Moir, *Scalable Statistics
//! Counters*, SPAA 2013, discuss such counters and what their reads guarantee.)
//!
//! The room of a cell may return to a value that it had, in one generation, when the buffer is closed and
//! opened between the load and the swap of a success. The swap succeeds then, and the success enters at
//! the swap, like one that began after the opening. The interval and the limit by which it was checked may
//! have been those before the opening. An interval only moves on, so that the success counts in the bucket
//! after its own; a limit only changes with the settings, and a call is judged by the settings that were
//! valid when its recording began.

use super::token::CallToken;
use crate::clock::{ClockSource, Moment};
use crate::state::Generation;
use crate::sync::striped::{reassign_index, stripe, stripes};
use crate::sync::{AtomicU64, OnceBox, Ordering};
use std::time::Duration;

/// The successes of a circuit that its windows do not have yet. See the [module](self).
#[derive(Debug)]
pub(super) struct SuccessBuffer {
    /// The end of the interval, at which all time windows are still in the same bucket.
    interval_end: AtomicU64,
    /// The longest duration of a call that no rule considers slow, in nanoseconds.
    quick_limit: AtomicU64,
    shared: Cell,
    striped: OnceBox<Box<[Padded]>>,
}

/// The room left in all cells when they were last flushed. Belongs to the holder of the circuit's lock.
#[derive(Debug, Default)]
pub(super) struct RoomLeft(u64);

impl RoomLeft {
    /// Whether no success enters the buffer.
    pub(super) fn is_closed(&self) -> bool {
        self.0 == 0
    }
}

/// The successes for which a buffer is opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) generation: Generation,
    /// They end before this.
    pub(super) interval_end: Moment,
    /// They took no longer.
    pub(super) quick_limit: Duration,
    /// The number of them for each cell.
    pub(super) capacity: u32,
}

/// Two cache lines wide: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Cell);

impl SuccessBuffer {
    /// A closed buffer.
    pub(super) fn new() -> Self {
        Self {
            interval_end: AtomicU64::new(0),
            quick_limit: AtomicU64::new(0),
            shared: Cell::default(),
            striped: OnceBox::new(),
        }
    }

    /// Counts the success of an admitted call. Returns `false` if the success has to be recorded under the
    /// lock.
    #[inline]
    pub(super) fn count(&self, ticket: CallToken, clock: &ClockSource) -> bool {
        let (cell, generation) = (self.cell(), ticket.generation());
        let room = cell.load();
        if !room.is_in(generation) || !self.covers(ticket, clock) {
            return false;
        }
        match cell.take_one(room) {
            Ok(()) => true,
            Err(found) => self.count_contended(cell, generation, found),
        }
    }

    /// Whether a call that ends now is not slow, and ends within the interval.
    #[inline]
    fn covers(&self, ticket: CallToken, clock: &ClockSource) -> bool {
        // Ordering: `Acquire` here and below pairs with the `Release` stores in `open`. A success that
        // reads the values of a later opening thereby sees the closing before it, and its swap fails in a
        // cell of the interval before; without it a success could enter an interval that is over.
        let interval_end = Moment::from_nanos(self.interval_end.load(Ordering::Acquire));
        match ticket.started() {
            None => interval_end == Moment::NEVER || clock.coarse_now() < interval_end,
            Some(started) => {
                let now = clock.now();
                let limit = Duration::from_nanos(self.quick_limit.load(Ordering::Acquire));
                (interval_end == Moment::NEVER || now < interval_end) && now.since(started) <= limit
            }
        }
    }

    /// Goes on with a success whose cell was `found` changed.
    #[cold]
    #[inline(never)]
    fn count_contended(&self, cell: &Cell, generation: Generation, mut found: Room) -> bool {
        if found.is_in(generation) {
            // Two successes have met.
            if self.striped.get().is_some() {
                reassign_index();
            } else {
                // The stripes are closed until the next opening.
                self.striped.get_or_init(stripes);
            }
        }
        while found.is_in(generation) {
            match cell.take_one(found) {
                Ok(()) => return true,
                Err(other) => found = other,
            }
        }
        false
    }

    /// Whether a success of `generation` that ends at `now` finds room.
    pub(super) fn has_room(&self, generation: Generation, now: Moment) -> bool {
        // Relaxed: only the lock's holder changes it.
        let interval_end = Moment::from_nanos(self.interval_end.load(Ordering::Relaxed));
        (interval_end == Moment::NEVER || now < interval_end)
            && self.cell().load().is_in(generation)
    }

    /// Returns the number of successes since the last flush.
    #[inline]
    pub(super) fn flush(&self, left: &mut RoomLeft) -> u64 {
        if left.is_closed() {
            return 0;
        }
        let now = self.sum(Cell::load);
        std::mem::replace(&mut left.0, now) - now
    }

    /// Closes every cell, and returns the number of successes since the last flush.
    pub(super) fn close(&self, left: &mut RoomLeft) -> u64 {
        if left.is_closed() {
            return 0;
        }
        std::mem::take(&mut left.0) - self.sum(Cell::close)
    }

    /// Opens every cell of a closed buffer.
    pub(super) fn open(&self, left: &mut RoomLeft, terms: Terms) {
        debug_assert!(left.is_closed());
        let limit = u64::try_from(terms.quick_limit.as_nanos()).unwrap_or(u64::MAX);
        // Ordering: see `covers`.
        self.interval_end
            .store(terms.interval_end.as_nanos(), Ordering::Release);
        self.quick_limit.store(limit, Ordering::Release);
        let room = Room::new(terms.generation, terms.capacity);
        left.0 = self.sum(|cell| cell.open(room));
    }

    /// The cell of this thread.
    #[inline]
    fn cell(&self) -> &Cell {
        match self.striped.get() {
            Some(striped) => &stripe(striped).0,
            None => &self.shared,
        }
    }

    /// Sums up the room in all cells. A stripe that was made since the opening is closed, and has none.
    #[inline]
    fn sum(&self, room: impl Fn(&Cell) -> Room) -> u64 {
        let striped = self.striped.get().map(Box::as_ref).unwrap_or_default();
        let striped = striped.iter().map(|padded| room(&padded.0).left());
        room(&self.shared).left() + striped.sum::<u64>()
    }
}

/// What a cell has: a generation in the upper half, the room that is left in the lower one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Room(u64);

impl Room {
    const NONE: Self = Self(0);

    fn new(generation: Generation, left: u32) -> Self {
        Self(u64::from(generation.number()) << 32 | u64::from(left))
    }

    const fn left(self) -> u64 {
        self.0 & 0xffff_ffff
    }

    /// Whether there is room for a success of `generation`.
    #[inline]
    fn is_in(self, generation: Generation) -> bool {
        self.0 >> 32 == u64::from(generation.number()) && self.left() > 0
    }
}

/// Ordering: every access is `Relaxed`. A cell publishes nothing, a swap finds the latest value of a cell,
/// and a success that ended before a flush began is in the value that the flush reads, or in an older one.
#[derive(Debug, Default)]
struct Cell(AtomicU64);

impl Cell {
    #[inline]
    fn load(&self) -> Room {
        Room(self.0.load(Ordering::Relaxed))
    }

    /// Takes one from `room`, or returns what is there instead.
    #[inline]
    fn take_one(&self, room: Room) -> Result<(), Room> {
        let relaxed = Ordering::Relaxed;
        let taken = self
            .0
            .compare_exchange(room.0, room.0 - 1, relaxed, relaxed);
        taken.map(|_| ()).map_err(Room)
    }

    fn open(&self, room: Room) -> Room {
        self.0.store(room.0, Ordering::Relaxed);
        room
    }

    /// Returns the room that was left.
    fn close(&self) -> Room {
        Room(self.0.swap(Room::NONE.0, Ordering::Relaxed))
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

    fn terms(generation: Generation) -> Terms {
        Terms {
            generation,
            interval_end: Moment::NEVER,
            quick_limit: Duration::MAX,
            capacity: u32::MAX,
        }
    }

    fn count(buffer: &SuccessBuffer, generation: Generation) -> bool {
        buffer.count(CallToken::untimed(generation), &ClockSource::default())
    }

    #[test]
    fn buffer_counts_only_while_open() {
        for generation in generations() {
            let (buffer, mut left) = (SuccessBuffer::new(), RoomLeft::default());
            assert!(!count(&buffer, generation));
            buffer.open(&mut left, terms(generation));
            assert!(count(&buffer, generation) && count(&buffer, generation));
            assert_eq!(buffer.flush(&mut left), 2);
            assert!(count(&buffer, generation), "a flush closes nothing");
            assert_eq!(buffer.close(&mut left), 1);
            assert!(!count(&buffer, generation));
            assert_eq!(buffer.close(&mut left), 0);
            assert_eq!(buffer.flush(&mut left), 0);
        }
    }

    #[test]
    fn buffer_counts_only_its_generation() {
        let [first, second] = generations();
        for (open, other) in [(first, second), (second, first)] {
            let (buffer, mut left) = (SuccessBuffer::new(), RoomLeft::default());
            buffer.open(&mut left, terms(open));
            assert!(!count(&buffer, other) && count(&buffer, open));
            assert_eq!(buffer.close(&mut left), 1);
        }
    }

    #[test]
    fn interval_and_limit_send_successes_to_the_lock() {
        let [generation, _] = generations();
        let (buffer, mut left) = (SuccessBuffer::new(), RoomLeft::default());
        let clock = ClockSource::default();
        let timed = CallToken::timed(generation, clock.now());
        let with = |interval_end, quick_limit| Terms {
            interval_end,
            quick_limit,
            ..terms(generation)
        };
        let hour = Duration::from_secs(3600);
        for (interval_end, quick_limit, counts) in [
            (Moment::NEVER, hour, [true, true]),
            (clock.now().after(hour), hour, [true, true]),
            (Moment::ORIGIN, hour, [false, false]),
            (Moment::NEVER, Duration::ZERO, [true, false]),
        ] {
            buffer.open(&mut left, with(interval_end, quick_limit));
            let counted =
                [CallToken::untimed(generation), timed].map(|ticket| buffer.count(ticket, &clock));
            assert_eq!(counted, counts);
            buffer.close(&mut left);
        }
    }

    #[test]
    fn contention_adds_stripes() {
        let [generation, _] = generations();
        let (buffer, mut left) = (SuccessBuffer::new(), RoomLeft::default());
        buffer.open(&mut left, terms(generation));
        let cell = &buffer.shared;
        let found = cell.load();
        assert!(buffer.count_contended(cell, generation, found));
        assert!(!count(&buffer, generation), "closed until the next opening");
        assert_eq!(buffer.flush(&mut left), 1);
        assert_eq!(buffer.close(&mut left), 0);
        buffer.open(&mut left, terms(generation));
        assert!(count(&buffer, generation));
        assert_eq!(buffer.shared.load().left(), u64::from(u32::MAX));
        assert_eq!(buffer.flush(&mut left), 1);
    }

    #[test]
    fn full_cell_sends_successes_to_the_lock() {
        let [generation, _] = generations();
        let (buffer, mut left) = (SuccessBuffer::new(), RoomLeft::default());
        let small = |capacity| Terms {
            capacity,
            ..terms(generation)
        };
        buffer.open(&mut left, small(2));
        let found = buffer.shared.load();
        assert!(count(&buffer, generation) && count(&buffer, generation));
        assert!(!count(&buffer, generation));
        let now = buffer.shared.take_one(found).unwrap_err();
        assert!(!buffer.count_contended(&buffer.shared, generation, now));
        assert_eq!(buffer.flush(&mut left), 2);
        assert_eq!(buffer.close(&mut left), 0);
        buffer.open(&mut left, small(1));
        assert!(count(&buffer, generation) && !count(&buffer, generation));
        assert_eq!(buffer.close(&mut left), 1);
    }
}
