use super::stripes::{move_over, stripe, stripes};
use crate::clock::Moment;
use crate::sync::{AtomicU64, Once, Ordering};
use std::time::Duration;

/// Quick successes that are on their way into the windows, put down without a lock.
///
/// A success that is not slow can trip no rule; it only has to be counted in the bucket of its
/// time. So it is put into a cell, a compare-and-swap that no other thread meets, and whoever needs
/// the windows (a failure, a snapshot, a command) takes the breaker's lock and folds the cells in
/// first. It takes that lock itself once a bucket, when time has moved past the edge up to which all
/// the cells' successes fall into one.
///
/// One cell while one thread at a time comes by, a row of them on cache lines of their own since
/// two have met, whatever the number of rules and buckets.
///
/// # Invariants
///
/// 1. A cell is frozen, or open in an epoch; [`freeze`](Self::freeze) and [`thaw`](Self::thaw) are
///    called under the breaker's lock. No two thaws give the same epoch, so that a success that was
///    checked in one epoch is never put into another.
/// 2. Cells are frozen before the word of another generation is published and before `edge` and
///    `limit` change, and thawed after. So whoever finds a cell open, *then* reads the word, the edge
///    and the limit, and then still finds the cell in its epoch has read what belongs to it.
/// 3. Between a freeze and the next thaw nothing is put down: the ledger is whole.
#[derive(Debug)]
pub(super) struct Tally {
    /// When the interval ends in which all successes fall into the same bucket of every window.
    edge: AtomicU64,
    /// The longest that a call may take without being slow, in nanoseconds.
    limit: AtomicU64,
    first: Cell,
    row: Once<Box<[Padded]>>,
}

/// Two cache lines wide: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Cell);

/// An epoch in the upper half, the successes put down in it in the lower; [`FROZEN`] there for a cell
/// that takes none.
#[derive(Debug)]
struct Cell(AtomicU64);

const FROZEN: u32 = u32::MAX;

impl Default for Cell {
    fn default() -> Self {
        Self(AtomicU64::new(pack(0, FROZEN)))
    }
}

const fn pack(epoch: u32, count: u32) -> u64 {
    ((epoch as u64) << 32) | count as u64
}

#[allow(clippy::cast_possible_truncation)] // the two halves
const fn unpack(bits: u64) -> (u32, u32) {
    ((bits >> 32) as u32, bits as u32)
}

