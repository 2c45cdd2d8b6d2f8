//! Places for threads to write apart from each other.

use std::sync::atomic::{AtomicUsize, Ordering};

/// As many as threads run at a time, roughly; a power of two.
pub(super) fn stripes<T: Default>() -> Box<[T]> {
    let threads = if cfg!(loom) {
        2
    } else {
        std::thread::available_parallelism().map_or(4, usize::from)
    };
    let count = threads.next_power_of_two().min(64);
    (0..count).map(|_| T::default()).collect()
}

/// A number that is this thread's own for as long as it lives.
pub(super) fn seat() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SEAT: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    SEAT.try_with(|seat| *seat).unwrap_or(0)
}
