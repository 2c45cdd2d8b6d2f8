//! Places for threads to write apart from each other.

#[cfg(not(shuttle))]
use std::cell::Cell;
use std::sync::OnceLock;
#[cfg(not(shuttle))]
use std::sync::atomic::{AtomicUsize, Ordering};

/// A few times as many as threads run at a time, so that those who meet find a place of their own;
/// a power of two.
pub(crate) fn stripes<T: Default>() -> Box<[T]> {
    // Asking the system takes longer than all else here.
    static THREADS: OnceLock<usize> = OnceLock::new();
    let threads = if cfg!(any(loom, shuttle)) {
        1
    } else {
        *THREADS.get_or_init(|| std::thread::available_parallelism().map_or(4, usize::from))
    };
    let count = (2 * threads).next_power_of_two().min(64);
    (0..count).map(|_| T::default()).collect()
}

/// This thread's.
#[inline]
pub(crate) fn stripe<T>(stripes: &[T]) -> &T {
    // Their number is a power of two.
    &stripes[seat() & (stripes.len() - 1)]
}

#[cfg(not(shuttle))]
thread_local! {
    /// Zero for a thread that has not sat down yet.
    static SEAT: Cell<usize> = const { Cell::new(0) };
}

/// A number that few threads share.
#[cfg(not(shuttle))]
#[inline]
fn seat() -> usize {
    match SEAT.try_with(Cell::get) {
        Ok(0) | Err(_) => sit_down(),
        Ok(seat) => seat,
    }
}

/// Under shuttle the same in every run, so that a schedule can be played again.
#[cfg(shuttle)]
fn seat() -> usize {
    shuttle::current::me().into()
}

#[cfg(shuttle)]
pub(crate) fn move_over() {}

/// Takes another seat, since somebody else was met in this one.
#[cfg(not(shuttle))]
#[cold]
pub(crate) fn move_over() {
    sit_down();
}

#[cfg(not(shuttle))]
#[cold]
fn sit_down() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let seat = NEXT.fetch_add(1, Ordering::Relaxed).max(1);
    // A thread that ends has no seat to keep.
    let _ = SEAT.try_with(|own| own.set(seat));
    seat
}
