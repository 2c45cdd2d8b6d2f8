//! [`Memory`]: a store in the memory of this process.

use super::error::StoreError;
use super::hello::Hello;
use super::news::{NewsSender, news};
use super::table::Table;
use super::traits::{Commanded, FleetStore, Line, Link, Pulled, Submitted};
use crate::protocol::{Command, Message, Micros, Op, Version};
use async_trait::async_trait;
use breakerbox::clock::{Clock, SystemClock};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A store in the memory of this process, for tests and for several registries of one program.
///
/// A clone is the same store.
#[derive(Clone)]
pub struct Memory {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Box<dyn Clock>,
    namespaces: Mutex<HashMap<Arc<str>, Namespace>>,
}

#[derive(Default)]
struct Namespace {
    table: Table,
    subscribers: Vec<NewsSender>,
}

impl Namespace {
    /// Called under the lock, so that subscribers get the messages in the order of their versions.
    fn publish(&mut self, message: Option<Message>) {
        if let Some(message) = message {
            self.subscribers
                .retain(|subscriber| subscriber.tell(message.clone()));
        }
    }
}

/// The first instant of the store. Zero stands for an unknown instant, and versions start above the
/// horizon of the retention.
const EPOCH: Duration = Duration::from_secs(1_000_000_000);

impl Memory {
    /// Creates an empty store that uses the system's monotonic clock.
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// Creates an empty store that uses `clock`, which must be that of the registries.
    pub fn with_clock(clock: impl Clock) -> Self {
        let inner = Inner {
            clock: Box::new(clock),
            namespaces: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Inner {
    fn now(&self) -> Micros {
        Micros(0).after(EPOCH + self.clock.now())
    }

    fn namespaces(&self) -> MutexGuard<'_, HashMap<Arc<str>, Namespace>> {
        self.namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl FleetStore for Memory {
    async fn connect(&self, hello: &Hello) -> Result<Link, StoreError> {
        let (sender, news) = news();
        let mut namespaces = self.inner.namespaces();
        let namespace = namespaces.entry(Arc::clone(&hello.namespace)).or_default();
        namespace.subscribers.retain(NewsSender::is_open);
        namespace.subscribers.push(sender);
        let line = MemoryLine {
            inner: Arc::clone(&self.inner),
            hello: hello.clone(),
        };
        Ok(Link::new(line, news))
    }
}

struct MemoryLine {
    inner: Arc<Inner>,
    hello: Hello,
}

#[async_trait]
impl Line for MemoryLine {
    async fn submit(&mut self, seen: Version, ops: &[Op]) -> Result<Submitted, StoreError> {
        let now = self.inner.now();
        let mut namespaces = self.inner.namespaces();
        let namespace = namespaces
            .entry(Arc::clone(&self.hello.namespace))
            .or_default();
        let (submitted, message) = namespace.table.submit(&self.hello, seen, ops, now);
        namespace.publish(message);
        Ok(submitted)
    }

    async fn pull(&mut self, since: Version, limit: usize) -> Result<Pulled, StoreError> {
        let now = self.inner.now();
        let mut namespaces = self.inner.namespaces();
        let namespace = namespaces
            .entry(Arc::clone(&self.hello.namespace))
            .or_default();
        Ok(namespace.table.pull(&self.hello, since, limit, now))
    }

    async fn command(&mut self, seen: Version, command: &Command) -> Result<Commanded, StoreError> {
        let now = self.inner.now();
        let mut namespaces = self.inner.namespaces();
        let namespace = namespaces
            .entry(Arc::clone(&self.hello.namespace))
            .or_default();
        let (commanded, message) = namespace.table.command(&self.hello, seen, command, now);
        namespace.publish(message);
        Ok(commanded)
    }

    async fn leave(&mut self) -> Result<(), StoreError> {
        let mut namespaces = self.inner.namespaces();
        if let Some(namespace) = namespaces.get_mut(&self.hello.namespace) {
            namespace.table.leave(&self.hello);
        }
        Ok(())
    }
}
