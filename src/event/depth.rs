//! Nesting depth of listeners and observers on the current thread.

use std::cell::Cell;
use std::ptr;

/// The maximum depth. A listener may call breakers, and their listeners may call breakers in turn.
///
/// If a listener makes two calls for each event, one call runs it up to `2^MAX_DEPTH - 1` times.
const MAX_DEPTH: u32 = 4;

macro_rules! thread_local_depth {
    ($name:ident) => {
        #[cfg(loom)]
        loom::thread_local! {
            static $name: Cell<u32> = Cell::new(0);
        }
        #[cfg(shuttle)]
        shuttle::thread_local! {
            static $name: Cell<u32> = const { Cell::new(0) };
        }
        #[cfg(not(any(loom, shuttle)))]
        thread_local! {
            static $name: Cell<u32> = const { Cell::new(0) };
        }
    };
}

thread_local_depth!(DEPTH);

/// One nesting level of listeners on this thread. The level ends on drop.
pub(crate) struct ListenerDepth(());

impl ListenerDepth {
    /// Enters a level, or returns `None` if the maximum depth is reached.
    pub(super) fn enter() -> Option<Self> {
        Self::is_allowed().then(|| {
            DEPTH.with(|depth| depth.set(depth.get() + 1));
            Self(())
        })
    }

    /// Returns `true` if listeners may be called on this thread.
    pub(crate) fn is_allowed() -> bool {
        DEPTH.with(Cell::get) < MAX_DEPTH
    }

    /// Returns an identifier that is unique among running threads, including threads of loom and
    /// shuttle.
    pub(crate) fn thread() -> usize {
        DEPTH.with(|depth| ptr::from_ref(depth).addr())
    }
}

impl Drop for ListenerDepth {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

#[cfg(feature = "fleet")]
thread_local_depth!(OBSERVERS);

/// One nesting level of observers of changes on this thread. The level ends on drop.
///
/// Separate from the levels of listeners, so that nested listeners hide no change.
#[cfg(feature = "fleet")]
pub(super) struct ObserverDepth(());

#[cfg(feature = "fleet")]
impl ObserverDepth {
    /// Enters a level, or returns `None` if the maximum depth is reached.
    pub(super) fn enter() -> Option<Self> {
        OBSERVERS.with(|depth| {
            (depth.get() < MAX_DEPTH).then(|| {
                depth.set(depth.get() + 1);
                Self(())
            })
        })
    }
}

#[cfg(feature = "fleet")]
impl Drop for ObserverDepth {
    fn drop(&mut self) {
        OBSERVERS.with(|depth| depth.set(depth.get() - 1));
    }
}
