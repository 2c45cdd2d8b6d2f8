//! [`SparedRequests`]: requests whose later calls are not made, because an earlier one was refused.

use std::collections::{HashMap, VecDeque};

/// How long a request is remembered, in nanoseconds. Retries follow sooner.
const REMEMBERED: u64 = 60_000_000_000;

/// Hashes of requests, with the time of their refusal.
#[derive(Debug, Default)]
pub(crate) struct SparedRequests {
    refused: HashMap<u64, u64>,
    order: VecDeque<(u64, u64)>,
}

impl SparedRequests {
    /// Adds the request with this hash, which is zero for a call without a request.
    pub(crate) fn insert(&mut self, request: u64, now: u64) {
        if request != 0 {
            self.refused.insert(request, now);
            self.order.push_back((now, request));
        }
    }

    /// Returns `true` if a call of the request was refused.
    pub(crate) fn contains(&mut self, request: u64, now: u64) -> bool {
        while let Some((at, old)) = self.order.front().copied() {
            if at.saturating_add(REMEMBERED) > now {
                break;
            }
            self.order.pop_front();
            if self.refused.get(&old) == Some(&at) {
                self.refused.remove(&old);
            }
        }
        request != 0 && self.refused.contains_key(&request)
    }
}
