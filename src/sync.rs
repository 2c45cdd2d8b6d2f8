//! Atomics and locks: the standard library's, or loom's under `--cfg loom`.
//!
//! Everything that takes part in a protocol between threads comes from here, so that the models in
//! `tests/loom/` explore the very code that ships.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};

use std::sync::{Arc, PoisonError};

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

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A shared value that is read far more often than it is replaced.
#[derive(Debug)]
pub(crate) struct Swap<T> {
    #[cfg(not(loom))]
    current: arc_swap::ArcSwap<T>,
    #[cfg(loom)]
    current: Lock<Arc<T>>,
}

impl<T> Swap<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        #[cfg(not(loom))]
        let current = arc_swap::ArcSwap::new(value);
        #[cfg(loom)]
        let current = Lock::new(value);
        Self { current }
    }

    #[cfg(not(loom))]
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<T>> {
        self.current.load()
    }

    #[cfg(loom)]
    pub(crate) fn load(&self) -> Box<Arc<T>> {
        Box::new(self.current.lock().clone())
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        #[cfg(not(loom))]
        return self.current.load_full();
        #[cfg(loom)]
        return *self.load();
    }

    /// Puts `value` in place and hands back what stood there, so that the caller can drop it (and
    /// the user's closures in it) outside every lock.
    #[must_use]
    pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
        #[cfg(not(loom))]
        return self.current.swap(value);
        #[cfg(loom)]
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
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.get()
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.value.get_or_init(|| Box::new(make()))
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
