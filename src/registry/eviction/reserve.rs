//! Room for many breakers at once.
//!
//! Only a document that is applied reserves room, not a call, so a scan of all queues is affordable.

use super::queue_entry::{Candidate, Class, QueueEntry};
use super::{Evicted, EvictionQueues, SCANNED_PER_INSERT};
use crate::circuit::Circuit;
use crate::clock::Moment;
use crate::registry::breaker_map::BreakerMap;
use std::sync::Weak;

impl EvictionQueues {
    /// Queues breakers that no document names any more. Some may still have an entry from before.
    pub(in crate::registry) fn requeue(&mut self, mut unpinned: Vec<Weak<Circuit>>, now: Moment) {
        if unpinned.is_empty() {
            return;
        }
        unpinned.sort_unstable_by_key(Weak::as_ptr);
        for class in [Class::Clean, Class::Failing, Class::Protected] {
            self.queue(class).retain(|entry| {
                let circuit = entry.circuit.as_ptr();
                let found = unpinned.binary_search_by_key(&circuit, Weak::as_ptr);
                found.is_err()
            });
        }
        let entries = unpinned.into_iter();
        self.clean
            .extend(entries.map(|circuit| QueueEntry::new(circuit, now)));
    }

    /// Takes all protected breakers, including those that other queues have.
    pub(in crate::registry) fn take_all_candidates(
        &mut self,
        evicted: &mut Evicted,
    ) -> Vec<Candidate> {
        for class in [Class::Clean, Class::Failing] {
            for entry in std::mem::take(self.queue(class)) {
                let Some(circuit) = entry.circuit.upgrade() else {
                    continue;
                };
                let protected = entry.class(&circuit) == Class::Protected;
                self.queue(if protected { Class::Protected } else { class })
                    .push_back(entry);
                evicted.references.push(circuit);
            }
        }
        self.take_first_candidates(usize::MAX)
    }

    /// Evicts `additional` breakers. Evicts none and returns false if it is clear beforehand that so many
    /// cannot be evicted.
    pub(in crate::registry) fn reserve(
        &mut self,
        additional: usize,
        breakers: &BreakerMap,
        now: Moment,
        evicted: &mut Evicted,
    ) -> bool {
        let scans = (self.clean.len() + self.failing.len()) / SCANNED_PER_INSERT + 1;
        self.count_evictable(breakers, evicted) >= additional
            && (0..additional).all(|_| (0..scans).any(|_| self.evict_one(breakers, now, evicted)))
    }

    fn count_evictable(&self, breakers: &BreakerMap, evicted: &mut Evicted) -> usize {
        let mut count = 0;
        for entry in self.clean.iter().chain(&self.failing) {
            let Some(circuit) = entry.circuit.upgrade() else {
                continue;
            };
            if circuit.entry.is_removed() {
                evicted.references.push(circuit);
                continue;
            }
            let stays = !circuit.entry.is_evictable() || breakers.is_held(&circuit);
            if !stays && entry.class(&circuit) != Class::Protected {
                count += 1;
            }
        }
        count
    }
}
