//! [`Foreign`]: the names without a breaker of which a node remembers the state.

use super::timing::{MAX_FOREIGN, Time};
use super::track::Track;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names without a breaker, in the order in which they are forgotten: closed ones first, then the
/// oldest. At most [`MAX_FOREIGN`].
#[derive(Debug, Default)]
pub(crate) struct Foreign {
    order: BTreeSet<(Rank, Arc<str>)>,
    ranks: BTreeMap<Arc<str>, Rank>,
}

/// Whether the circuit is open, and when the store last said so.
type Rank = (bool, Time);

impl Foreign {
    /// Adds a name. Returns the names that are forgotten instead.
    pub(crate) fn insert(&mut self, name: &Arc<str>, track: &Track) -> Vec<Arc<str>> {
        self.remove(name);
        let Some(known) = &track.known else {
            return Vec::new();
        };
        let rank = (known.is_open(), known.heard);
        self.order.insert((rank, name.clone()));
        self.ranks.insert(name.clone(), rank);
        let mut forgotten = Vec::new();
        while self.order.len() > MAX_FOREIGN {
            let Some((_, name)) = self.order.pop_first() else {
                break;
            };
            self.ranks.remove(&name);
            forgotten.push(name);
        }
        forgotten
    }

    pub(crate) fn remove(&mut self, name: &Arc<str>) {
        if let Some(rank) = self.ranks.remove(name) {
            self.order.remove(&(rank, name.clone()));
        }
    }
}
