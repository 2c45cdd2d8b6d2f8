//! [`News`]: changes by other nodes, in a bounded channel.

use super::error::StoreError;
use crate::protocol::Message;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// How many messages wait for the fleet. Messages beyond are replaced by one [`Item::Gap`].
const CAPACITY: usize = 1_024;

/// One item of [`News`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Records have changed.
    Told(Message),
    /// Messages were lost or malformed. The fleet pulls.
    Gap,
    /// The connection has ended. No item follows.
    Ended(StoreError),
}

/// Creates a channel of news.
pub fn news() -> (NewsSender, News) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let shared = Arc::<Shared>::default();
    let news = News {
        receiver,
        shared: Arc::clone(&shared),
    };
    (NewsSender { sender, shared }, news)
}

/// The sending half of [`News`], held by the store.
#[derive(Clone, Debug)]
pub struct NewsSender {
    sender: Sender<Message>,
    shared: Arc<Shared>,
}

/// Changes by other nodes. Bounded: a reader that is too slow gets one [`Item::Gap`] for all messages
/// that it missed.
#[derive(Debug)]
pub struct News {
    receiver: Receiver<Message>,
    shared: Arc<Shared>,
}

/// What both halves share apart from the messages.
#[derive(Debug, Default)]
struct Shared {
    /// Whether a message was lost since the reader last asked.
    gap: AtomicBool,
    /// Why the news has ended.
    ended: Mutex<Option<StoreError>>,
    /// Wakes the reader after a change of `gap` or `ended`.
    changed: Notify,
}

impl Shared {
    fn ended(&self) -> MutexGuard<'_, Option<StoreError>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NewsSender {
    /// Sends a message. Returns `false` if the fleet has closed the connection.
    pub fn tell(&self, message: Message) -> bool {
        match self.sender.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.gap();
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }

    /// Whether the fleet still reads.
    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Reports that a message was lost or malformed.
    pub fn gap(&self) {
        // Ordering: `Release` pairs with the `Acquire` swap of the reader, whose pull therefore finds
        // the change that was lost.
        self.shared.gap.store(true, Ordering::Release);
        self.shared.changed.notify_one();
    }

    /// Ends the news. The fleet connects again. Later reasons are ignored.
    pub fn end(&self, why: StoreError) {
        self.shared.ended().get_or_insert(why);
        self.shared.changed.notify_one();
    }
}

impl News {
    /// Waits for the next item.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Item {
        loop {
            if self.shared.gap.swap(false, Ordering::Acquire) {
                return Item::Gap;
            }
            if let Some(why) = self.shared.ended().clone() {
                return Item::Ended(why);
            }
            let mut changed = pin!(self.shared.changed.notified());
            let message = poll_fn(|cx| match self.receiver.poll_recv(cx) {
                Poll::Ready(message) => Poll::Ready(Some(message)),
                Poll::Pending => changed.as_mut().poll(cx).map(|()| None),
            });
            if let Some(message) = message.await {
                return message.map_or_else(Self::closed, Item::Told);
            }
        }
    }

    /// Returns the next message or gap if there is one now.
    pub fn try_next(&mut self) -> Option<Item> {
        if self.shared.gap.swap(false, Ordering::Acquire) {
            return Some(Item::Gap);
        }
        self.receiver.try_recv().ok().map(Item::Told)
    }

    fn closed() -> Item {
        Item::Ended(StoreError::Disconnected("the connection was closed".into()))
    }
}
