//! [`Counters`]: the totals of one circuit, striped to avoid contention.

use crate::snapshot::Totals;
use crate::sync::Ordering;
use crate::sync::striped::{reassign_index, stripe, stripes};
use crate::sync::unmodelled::AtomicU64;
use once_cell::race::OnceBox;

/// The name of a counter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Counter {
    Success,
    Failure,
    Ignored,
    Cancelled,
    Late,
    Refused,
    /// Calls that a ramp-up refused; also counted in `Refused`.
    #[cfg(feature = "fleet")]
    RefusedByRampUp,
    /// Calls that joined a trial.
    Joined,
    /// Trials whose lease expired.
    Outlived,
    TimedOut,
    Slow,
    WouldTrip,
    /// Timed calls in progress. The only counter that is also decremented.
    InFlight,
}

const COUNTERS: usize = Counter::InFlight as usize + 1;

/// Counters that allocate memory on demand.
///
/// A circuit begins with one cell, for successes. The first other event allocates a cell for each
/// counter. The first contention allocates [stripes](crate::sync::striped) of such cells, like
/// Java's `LongAdder`. The value of a counter is the sum of its cells.
///
/// Ordering: every access is `Relaxed`, because the counters publish nothing. The cells of a total
/// only grow, so a sum that one thread reads twice never decreases. Loom does not model the
/// atomics, because there is no protocol between the cells.
#[derive(Debug, Default)]
pub(super) struct Counters {
    successes: AtomicU64,
    spilled: OnceBox<Spilled>,
}

#[derive(Debug, Default)]
struct Spilled {
    /// The cell for successes is unused.
    cells: Cells,
    stripes: OnceBox<Box<[Stripe]>>,
}

type Cells = [AtomicU64; COUNTERS];

/// Aligned to two cache lines, because processors prefetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(Cells);

impl Counters {
    #[inline]
    pub(super) fn add(&self, counter: Counter) {
        self.change(counter, 1);
    }

    pub(super) fn add_many(&self, counter: Counter, number: u64) {
        self.change(counter, number);
    }

    pub(super) fn decrement(&self, counter: Counter) {
        self.change(counter, 1_u64.wrapping_neg());
    }

    #[inline]
    fn change(&self, counter: Counter, by: u64) {
        let stripes = self.spilled.get().and_then(|spilled| spilled.stripes.get());
        let cell = match (stripes, counter) {
            (Some(stripes), _) => &stripe(stripes).0[counter as usize],
            (None, Counter::Success) => &self.successes,
            (None, _) => &self.spilled().cells[counter as usize],
        };
        // A compare-and-swap, because `fetch_add` does not report contention.
        let current = cell.load(Ordering::Relaxed);
        if cell
            .compare_exchange(
                current,
                current.wrapping_add(by),
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .is_err()
        {
            self.on_contention(counter, by, stripes.is_none());
        }
    }

    fn spilled(&self) -> &Spilled {
        self.spilled.get_or_init(Box::default)
    }

    /// Adds to a counter after contention. Allocates the stripes, or moves this thread to another
    /// stripe.
    #[cold]
    #[inline(never)]
    fn on_contention(&self, counter: Counter, by: u64, shared: bool) {
        if !shared {
            reassign_index();
        }
        let new = || Box::new(stripes());
        let stripes = self.spilled().stripes.get_or_init(new);
        stripe(stripes).0[counter as usize].fetch_add(by, Ordering::Relaxed);
    }

    fn sum(&self, counter: Counter) -> u64 {
        // Sums wrap: a call may be decremented in another cell than it was incremented in, so a
        // cell of `InFlight` may be negative.
        let at = counter as usize;
        let first = match counter {
            Counter::Success => self.successes.load(Ordering::Relaxed),
            _ => 0,
        };
        let Some(spilled) = self.spilled.get() else {
            return first;
        };
        let stripes = spilled.stripes.get().map(|stripes| &stripes[..]);
        let stripes = stripes.unwrap_or_default().iter();
        std::iter::once(&spilled.cells)
            .chain(stripes.map(|stripe| &stripe.0))
            .map(|cells| cells[at].load(Ordering::Relaxed))
            .fold(first, u64::wrapping_add)
    }

    /// Returns the value of a counter that is also decremented. Concurrent changes may be missing.
    pub(super) fn current(&self, counter: Counter) -> u32 {
        let value = i64::from_ne_bytes(self.sum(counter).to_ne_bytes());
        u32::try_from(value.max(0)).unwrap_or(u32::MAX)
    }

    /// Returns the refused calls, except those that a ramp-up refused.
    #[cfg(feature = "fleet")]
    pub(super) fn refused_without_ramp_up(&self) -> u64 {
        let by_ramp_up = self.sum(Counter::RefusedByRampUp);
        // A call that is being counted may be in one of the counters only.
        self.sum(Counter::Refused).saturating_sub(by_ramp_up)
    }

    pub(super) fn totals(&self, count_successes: bool) -> Totals {
        Totals {
            success: count_successes.then(|| self.sum(Counter::Success)),
            failure: self.sum(Counter::Failure),
            ignored: self.sum(Counter::Ignored),
            cancelled: self.sum(Counter::Cancelled),
            late: self.sum(Counter::Late),
            refused: self.sum(Counter::Refused),
            joined: self.sum(Counter::Joined),
            outlived: self.sum(Counter::Outlived),
            timed_out: self.sum(Counter::TimedOut),
            slow: self.sum(Counter::Slow),
            would_trip: self.sum(Counter::WouldTrip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn contended_counter_loses_nothing() {
        const EACH: u64 = 20_000;
        let counters = Counters::default();
        let barrier = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    (0..EACH).for_each(|_| counters.add(Counter::Refused));
                });
            }
        });
        assert_eq!(counters.totals(true).refused, 4 * EACH);
        // The threads may not have met, for example on a single processor.
        counters.on_contention(Counter::Refused, 1, true);
        counters.add(Counter::Refused);
        assert_eq!(counters.totals(true).refused, 4 * EACH + 2);
    }
}
