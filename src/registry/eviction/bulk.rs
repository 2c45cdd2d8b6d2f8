//! Room for many at once, which is worth a scan: it is for somebody who changes the registry, not
//! for a call.

use super::super::Shared;
use super::tenant::{Class, Suspect, Tenant};
use super::{Leavers, Population, STEPS};
use crate::circuit::Circuit;
use crate::clock::Moment;
use std::sync::Weak;

impl Population {
    /// Breakers that no document names any more, some of which still stand in a queue from before one
    /// did.
    pub(in crate::registry) fn welcome_back(
        &mut self,
        mut released: Vec<Weak<Circuit>>,
        now: Moment,
    ) {
        if released.is_empty() {
            return;
        }
        released.sort_unstable_by_key(Weak::as_ptr);
        for class in [Class::Clean, Class::Failing, Class::Protected] {
            self.queue(class).retain(|tenant| {
                let own = tenant.circuit.as_ptr();
                let found = released.binary_search_by_key(&own, Weak::as_ptr);
                found.is_err()
            });
        }
        self.clean
            .extend(released.into_iter().map(|circuit| Tenant {
                circuit,
                seen: now,
                cleared: 0,
            }));
    }

    /// All that are protected, also those that stand where they stood before they were.
    pub(in crate::registry) fn all_suspects(&mut self, leavers: &mut Leavers) -> Vec<Suspect> {
        for class in [Class::Clean, Class::Failing] {
            for tenant in std::mem::take(self.queue(class)) {
                let Some(circuit) = tenant.circuit.upgrade() else {
                    continue;
                };
                let protected = tenant.class(&circuit) == Class::Protected;
                self.queue(if protected { Class::Protected } else { class })
                    .push_back(tenant);
                // Perhaps by now the last reference.
                leavers.dead.push(circuit);
            }
        }
        self.first_suspects(usize::MAX)
    }

    /// Lets so many go, or, as far as can be told beforehand, none.
    pub(in crate::registry) fn make_room_for(
        &mut self,
        many: usize,
        shared: &Shared,
        now: Moment,
        leavers: &mut Leavers,
    ) -> bool {
        let looks = (self.clean.len() + self.failing.len()) / STEPS + 1;
        self.expendable(shared, leavers) >= many
            && (0..many).all(|_| (0..looks).any(|_| self.make_room(shared, now, leavers)))
    }

    fn expendable(&self, shared: &Shared, leavers: &mut Leavers) -> usize {
        let queued = self.clean.iter().chain(&self.failing);
        let mut expendable = 0;
        for tenant in queued {
            let Some(circuit) = tenant.circuit.upgrade() else {
                continue;
            };
            let entry = &circuit.entry;
            if entry.is_removed() {
                // Perhaps by now the last reference.
                leavers.dead.push(circuit);
                continue;
            }
            let stays = !entry.is_evictable() || shared.handles.is_held(&circuit, 2);
            if !stays && tenant.class(&circuit) != Class::Protected {
                expendable += 1;
            }
        }
        expendable
    }
}
