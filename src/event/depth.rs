//! How deep listeners are nested.

use std::cell::Cell;

/// A listener may call breakers, whose listeners may call breakers: so deep on one thread, and no
/// deeper. A listener that makes two calls at every event is told `2^DEEPEST - 1` times of a call.
const DEEPEST: u32 = 4;

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

/// A level of listeners that run on this thread, until it is dropped.
pub(crate) struct Level(());

impl Level {
    /// Begins a level, unless it would be too deep.
    pub(super) fn enter() -> Option<Self> {
        Self::is_allowed().then(|| {
            DEPTH.with(|depth| depth.set(depth.get() + 1));
            Self(())
        })
    }

    /// Whether listeners may be called on this thread.
    pub(crate) fn is_allowed() -> bool {
        DEPTH.with(Cell::get) < DEEPEST
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}