/// A cell that was found open, and what was in it.
pub(super) struct Slot<'a> {
    cell: &'a Cell,
    seen: u64,
    shared: bool,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            edge: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            first: Cell::default(),
            row: Once::new(),
        }
    }

    /// This thread's cell, if it is open. What is read after this belongs to the cell's epoch, if
    /// [`put`](Self::put) then succeeds.
    pub(super) fn open(&self) -> Option<Slot<'_>> {
        let (cell, shared) = match self.row.get() {
            Some(row) => (&stripe(row).0, false),
            None => (&self.first, true),
        };
        // Acquire: the word, edge and limit read next are at least as new as the thaw.
        let seen = cell.0.load(Ordering::Acquire);
        (unpack(seen).1 < FROZEN - 1).then_some(Slot { cell, seen, shared })
    }

    /// Whether a call that ended at `now` belongs into the interval of the cells, and was not slow.
    pub(super) fn takes(&self, now: Moment, elapsed: Option<Duration>) -> bool {
        // Acquire: what a later thaw stored brings the freeze before it along, and `put` fails.
        let edge = Moment::from_nanos(self.edge.load(Ordering::Acquire));
        let limit = Duration::from_nanos(self.limit.load(Ordering::Acquire));
        now < edge && elapsed.is_none_or(|elapsed| elapsed <= limit)
    }

    /// Puts one success into the slot; `false` when it has been frozen since.
    pub(super) fn put(&self, slot: &Slot<'_>) -> bool {
        let Slot {
            cell,
            mut seen,
            shared,
        } = *slot;
        loop {
            // Relaxed: the number publishes nothing, and as a read-modify-write it leaves what the
            // thaw published visible to the next one.
            let next =
                cell.0
                    .compare_exchange(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed);
            let Err(found) = next else {
                return true;
            };
            let same_epoch = unpack(found).0 == unpack(seen).0;
            if !same_epoch || unpack(found).1 >= FROZEN - 1 {
                return false;
            }
            // Two successes have met.
            if shared {
                // The new cells are frozen until the next thaw.
                self.row.get_or_init(stripes);
            } else {
                move_over();
            }
            seen = found;
        }
    }

    /// Freezes every cell and tells how many successes were in them.
    pub(super) fn freeze(&self) -> u64 {
        self.cells().map(Cell::freeze).sum()
    }

    /// Opens every cell, for calls that end before `edge` and took no longer than `limit`.
    pub(super) fn thaw(&self, edge: Moment, limit: Duration) {
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        // Release: see `takes`.
        self.edge.store(edge.as_nanos(), Ordering::Release);
        self.limit.store(limit, Ordering::Release);
        let epoch = unpack(self.first.0.load(Ordering::Relaxed))
            .0
            .wrapping_add(1);
        // Release: see `open`.
        self.cells()
            .for_each(|cell| cell.0.store(pack(epoch, 0), Ordering::Release));
    }

    fn cells(&self) -> impl Iterator<Item = &Cell> {
        let row = self.row.get().map(Box::as_ref).unwrap_or_default();
        std::iter::once(&self.first).chain(row.iter().map(|padded| &padded.0))
    }
}

impl Cell {
    fn freeze(&self) -> u64 {
        // Only the lock's holder thaws, so that an epoch read here stays.
        let (epoch, _) = unpack(self.0.load(Ordering::Relaxed));
        let (_, count) = unpack(self.0.swap(pack(epoch, FROZEN), Ordering::Relaxed));
        if count == FROZEN { 0 } else { count.into() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn put(tally: &Tally) -> bool {
        tally.open().is_some_and(|slot| tally.put(&slot))
    }

    #[test]
    fn a_cell_takes_successes_only_while_it_is_open() {
        let tally = Tally::new();
        assert!(!put(&tally));
        tally.thaw(Moment::NEVER, Duration::MAX);
        assert!(put(&tally) && put(&tally));
        assert_eq!(tally.freeze(), 2);
        assert!(!put(&tally));
        assert_eq!(tally.freeze(), 0);
    }

    #[test]
    fn what_was_seen_in_one_epoch_is_put_into_no_other() {
        let tally = Tally::new();
        tally.thaw(Moment::NEVER, Duration::MAX);
        let slot = tally.open().unwrap();
        tally.freeze();
        tally.thaw(Moment::NEVER, Duration::MAX);
        assert!(!tally.put(&slot));
        assert_eq!(tally.freeze(), 0);
    }

    #[test]
    fn a_row_takes_over_when_two_have_met() {
        let tally = Tally::new();
        tally.thaw(Moment::NEVER, Duration::MAX);
        let slot = tally.open().unwrap();
        assert!(put(&tally) && tally.put(&slot));
        assert!(!put(&tally), "the row is frozen until the next thaw");
        assert_eq!(tally.freeze(), 2);
        tally.thaw(Moment::NEVER, Duration::MAX);
        assert!(put(&tally));
        assert_eq!(tally.freeze(), 1);
    }

    #[test]
    fn a_full_cell_sends_successes_to_the_lock() {
        let tally = Tally::new();
        tally.thaw(Moment::NEVER, Duration::MAX);
        tally.first.0.store(pack(1, FROZEN - 2), Ordering::Relaxed);
        assert!(put(&tally) && !put(&tally));
        assert_eq!(tally.freeze(), u64::from(FROZEN) - 1);
    }
}
