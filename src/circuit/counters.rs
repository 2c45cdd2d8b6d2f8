//! Totals that threads do not fight over.

use crate::snapshot::Totals;
use crate::sync::Ordering;
use crate::sync::striped::{reassign_index, stripe, stripes};
use crate::sync::unmodelled::AtomicU64;
use once_cell::race::OnceBox;

/// What is counted; what is common first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Count {
    Success,
    Failure,
    Ignored,
    Cancelled,
    Late,
    Refused,
    TimedOut,
    Slow,
    WouldTrip,
    /// Timed calls that run now: the only one that is also taken from.
    InFlight,
}

const COUNTS: usize = Count::InFlight as usize + 1;

/// One cell a count while one thread at a time comes by; the first time two meet it widens to a
/// row of cells, each on cache lines of its own, and threads spread over them (the idea of Java's
/// `LongAdder`). Of a breaker that has only succeeded, there is one cell.
///
/// Every access is relaxed: the numbers publish nothing, and the cells of a total only grow, so that
/// a sum that one thread reads twice never goes back. Standard atomics also under loom: there is no
/// protocol between the cells to explore.
#[derive(Debug, Default)]
pub(super) struct Counters {
    successes: AtomicU64,
    more: OnceBox<More>,
}

#[derive(Debug, Default)]
struct More {
    /// That of the successes is not used.
    cells: Cells,
    stripes: OnceBox<Box<[Stripe]>>,
}

type Cells = [AtomicU64; COUNTS];

/// Two cache lines wide: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(Cells);

impl Counters {
    #[inline]
    pub(super) fn add(&self, count: Count) {
        self.change(count, 1);
    }

    pub(super) fn take(&self, count: Count) {
        self.change(count, 1_u64.wrapping_neg());
    }

    #[inline]
    fn change(&self, count: Count, by: u64) {
        let stripes = self.more.get().and_then(|more| more.stripes.get());
        let cell = match (stripes, count) {
            (Some(stripes), _) => &stripe(stripes).0[count as usize],
            (None, Count::Success) => &self.successes,
            (None, _) => &self.more().cells[count as usize],
        };
        let seen = cell.load(Ordering::Relaxed);
        if cell
            .compare_exchange(
                seen,
                seen.wrapping_add(by),
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .is_err()
        {
            self.give_way(count, by, stripes.is_none());
        }
    }

    fn more(&self) -> &More {
        self.more.get_or_init(Box::default)
    }

    /// Two have met: the cells widen, or one of the two moves to another.
    #[cold]
    #[inline(never)]
    fn give_way(&self, count: Count, by: u64, shared: bool) {
        if !shared {
            reassign_index();
        }
        let made = || Box::new(stripes());
        let stripes = self.more().stripes.get_or_init(made);
        stripe(stripes).0[count as usize].fetch_add(by, Ordering::Relaxed);
    }

    fn sum(&self, count: Count) -> u64 {
        let at = count as usize;
        let first = match count {
            Count::Success => self.successes.load(Ordering::Relaxed),
            _ => 0,
        };
        let Some(more) = self.more.get() else {
            return first;
        };
        let stripes = more.stripes.get().map(|stripes| &stripes[..]);
        let stripes = stripes.unwrap_or_default().iter();
        std::iter::once(&more.cells)
            .chain(stripes.map(|stripe| &stripe.0))
            .map(|cells| cells[at].load(Ordering::Relaxed))
            .fold(first, u64::wrapping_add)
    }

    /// A number that calls enter and leave. One that is read while they do may be off by them.
    pub(super) fn present(&self, count: Count) -> u32 {
        let entered = i64::from_ne_bytes(self.sum(count).to_ne_bytes());
        u32::try_from(entered.max(0)).unwrap_or(u32::MAX)
    }

    pub(super) fn totals(&self, count_successes: bool) -> Totals {
        Totals {
            success: count_successes.then(|| self.sum(Count::Success)),
            failure: self.sum(Count::Failure),
            ignored: self.sum(Count::Ignored),
            cancelled: self.sum(Count::Cancelled),
            late: self.sum(Count::Late),
            refused: self.sum(Count::Refused),
            timed_out: self.sum(Count::TimedOut),
            slow: self.sum(Count::Slow),
            would_trip: self.sum(Count::WouldTrip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn nothing_is_lost_when_threads_meet() {
        const EACH: u64 = 20_000;
        let counters = Counters::default();
        let barrier = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    (0..EACH).for_each(|_| counters.add(Count::Refused));
                });
            }
        });
        // Whether or not they met, and it widened.
        assert_eq!(counters.totals(true).refused, 4 * EACH);
        counters.give_way(Count::Refused, 1, true);
        counters.add(Count::Refused);
        assert_eq!(counters.totals(true).refused, 4 * EACH + 2);
    }
}
