//! What is measured: rows, each with its contestants.

use crate::contestants::{
    Contestant, REFUSED, blocking, by_name, decorated, decorated_sync, moved, permits, polled,
    scene, services,
};
use crate::job::{Healthy, OneInTen};
use crate::peers::{Rule, circuit};

/// The names of the rows.
pub mod case {
    pub const HEALTHY_SYNC: &str = "healthy, sync";
    pub const HEALTHY_ASYNC: &str = "healthy, async";
    pub const HEALTHY_MOVED: &str = "healthy, async, moved into an executor";
    pub const REFUSED_SYNC: &str = "refused, sync";
    pub const REFUSED_ASYNC: &str = "refused, async";
    pub const HEALTHY_PERMIT: &str = "healthy, permit";
    pub const REFUSED_PERMIT: &str = "refused, permit";
    pub const FAILING_SYNC: &str = "one in ten fails, sync";
    pub const FAILING_ASYNC: &str = "one in ten fails, async";
    pub const BY_NAME: &str = "healthy, by name";
    pub const BY_MANY_NAMES: &str = "healthy, by 1,000 names";
    pub const REFUSED_BY_NAME: &str = "refused, by name";
    pub const COUNT_SYNC: &str = "count window, sync";
    pub const COUNT_ASYNC: &str = "count window, async";
    pub const COUNT_FAILING_SYNC: &str = "count window, one in ten fails, sync";
    pub const COUNT_FAILING_ASYNC: &str = "count window, one in ten fails, async";
    pub const TIME_SYNC: &str = "time window, sync";
    pub const TIME_ASYNC: &str = "time window, async";
    pub const TIME_FAILING_SYNC: &str = "time window, one in ten fails, sync";
    pub const SLOW_SYNC: &str = "slow-call rule, sync";
    pub const SLOW_ASYNC: &str = "slow-call rule, async";
    pub const TOWER: &str = "tower service";
    pub const CIRCUIT_SYNC: &str = "#[circuit], sync";
    pub const CIRCUIT: &str = "#[circuit], async";
    pub const BY_HAND_SYNC: &str = "the same as #[circuit] by `guarded_by`, sync";
    pub const BY_HAND: &str = "the same as #[circuit] by `guarded_by`, async";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    Bare,
    Ours,
    Lean,
    Recloser,
    Failsafe,
    Breaker,
    Nobreak,
    CircuitbreakerRs,
    TowerResilience,
}

impl Column {
    pub const ALL: [Self; 9] = [
        Self::Bare,
        Self::Ours,
        Self::Lean,
        Self::Recloser,
        Self::Failsafe,
        Self::Breaker,
        Self::Nobreak,
        Self::CircuitbreakerRs,
        Self::TowerResilience,
    ];
    pub const PEERS: &'static [Self] = Self::ALL.split_at(3).1;

    pub fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Ours => "breakerbox",
            Self::Lean => "breakerbox, lean",
            Self::Recloser => "recloser",
            Self::Failsafe => "failsafe",
            Self::Breaker => "breaker",
            Self::Nobreak => "nobreak",
            Self::CircuitbreakerRs => "circuitbreaker-rs",
            Self::TowerResilience => "tower-resilience",
        }
    }
}

/// A case on so many threads.
pub struct Row {
    pub case: &'static str,
    pub threads: usize,
    /// Whether a call is charged with the time its thread ran, not with the time that passed: where
    /// there are more threads than processors.
    pub cpu: bool,
    pub contestants: Vec<Contestant>,
}

/// Every row, with new breakers. `cores` is how many threads can run at once.
pub fn all(cores: usize) -> Vec<Row> {
    let (consecutive, in_count) = (scene(Rule::Consecutive), scene(Rule::CountWindow));
    let (in_time, slow) = (scene(Rule::TimeWindow), scene(Rule::SlowCalls));
    let mut rows = Vec::new();
    let mut add = |case, counts: &[usize], make: &dyn Fn() -> Vec<Contestant>| {
        rows.extend(counts.iter().map(|&threads| Row {
            case,
            threads,
            cpu: threads > cores,
            contestants: make(),
        }));
    };
    let few: &[usize] = if cores > 1 { &[1, 2] } else { &[1] };
    let mut many = few.to_vec();
    many.extend([cores, 2 * cores].into_iter().filter(|&n| n > 2));

    add(case::HEALTHY_SYNC, &many, &|| {
        blocking::<Healthy>(consecutive)
    });
    add(case::HEALTHY_ASYNC, &many, &|| {
        polled::<Healthy>(consecutive)
    });
    add(case::HEALTHY_MOVED, few, &|| moved::<Healthy>(consecutive));
    add(case::REFUSED_SYNC, few, &|| blocking::<Healthy>(REFUSED));
    add(case::REFUSED_ASYNC, few, &|| polled::<Healthy>(REFUSED));
    add(case::HEALTHY_PERMIT, few, &|| permits(false));
    add(case::REFUSED_PERMIT, few, &|| permits(true));
    add(case::FAILING_SYNC, few, &|| {
        blocking::<OneInTen>(consecutive)
    });
    add(case::FAILING_ASYNC, few, &|| {
        polled::<OneInTen>(consecutive)
    });
    add(case::BY_NAME, few, &|| by_name(1, false));
    add(case::BY_MANY_NAMES, few, &|| by_name(1000, false));
    add(case::REFUSED_BY_NAME, few, &|| by_name(1, true));
    add(case::COUNT_SYNC, few, &|| blocking::<Healthy>(in_count));
    add(case::COUNT_ASYNC, few, &|| polled::<Healthy>(in_count));
    add(case::COUNT_FAILING_SYNC, few, &|| {
        blocking::<OneInTen>(in_count)
    });
    add(case::COUNT_FAILING_ASYNC, few, &|| {
        polled::<OneInTen>(in_count)
    });
    add(case::TIME_SYNC, few, &|| blocking::<Healthy>(in_time));
    add(case::TIME_ASYNC, few, &|| polled::<Healthy>(in_time));
    add(case::TIME_FAILING_SYNC, few, &|| {
        blocking::<OneInTen>(in_time)
    });
    add(case::SLOW_SYNC, few, &|| blocking::<Healthy>(slow));
    add(case::SLOW_ASYNC, few, &|| polled::<Healthy>(slow));
    add(case::TOWER, few, &|| services(consecutive));
    add(case::CIRCUIT_SYNC, few, &|| {
        decorated_sync::<circuit::Plain, circuit::Lean>(consecutive)
    });
    add(case::BY_HAND_SYNC, few, &|| {
        decorated_sync::<circuit::PlainByHand, circuit::LeanByHand>(consecutive)
    });
    add(case::CIRCUIT, few, &|| {
        decorated::<circuit::Plain, circuit::Lean>(consecutive)
    });
    add(case::BY_HAND, few, &|| {
        decorated::<circuit::PlainByHand, circuit::LeanByHand>(consecutive)
    });
    rows
}
