//! One cell of a [tally](super::tally).

use crate::sync::{AtomicU64, Ordering};

/// An epoch in the upper half, and in the lower the successes put down in it, counted up to [`FULL`];
/// [`CLOSED`] there for a cell that takes none.
#[derive(Debug)]
pub(super) struct Cell(AtomicU64);

const FULL: u32 = u32::MAX - 1;
const CLOSED: u32 = u32::MAX;

impl Default for Cell {
    fn default() -> Self {
        Self(AtomicU64::new(pack(0, CLOSED)))
    }
}

const fn pack(epoch: u32, count: u32) -> u64 {
    ((epoch as u64) << 32) | count as u64
}

#[allow(clippy::cast_possible_truncation)] // the two halves
const fn unpack(bits: u64) -> (u32, u32) {
    ((bits >> 32) as u32, bits as u32)
}

/// A cell of a row that was made since the last opening is closed, and empty.
fn filling(bits: u64) -> u64 {
    match unpack(bits).1 {
        CLOSED => 0,
        count => count.into(),
    }
}

impl Cell {
    /// Opens it for so many successes, and tells from which number on they are counted.
    pub(super) fn open(&self, epoch: u32, room: u32) -> u64 {
        let start = FULL - room.min(FULL);
        // Release: see `slot`.
        self.0.store(pack(epoch, start), Ordering::Release);
        start.into()
    }

    /// Closes it, and tells what was in it.
    pub(super) fn close(&self, epoch: u32) -> u64 {
        // Relaxed: whoever publishes something afterwards does so with Release.
        filling(self.0.swap(pack(epoch, CLOSED), Ordering::Relaxed))
    }

    pub(super) fn count(&self) -> u64 {
        // Relaxed: a success that is known to have ended is in there, since what it wrote is what is
        // read, or older than that.
        filling(self.0.load(Ordering::Relaxed))
    }

    /// A place for a success, if the cell is open and has room.
    #[inline]
    pub(super) fn slot(&self, shared: bool) -> Option<Slot<'_>> {
        // Acquire: the word, edge and limit read next are at least as new as the opening.
        let seen = self.0.load(Ordering::Acquire);
        (unpack(seen).1 < FULL).then_some(self.found(seen, shared))
    }

    /// The place that this was `seen` to have.
    #[inline]
    pub(super) fn found(&self, seen: u64, shared: bool) -> Slot<'_> {
        Slot {
            cell: self,
            seen,
            shared,
        }
    }
}

/// A cell that was found open, and what was in it.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    cell: &'a Cell,
    seen: u64,
    shared: bool,
}

impl Slot<'_> {
    /// Puts one success into it; if the cell is no longer as it was seen, it tells what it is.
    #[inline]
    pub(super) fn put(self) -> Result<(), u64> {
        // Relaxed: the number publishes nothing, and as a read-modify-write it leaves what the
        // opening published visible to the next one.
        let (order, seen) = (Ordering::Relaxed, self.seen);
        let put = self.cell.0.compare_exchange(seen, seen + 1, order, order);
        put.map(|_| ())
    }

    /// Whether it is still open in the epoch in which it was seen, and has room: then it goes on from what
    /// was `found` there.
    pub(super) fn goes_on_from(&mut self, found: u64) -> bool {
        let (now_in, count) = unpack(found);
        let goes_on = now_in == unpack(self.seen).0 && count < FULL;
        self.seen = found;
        goes_on
    }

    #[inline]
    pub(super) fn seen(self) -> u64 {
        self.seen
    }

    /// Whether all threads have this cell.
    pub(super) fn is_shared(self) -> bool {
        self.shared
    }
}
