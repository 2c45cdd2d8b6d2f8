use super::cell::{Cell, Slot};
use super::stripes::{move_over, stripe, stripes};
use crate::clock::Moment;
use crate::sync::{AtomicU64, Once, Ordering};
use std::time::Duration;

/// Quick successes that are on their way into the windows, put down without a lock.
///
/// A success that is not slow can trip no rule, and any order of such successes is as good as another;
/// they only have to be counted between the failures they came between, in the bucket of their time.
/// So each is put into a cell, a compare-and-swap that no other thread meets, and whoever needs the
/// windows (a failure, a snapshot) takes the breaker's lock and [folds](Self::fold) in first what has
/// come since the last time. That only reads the cells. A success takes the lock itself once a bucket,
/// when time has moved past the edge up to which all the cells' successes fall into one, and when its
/// cell is full.
///
/// One cell while one thread at a time comes by, a row of them on cache lines of their own since
/// two have met, whatever the number of rules and buckets.
///
/// # Invariants
///
/// 1. A cell is closed, or open in an epoch. Only the holder of the breaker's lock folds, closes and
///    opens them. No two openings give the same epoch, so that a success that was checked in one epoch
///    is never put into another.
/// 2. Cells are closed before the word of another generation is published and before `edge` and
///    `limit` change, and opened after. So whoever finds a cell open, *then* reads the word, the edge
///    and the limit, and then still finds the cell in its epoch has read what belongs to it.
/// 3. Successes that are put down only add to the sum of the cells, one at a time. So a fold, although it
///    reads one cell after another, finds a sum that the cells had at some moment meanwhile: the
///    successes before that moment are folded in, and those after it come after whatever the lock's
///    holder does next.
/// 4. From closing to opening nothing is put down: who wants to do something *at* the moment of a fold
///    (a failure that trips) closes the cells.
#[derive(Debug)]
pub(super) struct Tally {
    /// When the interval ends in which all successes fall into the same bucket of every window.
    edge: AtomicU64,
    /// The longest that a call may take without being slow, in nanoseconds.
    limit: AtomicU64,
    first: Cell,
    row: Once<Box<[Padded]>>,
}

/// What the lock's holder remembers of the cells.
#[derive(Debug, Default)]
pub(super) struct Folded {
    open: bool,
    epoch: u32,
    /// What was in the cells when they were last folded.
    sum: u64,
}

/// For which successes cells are opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// They end before this.
    pub(super) edge: Moment,
    /// They took no longer.
    pub(super) limit: Duration,
    /// As many for each cell.
    pub(super) room: u32,
}

/// Two cache lines wide: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Cell);

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            edge: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            first: Cell::default(),
            row: Once::new(),
        }
    }

    /// This thread's cell, if it is open and has room. What is read after this belongs to the cell's
    /// epoch, if [`put`](Self::put) then succeeds.
    #[inline]
    pub(super) fn open_cell(&self) -> Option<Slot<'_>> {
        match self.row.get() {
            Some(row) => stripe(row).0.slot(false),
            None => self.first.slot(true),
        }
    }

    /// The same, while there is one cell for all.
    #[inline]
    pub(super) fn open_first_cell(&self) -> Option<Slot<'_>> {
        match self.row.get() {
            Some(_) => None,
            None => self.first.slot(true),
        }
    }

    /// When the interval of the cells ends.
    #[inline]
    pub(super) fn edge(&self) -> Moment {
        // Acquire: what a later opening stored brings the closing before it along, and `put` fails.
        Moment::from_nanos(self.edge.load(Ordering::Acquire))
    }

    /// The longest that a call may have taken to be put down here.
    pub(super) fn limit(&self) -> Duration {
        // Acquire: as for the edge.
        Duration::from_nanos(self.limit.load(Ordering::Acquire))
    }

    /// Puts one success into the slot; `false` when it has been closed or filled since.
    pub(super) fn put(&self, slot: Slot<'_>) -> bool {
        let put = slot.put();
        put.is_ok() || put.is_err_and(|found| self.put_again(slot, found))
    }

    /// Goes on with a success that somebody has come before in the first cell, which was this when it was
    /// found open.
    pub(super) fn put_into_first_again(&self, seen: u64, found: u64) -> bool {
        self.put_again(self.first.found(seen, true), found)
    }

    /// What was in the cell is no longer there.
    #[cold]
    fn put_again(&self, mut slot: Slot<'_>, mut found: u64) -> bool {
        while slot.goes_on_from(found) {
            // Two successes have met.
            if slot.is_shared() {
                // The new cells are closed until all are opened the next time.
                self.row.get_or_init(stripes);
            } else {
                move_over();
            }
            match slot.put() {
                Ok(()) => return true,
                Err(other) => found = other,
            }
        }
        false
    }

    /// How many successes have been put down since the last fold.
    #[inline]
    pub(super) fn fold(&self, folded: &mut Folded) -> u64 {
        if !folded.open {
            return 0;
        }
        let sum = self.sum(Cell::count);
        sum - std::mem::replace(&mut folded.sum, sum)
    }

    /// Closes every cell, and tells how many successes have been put down since the last fold.
    pub(super) fn close(&self, folded: &mut Folded) -> u64 {
        if !std::mem::take(&mut folded.open) {
            return 0;
        }
        self.sum(|cell| cell.close(folded.epoch)) - folded.sum
    }

    /// Opens every cell, for successes on these terms. They have been closed.
    pub(super) fn open(&self, folded: &mut Folded, terms: Terms) {
        debug_assert!(!folded.open);
        let limit = u64::try_from(terms.limit.as_nanos()).unwrap_or(u64::MAX);
        // Release: see `edge`.
        self.edge.store(terms.edge.as_nanos(), Ordering::Release);
        self.limit.store(limit, Ordering::Release);
        let epoch = folded.epoch.wrapping_add(1);
        *folded = Folded {
            open: true,
            epoch,
            sum: self.sum(|cell| cell.open(epoch, terms.room)),
        };
    }

    /// Of every cell.
    #[inline]
    fn sum(&self, of: impl Fn(&Cell) -> u64) -> u64 {
        let row = self.row.get().map(Box::as_ref).unwrap_or_default();
        let rest = row.iter().map(|padded| of(&padded.0));
        of(&self.first) + rest.sum::<u64>()
    }
}

