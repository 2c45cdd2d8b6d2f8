//! Atomics and locks: those of the standard library, or those of a tool that explores
//! interleavings.
//!
//! Every type that takes part in a protocol between threads comes from this module, so that the
//! models in `tests/loom/` and the schedules in `tests/shuttle/` explore the code that ships. Under
//! `--cfg tsan` the mutex is that of `parking_lot`, which is built from source: the thread
//! sanitizer cannot see into the precompiled standard library.

#[cfg(shuttle)]
mod map;
pub(crate) mod striped;

#[cfg(loom)]
use loom::sync as imp;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(tsan)]
use parking_lot as imp;
#[cfg(shuttle)]
use shuttle::sync as imp;
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(any(loom, shuttle, tsan)))]
use std::sync as imp;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

pub(crate) use imp::MutexGuard;

/// Atomics that loom does not model.
///
/// Each of these atomics is independent of all others. Loom would find nothing, and would only
/// multiply the interleavings. Shuttle does model them.
pub(crate) mod unmodelled {
    #[cfg(shuttle)]
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
    #[cfg(not(shuttle))]
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
}

use std::sync::Arc;
#[cfg(not(tsan))]
use std::sync::{PoisonError, TryLockError};

/// A concurrent map from names to values.
#[cfg(not(shuttle))]
pub(crate) type Map<V> = dashmap::DashMap<Arc<str>, V, foldhash::fast::RandomState>;
#[cfg(shuttle)]
pub(crate) use map::Map;

/// A mutex without poisoning.
///
/// Poisoning is not needed: no user code, which may panic, runs while a mutex is locked, and the
/// guarded values are consistent after every statement.
#[derive(Debug)]
pub(crate) struct Mutex<T>(imp::Mutex<T>);

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let guard = self.0.lock();
        #[cfg(not(tsan))]
        let guard = guard.unwrap_or_else(PoisonError::into_inner);
        guard
    }

    /// Returns `None` if the mutex is locked.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
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

/// An `Arc` that can be replaced while it is read: [`arc_swap::ArcSwap`], or a mutex that loom and
/// shuttle see.
#[derive(Debug)]
pub(crate) struct ArcSwap<T> {
    #[cfg(not(any(loom, shuttle)))]
    current: arc_swap::ArcSwap<T>,
    #[cfg(any(loom, shuttle))]
    current: Mutex<Arc<T>>,
}

/// A borrowed value of an [`ArcSwap`].
#[cfg(not(any(loom, shuttle)))]
pub(crate) type Loaded<T> = arc_swap::Guard<Arc<T>>;
#[cfg(any(loom, shuttle))]
pub(crate) type Loaded<T> = Box<Arc<T>>;

impl<T> ArcSwap<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        #[cfg(not(any(loom, shuttle)))]
        let current = arc_swap::ArcSwap::new(value);
        #[cfg(any(loom, shuttle))]
        let current = Mutex::new(value);
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

    /// Replaces the value, and returns the previous value. The caller must drop the previous value
    /// outside every lock, because it may contain user closures.
    #[must_use]
    pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
        #[cfg(not(any(loom, shuttle)))]
        return self.current.swap(value);
        #[cfg(any(loom, shuttle))]
        return std::mem::replace(&mut *self.current.lock(), value);
    }
}

/// A boxed value that is created on first use: [`once_cell::race::OnceBox`], or an equivalent that
/// loom and shuttle see.
///
/// An empty `OnceBox` takes one word. Two threads that race may both create a value; one of the
/// values is dropped.
#[derive(Debug)]
pub(crate) struct OnceBox<T> {
    #[cfg(not(loom))]
    value: once_cell::race::OnceBox<T>,
    /// Counts accesses. At each of them shuttle may switch tasks.
    #[cfg(shuttle)]
    accesses: AtomicU32,
    #[cfg(loom)]
    value: std::sync::OnceLock<T>,
    #[cfg(loom)]
    is_initialized: AtomicU32,
    #[cfg(loom)]
    initializing: Mutex<()>,
}

#[cfg(not(loom))]
impl<T> OnceBox<T> {
    pub(crate) fn new() -> Self {
        Self {
            value: once_cell::race::OnceBox::new(),
            #[cfg(shuttle)]
            accesses: AtomicU32::new(0),
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        #[cfg(shuttle)]
        self.accesses.fetch_add(1, Ordering::Relaxed);
        self.value.get()
    }

    #[cfg(not(shuttle))]
    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        self.value.get_or_init(|| Box::new(init()))
    }

    #[cfg(shuttle)]
    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let value = Box::new(init());
        self.accesses.fetch_add(1, Ordering::Relaxed);
        self.value.get_or_init(|| value)
    }
}

/// The implementation under loom, whose synchronization loom sees.
#[cfg(loom)]
impl<T> OnceBox<T> {
    pub(crate) fn new() -> Self {
        Self {
            value: std::sync::OnceLock::new(),
            is_initialized: AtomicU32::new(0),
            initializing: Mutex::default(),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        (self.is_initialized.load(Ordering::Acquire) == 1).then(|| self.value.get())?
    }

    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let _guard = self.initializing.lock();
        let value = self.value.get_or_init(init);
        self.is_initialized.store(1, Ordering::Release);
        value
    }
}

impl<T> Default for OnceBox<T> {
    fn default() -> Self {
        Self::new()
    }
}
