//! What a reporter shares with its listener for durations.

use super::books::{self, Books, Figures, Sight};
use super::export::{DurationKeys, Keys};
use crate::circuit::Circuit;
use crate::clock::Moment;
use crate::registry::{self, RemovalObserver};
use crate::sync::Mutex;
use ::metrics::Label;
use std::sync::{Arc, Weak};
use std::time::Duration;

pub(super) struct Inner {
    pub(super) registry: Weak<registry::Inner>,
    /// Names that may have series.
    pub(super) most: usize,
    pub(super) labels: Vec<Label>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) books: Mutex<Books>,
    /// When calls are timed.
    pub(super) durations: Option<Keys>,
    /// The keys of names without series of their own.
    pub(super) nobody: Arc<DurationKeys>,
}

impl Inner {
    pub(super) fn page(&self) -> books::Page {
        let shared = self.registry.upgrade();
        let now = shared.as_ref().map(|shared| shared.clock.now());
        let circuits = shared.as_ref().map(|shared| shared.circuits());
        if let Some(now) = now {
            self.books.lock().tidy(self.idle_timeout, now);
        }
        // One at a time: a breaker that somebody holds cannot be evicted.
        for circuit in circuits.iter().flatten().filter_map(Weak::upgrade) {
            let sight = Sight::of(&circuit);
            let mut books = self.books.lock();
            // Under the lock: who leaves after this is told to `on_removed` after this. Who left before
            // it may have been there already.
            if !circuit.entry.is_removed() {
                books.add(sight, self.most);
            }
        }
        let page = self.books.lock().page(now.unwrap_or(Moment::ORIGIN));
        if let Some(keys) = &self.durations {
            for (name, account) in &page.accounts {
                if account.present.is_none() {
                    keys.remove(name);
                }
            }
        }
        page
    }

    /// The keys of a breaker that is there, if there is room for its series.
    pub(super) fn duration_keys(&self, breaker: &Arc<str>) -> Arc<DurationKeys> {
        let Some(all) = &self.durations else {
            return self.nobody.clone();
        };
        if let Some(keys) = all.get(breaker) {
            return keys.clone();
        }
        let kept = self
            .registry
            .upgrade()
            .is_some_and(|shared| shared.contains(breaker));
        if !kept || self.books.lock().open(breaker, self.most).is_none() {
            return self.nobody.clone();
        }
        let keys = Arc::new(DurationKeys::new(breaker, &self.labels));
        all.insert(breaker.clone(), keys.clone());
        keys
    }
}

impl RemovalObserver for Inner {
    fn on_removed(&self, circuit: &Arc<Circuit>) {
        let figures = Figures {
            totals: circuit.totals(),
            changes: circuit.transition_counts(),
        };
        self.books.lock().close(circuit, &figures);
    }
}
