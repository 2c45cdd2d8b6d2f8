//! How deep listeners are nested on one thread.

use std::cell::Cell;
use std::ptr;

/// The maximum depth. A listener may call breakers, whose listeners may call breakers. A listener that makes
/// two calls for each event is called `2^MAX_DEPTH - 1` times because of one call.
const MAX_DEPTH: u32 = 4;

#[cfg(loom)]
loom::thread_local! {
    static DEPTH: Cell<u32> = Cell::new(0);
}
#[cfg(shuttle)]
shuttle::thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}
#[cfg(not(any(loom, shuttle)))]
thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// One level of listeners that run on this thread. Ends when it is dropped.
pub(crate) struct ListenerDepth(());

impl ListenerDepth {
    /// Begins a level, or returns `None` if it would be too deep.
    pub(super) fn enter() -> Option<Self> {
        Self::is_allowed().then(|| {
            DEPTH.with(|depth| depth.set(depth.get() + 1));
            Self(())
        })
    }

    /// Whether listeners may be called on this thread.
    pub(crate) fn is_allowed() -> bool {
        DEPTH.with(Cell::get) < MAX_DEPTH
    }

    /// Identifies this thread among the threads that run. Threads of loom and shuttle count as threads.
    pub(crate) fn thread() -> usize {
        DEPTH.with(|depth| ptr::from_ref(depth).addr())
    }
}

impl Drop for ListenerDepth {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}
