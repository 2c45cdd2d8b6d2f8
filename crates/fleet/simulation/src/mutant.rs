//! [`Mutant`]: a fault of the store or of the engine, with the runs that show it.

use crate::store::StoreMutant;
use crate::plan::Plan;
use breakerbox_fleet::Mutants;

/// A fault of the store or of the engine that the invariants must find.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// The name.
    pub name: &'static str,
    store: Option<StoreMutant>,
    engine: Mutants,
}

macro_rules! engine {
    ($($name:ident),* $(,)?) => {
        [$(Mutant {
            name: stringify!($name),
            store: None,
            engine: Mutants { $name: true, ..NONE },
        }),*]
    };
}

const NONE: Mutants = Mutants {
    greedy_lease: false,
    no_fencing: false,
    no_pull: false,
    no_dead_mans_switch: false,
    close_on_absent: false,
    lease_from_receipt: false,
    republish_adopted: false,
    always_close_on_stale: false,
    adopt_ended: false,
    override_commands: false,
    no_unvote: false,
    ignore_versions: false,
    trip_at_sending: false,
    no_extension: false,
};

impl Mutant {
    /// Returns all mutants of the engine.
    pub fn of_engine() -> impl Iterator<Item = Self> {
        engine![
            greedy_lease,
            no_fencing,
            no_pull,
            no_dead_mans_switch,
            close_on_absent,
            lease_from_receipt,
            republish_adopted,
            always_close_on_stale,
            adopt_ended,
            override_commands,
            no_unvote,
            ignore_versions,
            trip_at_sending,
            no_extension,
        ]
        .into_iter()
    }

    /// Returns all mutants of the store.
    pub fn of_store() -> impl Iterator<Item = Self> {
        StoreMutant::ALL.into_iter().map(|store| Self {
            name: store.name(),
            store: Some(store),
            engine: NONE,
        })
    }

    /// Returns `plan` with this fault.
    #[must_use]
    pub fn apply(&self, plan: Plan) -> Plan {
        Plan {
            store_mutant: self.store,
            engine_mutants: self.engine,
            ..plan
        }
    }
}
