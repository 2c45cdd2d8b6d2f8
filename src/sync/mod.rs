//! Atomics and locks: the standard library's, or those of what explores them.
//!
//! Everything that takes part in a protocol between threads comes from here, so that the models in
//! `tests/loom/` and the schedules in `tests/shuttle/` explore the very code that ships. Under
//! `--cfg tsan` the mutex is one that is built from source: the thread sanitizer sees nothing of what
//! happens in the standard library, which is not built with it.

#[cfg(shuttle)]
mod map;
pub(crate) mod striped;

#[cfg(loom)]
use loom::sync::Mutex;
#[cfg(loom)]
pub(crate) use loom::sync::MutexGuard as Guard;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(tsan)]
use parking_lot::Mutex;
#[cfg(tsan)]
pub(crate) use parking_lot::MutexGuard as Guard;
#[cfg(shuttle)]
use shuttle::sync::Mutex;
#[cfg(shuttle)]
pub(crate) use shuttle::sync::MutexGuard as Guard;
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(any(loom, shuttle, tsan)))]
use std::sync::Mutex;
#[cfg(not(any(loom, shuttle, tsan)))]
pub(crate) use std::sync::MutexGuard as Guard;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Atomics of which each says what it has to say alone, so that there is nothing for loom to find: in
/// its models they would only multiply the interleavings. Shuttle may stop at each.
pub(crate) mod plain {
    #[cfg(shuttle)]
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
    #[cfg(not(shuttle))]
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
}

use std::sync::Arc;
#[cfg(not(tsan))]
use std::sync::{PoisonError, TryLockError};

/// The breakers of a registry, or what else it keeps by name.
#[cfg(not(shuttle))]
pub(crate) type Map<V> = dashmap::DashMap<Arc<str>, V, foldhash::fast::RandomState>;
#[cfg(shuttle)]
pub(crate) use map::Map;

/// A mutex that forgets poison: no user code ever runs under one, and what it guards is whole
/// between any two statements.
#[derive(Debug)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        let guard = self.0.lock();
        #[cfg(not(tsan))]
        let guard = guard.unwrap_or_else(PoisonError::into_inner);
        guard
    }

    /// The same, unless it is locked.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        #[cfg(tsan)]
        return self.0.try_lock();
        #[cfg(not(tsan))]
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// A shared value that is read far more often than it is replaced.
#[derive(Debug)]
pub(crate) struct Swap<T> {
    #[cfg(not(any(loom, shuttle)))]
    current: arc_swap::ArcSwap<T>,
    #[cfg(any(loom, shuttle))]
    current: Lock<Arc<T>>,
}

/// A value of a [`Swap`], while somebody reads it.
#[cfg(not(any(loom, shuttle)))]
pub(crate) type Loaded<T> = arc_swap::Guard<Arc<T>>;
#[cfg(any(loom, shuttle))]
pub(crate) type Loaded<T> = Box<Arc<T>>;

impl<T> Swap<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        #[cfg(not(any(loom, shuttle)))]
        let current = arc_swap::ArcSwap::new(value);
        #[cfg(any(loom, shuttle))]
        let current = Lock::new(value);
        Self { current }
    }

    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn load(&self) -> Loaded<T> {
        self.current.load()
    }

    #[cfg(any(loom, shuttle))]
    pub(crate) fn load(&self) -> Loaded<T> {
        Box::new(self.current.lock().clone())
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        #[cfg(not(any(loom, shuttle)))]
        return self.current.load_full();
        #[cfg(any(loom, shuttle))]
        return *self.load();
    }

    /// Puts `value` in place and hands back what stood there, so that the caller can drop it (and
    /// the user's closures in it) outside every lock.
    #[must_use]
    pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
        #[cfg(not(any(loom, shuttle)))]
        return self.current.swap(value);
        #[cfg(any(loom, shuttle))]
        return std::mem::replace(&mut *self.current.lock(), value);
    }
}

/// A value made once, when it is first needed; one word until then.
///
/// Two threads that come at the same time may both make one; one of the two is dropped.
#[derive(Debug)]
pub(crate) struct Once<T> {
    #[cfg(not(loom))]
    value: once_cell::race::OnceBox<T>,
    /// Where another thread may come in between.
    #[cfg(shuttle)]
    looks: AtomicU32,
    #[cfg(loom)]
    value: std::sync::OnceLock<T>,
    #[cfg(loom)]
    made: AtomicU32,
    #[cfg(loom)]
    making: Lock<()>,
}

#[cfg(not(loom))]
impl<T> Once<T> {
    pub(crate) fn new() -> Self {
        Self {
            value: once_cell::race::OnceBox::new(),
            #[cfg(shuttle)]
            looks: AtomicU32::new(0),
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        #[cfg(shuttle)]
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.value.get()
    }

    #[cfg(not(shuttle))]
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.value.get_or_init(|| Box::new(make()))
    }

    #[cfg(shuttle)]
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let value = Box::new(make());
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.value.get_or_init(|| value)
    }
}

/// With synchronization that loom sees.
#[cfg(loom)]
impl<T> Once<T> {
    pub(crate) fn new() -> Self {
        Self {
            value: std::sync::OnceLock::new(),
            made: AtomicU32::new(0),
            making: Lock::default(),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        (self.made.load(Ordering::Acquire) == 1).then(|| self.value.get())?
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let _making = self.making.lock();
        let value = self.value.get_or_init(make);
        self.made.store(1, Ordering::Release);
        value
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}
