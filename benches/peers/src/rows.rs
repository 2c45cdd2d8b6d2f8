//! What is measured: rows, each with its contestants.

use crate::job::{Executor, FAILS, Failure, Healthy, Job, Load, OneInTen, Order, Worked, work};
use crate::lane::{self, Lane};
use crate::peers::circuitbreaker_rs::CircuitbreakerRs;
use crate::peers::failsafe::Failsafe;
use crate::peers::ours::{self, Lean, LeanService, Plain, PlainService};
use crate::peers::tower_resilience::TowerResilience;
use crate::peers::{Blocking, Polled, Refusable, Rule, Setup, breaker, circuit};
use crate::through::Inner;
use ::breaker::CircuitBreaker as Breaker;
use breakerbox::prelude::*;
use nobreak::CircuitBreaker as Nobreak;
use recloser::{AsyncRecloser, Recloser};
use std::hint::black_box;
use std::sync::Arc;

/// The names of the rows.
pub mod case {
    pub const HEALTHY_SYNC: &str = "healthy, sync";
    pub const HEALTHY_ASYNC: &str = "healthy, async";
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

pub struct Contestant {
    pub column: Column,
    pub calls: Box<Calls>,
    /// Whether it does what the row says: asked before the run and after it.
    pub check: Box<dyn Fn() -> bool>,
}

type Calls = dyn Fn(&Lane<'_>) + Sync;

/// A state of the breaker, with the work that its calls do.
#[derive(Clone, Copy)]
struct Scene {
    setup: Setup,
    refused: bool,
}

const fn scene(rule: Rule) -> Scene {
    Scene {
        setup: Setup {
            rule,
            failing: false,
        },
        refused: false,
    }
}

const REFUSED: Scene = Scene {
    refused: true,
    ..scene(Rule::Consecutive)
};

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

/// No breaker at all.
struct Bare;

impl Blocking for Bare {
    type Error = Failure;
    fn new(_: Setup) -> Option<Self> {
        Some(Self)
    }
    #[inline]
    fn call(&self, work: impl FnOnce() -> Worked) -> Worked {
        work()
    }
}

impl Polled for Bare {
    type Error = Failure;
    type Caller = ();
    fn new(_: Setup) -> Option<Self> {
        Some(Self)
    }
    fn caller(&self) {}
    #[inline]
    fn call((): &mut (), job: Job) -> impl Future<Output = Worked> {
        job
    }
}

fn blocking<W: Load>(scene: Scene) -> Vec<Contestant> {
    let all = [
        sync::<Bare, W>(Column::Bare, scene),
        sync::<Plain, W>(Column::Ours, scene),
        sync::<Lean, W>(Column::Lean, scene),
        sync::<Recloser, W>(Column::Recloser, scene),
        sync::<Failsafe, W>(Column::Failsafe, scene),
        sync::<Nobreak, W>(Column::Nobreak, scene),
        sync::<CircuitbreakerRs, W>(Column::CircuitbreakerRs, scene),
    ];
    all.into_iter().flatten().collect()
}

fn polled<W: Load>(scene: Scene) -> Vec<Contestant> {
    let all = [
        later::<Bare, W>(Column::Bare, scene),
        later::<Plain, W>(Column::Ours, scene),
        later::<Lean, W>(Column::Lean, scene),
        later::<AsyncRecloser, W>(Column::Recloser, scene),
        later::<Failsafe, W>(Column::Failsafe, scene),
        later::<Breaker, W>(Column::Breaker, scene),
        later::<Arc<Nobreak>, W>(Column::Nobreak, scene),
        later::<CircuitbreakerRs, W>(Column::CircuitbreakerRs, scene),
        later::<TowerResilience, W>(Column::TowerResilience, scene),
    ];
    all.into_iter().flatten().collect()
}

/// Around a service that is always ready.
fn services(scene: Scene) -> Vec<Contestant> {
    let all = [
        later::<Inner, Healthy>(Column::Bare, scene),
        later::<PlainService, Healthy>(Column::Ours, scene),
        later::<LeanService, Healthy>(Column::Lean, scene),
        later::<breaker::Service, Healthy>(Column::Breaker, scene),
        later::<TowerResilience, Healthy>(Column::TowerResilience, scene),
    ];
    all.into_iter().flatten().collect()
}

/// Functions whose errors take a refusal in. Nobody else has an attribute.
fn decorated_sync<P: Blocking, L: Blocking>(scene: Scene) -> Vec<Contestant> {
    let all = [
        sync::<circuit::Bare, Healthy>(Column::Bare, scene),
        sync::<P, Healthy>(Column::Ours, scene),
        sync::<L, Healthy>(Column::Lean, scene),
    ];
    all.into_iter().flatten().collect()
}

fn decorated<P: Polled, L: Polled>(scene: Scene) -> Vec<Contestant> {
    let all = [
        later::<circuit::Bare, Healthy>(Column::Bare, scene),
        later::<P, Healthy>(Column::Ours, scene),
        later::<L, Healthy>(Column::Lean, scene),
    ];
    all.into_iter().flatten().collect()
}

fn sync<P: Blocking, W: Load>(column: Column, scene: Scene) -> Option<Contestant> {
    let setup = Setup {
        failing: W::FAILING,
        ..scene.setup
    };
    let peer = Arc::new(P::new(setup)?);
    if scene.refused {
        (0..20).for_each(|_| drop(peer.call(|| work(FAILS))));
    }
    let refused = scene.refused && column != Column::Bare;
    let asked = peer.clone();
    Some(Contestant {
        column,
        calls: Box::new(move |lane| {
            lane.run(&mut |calls| {
                for n in calls {
                    let order = W::order(n);
                    let _ = black_box(peer.call(|| work(order)));
                }
            });
        }),
        check: Box::new(move || is(&asked.call(|| work(7)), refused)),
    })
}

fn later<P: Polled, W: Load>(column: Column, scene: Scene) -> Option<Contestant> {
    let setup = Setup {
        failing: W::FAILING,
        ..scene.setup
    };
    let peer = Arc::new(P::new(setup)?);
    let call = |peer: &P, order: Order| {
        let _inside = lane::inside();
        Executor::new().run(P::call(&mut peer.caller(), Job(order)))
    };
    if scene.refused {
        (0..20).for_each(|_| drop(call(&peer, FAILS)));
    }
    let refused = scene.refused && column != Column::Bare;
    let asked = peer.clone();
    Some(Contestant {
        column,
        calls: Box::new(move |lane| {
            let (executor, mut caller) = (Executor::new(), peer.caller());
            lane.run(&mut |calls| {
                for n in calls {
                    let job = Job(W::order(n));
                    let _ = black_box(executor.run(P::call(&mut caller, job)));
                }
            });
        }),
        check: Box::new(move || is(&call(&asked, 7), refused)),
    })
}

fn is<E: Refusable>(result: &Result<u64, E>, refused: bool) -> bool {
    match result {
        Ok(value) => *value == 7 && !refused,
        Err(error) => error.is_refusal() && refused,
    }
}

/// Admission as a value. Of the others only failsafe has it; its answer is a `bool`, and the result
/// is reported apart.
fn permits(refused: bool) -> Vec<Contestant> {
    let scene = if refused {
        REFUSED
    } else {
        scene(Rule::Consecutive)
    };
    let mut all = vec![permit(Column::Ours, ours::settings, refused)];
    all.push(permit(Column::Lean, ours::lean, refused));
    let failsafe = <Failsafe as Blocking>::new(scene.setup).expect("its own rule");
    if refused {
        (0..20).for_each(|_| failsafe.on_error());
    }
    let asked = failsafe.clone();
    all.push(Contestant {
        column: Column::Failsafe,
        calls: Box::new(move |lane| {
            lane.run(&mut |calls| {
                for _ in calls {
                    if black_box(failsafe.is_call_permitted()) {
                        failsafe.on_success();
                    }
                }
            });
        }),
        check: Box::new(move || asked.is_call_permitted() != refused),
    });
    all
}

fn permit(column: Column, settings: fn(Setup) -> BreakerBuilder, refused: bool) -> Contestant {
    let settings = settings(scene(Rule::Consecutive).setup);
    let own = settings.build().expect("settings that work");
    if refused {
        own.trip();
    }
    let asked = own.clone();
    Contestant {
        column,
        calls: Box::new(move |lane| {
            lane.run(&mut |calls| {
                for _ in calls {
                    if let Ok(permit) = black_box(own.acquire()) {
                        permit.success();
                    }
                }
            });
        }),
        check: Box::new(move || asked.acquire().is_err() == refused),
    }
}

/// `with_breaker(&registry, name)`, the names in turn. Nobody else has names.
fn by_name(count: usize, refused: bool) -> Vec<Contestant> {
    let names: Arc<[String]> = (0..count).map(|n| format!("tenant:{n:04}")).collect();
    let bare = names.clone();
    let mut all = vec![Contestant {
        column: Column::Bare,
        calls: Box::new(move |lane| {
            let executor = Executor::new();
            lane.run(&mut |calls| {
                let mut turn = bare.iter().cycle();
                for n in calls {
                    black_box(turn.next().map(String::as_str));
                    let _ = black_box(executor.run(Job(n)));
                }
            });
        }),
        check: Box::new(|| true),
    }];
    let setup = scene(Rule::Consecutive).setup;
    let variants = [
        (Column::Ours, ours::settings(setup)),
        (Column::Lean, ours::lean(setup)),
    ];
    all.extend(variants.map(|(column, settings)| {
        let registry = BreakerRegistry::builder()
            .default_preset(settings)
            .build()
            .expect("settings that work");
        for name in names.iter().filter(|_| refused) {
            registry.breaker(name).trip();
        }
        let (asked, first) = (registry.clone(), names[0].clone());
        let names = names.clone();
        Contestant {
            column,
            calls: Box::new(move |lane| {
                let executor = Executor::new();
                lane.run(&mut |calls| {
                    let mut turn = names.iter().cycle();
                    for n in calls {
                        let name = black_box(turn.next().map_or("", String::as_str));
                        let _ = black_box(executor.run(Job(n).with_breaker(&registry, name)));
                    }
                });
            }),
            check: Box::new(move || {
                let call = Job(7).with_breaker(&asked, &first);
                is(&Executor::new().run(call), refused)
            }),
        }
    }));
    all
}
