//! Striping: each thread writes to one of a few slots, so that threads do not contend for one cache
//! line. The idea is that of Java's `LongAdder` (`java.util.concurrent.atomic.Striped64`).

#[cfg(not(shuttle))]
use std::cell::Cell;
use std::sync::OnceLock;
#[cfg(not(shuttle))]
use std::sync::atomic::{AtomicUsize, Ordering};

/// Returns one slot per stripe: a power of two, at least twice the number of processors but at most
/// 64 slots.
pub(crate) fn stripes<T: Default>() -> Box<[T]> {
    // Cached, because each query reads files of the operating system.
    static THREADS: OnceLock<usize> = OnceLock::new();
    let threads = if cfg!(any(loom, shuttle)) {
        1
    } else {
        *THREADS.get_or_init(|| std::thread::available_parallelism().map_or(4, usize::from))
    };
    let count = (2 * threads).next_power_of_two().min(64);
    (0..count).map(|_| T::default()).collect()
}

/// Returns the slot of the current thread.
#[inline]
pub(crate) fn stripe<T>(stripes: &[T]) -> &T {
    // The number of stripes is a power of two.
    &stripes[thread_index() & (stripes.len() - 1)]
}

#[cfg(not(shuttle))]
thread_local! {
    /// Zero while the thread has no index.
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// Returns the index of the current thread, which few other threads have.
#[cfg(not(shuttle))]
#[inline]
fn thread_index() -> usize {
    match INDEX.try_with(Cell::get) {
        Ok(0) | Err(_) => assign_index(),
        Ok(index) => index,
    }
}

/// Under shuttle, the same index in every run, so that a schedule can be replayed.
#[cfg(shuttle)]
fn thread_index() -> usize {
    shuttle::current::me().into()
}

/// Gives the current thread another index, after contention for its stripe.
#[cfg(not(shuttle))]
#[cold]
pub(crate) fn reassign_index() {
    assign_index();
}

#[cfg(shuttle)]
pub(crate) fn reassign_index() {}

#[cfg(not(shuttle))]
#[cold]
fn assign_index() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let index = NEXT.fetch_add(1, Ordering::Relaxed).max(1);
    // Fails in a thread that ends, which then gets an index per access.
    let _ = INDEX.try_with(|own| own.set(index));
    index
}
