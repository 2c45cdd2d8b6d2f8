//! Striping: each thread writes to one of a few slots, so that threads do not contend for one cache
//! line.
//!
//! The idea is that of Java's `LongAdder` (`java.util.concurrent.atomic.Striped64`).

#[cfg(not(shuttle))]
use std::cell::Cell;
use std::sync::OnceLock;
#[cfg(not(shuttle))]
use std::sync::atomic::{AtomicUsize, Ordering};

/// Creates one slot for each stripe.
///
/// The number of slots is a power of two. It is at least twice the number of processors, and at
/// most 64.
pub(crate) fn stripes<T: Default>() -> Box<[T]> {
    // Cached, because each query may read files of the operating system.
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
    // The mask is a modulo, because the number of stripes is a power of two.
    &stripes[thread_index() & (stripes.len() - 1)]
}

#[cfg(not(shuttle))]
thread_local! {
    /// Zero while the thread has no index.
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// Returns the index of the current thread. Few other threads, if any, share it.
#[cfg(not(shuttle))]
#[inline]
pub(crate) fn thread_index() -> usize {
    match INDEX.try_with(Cell::get) {
        Ok(0) | Err(_) => assign_index(),
        Ok(index) => index,
    }
}

/// Returns the index of the current task, which is the same in every run, so that a schedule can be
/// replayed.
#[cfg(shuttle)]
pub(crate) fn thread_index() -> usize {
    shuttle::current::me().into()
}

/// Assigns another index to the current thread, after contention for its stripe.
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
    // Zero means that a thread has no index, and the counter may wrap to it.
    let index = NEXT.fetch_add(1, Ordering::Relaxed).max(1);
    // Fails once the thread has destroyed its thread-locals. Each access then gets a new index.
    let _ = INDEX.try_with(|own| own.set(index));
    index
}