impl Folded {
    pub(super) fn is_open(&self) -> bool {
        self.open
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        edge: Moment::NEVER,
        limit: Duration::MAX,
        room: u32::MAX,
    };

    fn put(tally: &Tally) -> bool {
        tally.open_cell().is_some_and(|slot| tally.put(slot))
    }

    #[test]
    fn a_cell_takes_successes_only_while_it_is_open() {
        let (tally, mut folded) = (Tally::new(), Folded::default());
        assert!(!put(&tally));
        tally.open(&mut folded, TERMS);
        assert!(put(&tally) && put(&tally));
        assert_eq!(tally.fold(&mut folded), 2);
        assert!(put(&tally), "a fold closes nothing");
        assert_eq!(tally.close(&mut folded), 1);
        assert!(!put(&tally));
        assert_eq!(tally.close(&mut folded), 0);
        assert_eq!(tally.fold(&mut folded), 0);
    }

    #[test]
    fn what_was_seen_in_one_epoch_is_put_into_no_other() {
        let (tally, mut folded) = (Tally::new(), Folded::default());
        tally.open(&mut folded, TERMS);
        let slot = tally.open_cell().unwrap();
        tally.close(&mut folded);
        tally.open(&mut folded, TERMS);
        assert!(!tally.put(slot));
        assert_eq!(tally.close(&mut folded), 0);
    }

    #[test]
    fn a_row_takes_over_when_two_have_met() {
        let (tally, mut folded) = (Tally::new(), Folded::default());
        tally.open(&mut folded, TERMS);
        let slot = tally.open_cell().unwrap();
        assert!(put(&tally) && tally.put(slot));
        assert!(!put(&tally), "the row is closed until the next opening");
        assert_eq!(tally.fold(&mut folded), 2);
        assert_eq!(tally.close(&mut folded), 0);
        tally.open(&mut folded, TERMS);
        assert!(put(&tally));
        assert_eq!(tally.fold(&mut folded), 1);
    }

    #[test]
    fn a_full_cell_sends_successes_to_the_lock() {
        let (tally, mut folded) = (Tally::new(), Folded::default());
        tally.open(&mut folded, Terms { room: 2, ..TERMS });
        let slot = tally.open_cell().unwrap();
        assert!(put(&tally) && put(&tally) && !put(&tally));
        assert!(!tally.put(slot), "neither do those who found room in it");
        assert_eq!(tally.fold(&mut folded), 2);
        assert_eq!(tally.close(&mut folded), 0);
        tally.open(&mut folded, Terms { room: 1, ..TERMS });
        assert!(put(&tally) && !put(&tally));
        assert_eq!(tally.close(&mut folded), 1);
    }
}
