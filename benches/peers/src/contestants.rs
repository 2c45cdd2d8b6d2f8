//! Who is measured in a row, and how their calls are made.

use crate::job::{Executor, FAILS, Failure, Healthy, Job, Load, Order, Worked, work};
use crate::lane::{self, Lane};
use crate::peers::circuitbreaker_rs::CircuitbreakerRs;
use crate::peers::failsafe::Failsafe;
use crate::peers::ours::{self, Lean, LeanService, Plain, PlainService};
use crate::peers::tower_resilience::TowerResilience;
use crate::peers::{Blocking, Polled, Refusable, Rule, Setup, breaker, circuit};
use crate::rows::Column;
use crate::through::Inner;
use ::breaker::CircuitBreaker as Breaker;
use breakerbox::prelude::*;
use nobreak::CircuitBreaker as Nobreak;
use recloser::{AsyncRecloser, Recloser};
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

pub struct Contestant {
    pub column: Column,
    pub calls: Box<Calls>,
    /// Whether it does what the row says: asked before the run and after it.
    pub check: Box<dyn Fn() -> bool>,
}

type Calls = dyn Fn(&Lane<'_>) + Sync;

/// A state of the breaker, with the work that its calls do.
#[derive(Clone, Copy)]
pub struct Scene {
    setup: Setup,
    refused: bool,
}

pub const fn scene(rule: Rule) -> Scene {
    Scene {
        setup: Setup {
            rule,
            failing: false,
        },
        refused: false,
    }
}

pub const REFUSED: Scene = Scene {
    refused: true,
    ..scene(Rule::Consecutive)
};

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

/// The contestants that guard futures, each run by `$run`.
macro_rules! futures {
    ($run:ident, $Load:ident, $scene:ident) => {{
        let all = [
            $run::<Bare, $Load>(Column::Bare, $scene),
            $run::<Plain, $Load>(Column::Ours, $scene),
            $run::<Lean, $Load>(Column::Lean, $scene),
            $run::<AsyncRecloser, $Load>(Column::Recloser, $scene),
            $run::<Failsafe, $Load>(Column::Failsafe, $scene),
            $run::<Breaker, $Load>(Column::Breaker, $scene),
            $run::<Arc<Nobreak>, $Load>(Column::Nobreak, $scene),
            $run::<CircuitbreakerRs, $Load>(Column::CircuitbreakerRs, $scene),
            $run::<TowerResilience, $Load>(Column::TowerResilience, $scene),
        ];
        all.into_iter().flatten().collect()
    }};
}

pub fn blocking<W: Load>(scene: Scene) -> Vec<Contestant> {
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

pub fn polled<W: Load>(scene: Scene) -> Vec<Contestant> {
    futures!(awaited, W, scene)
}

/// The same, with an executor for each call.
pub fn moved<W: Load>(scene: Scene) -> Vec<Contestant> {
    futures!(handed, W, scene)
}

/// Around a service that is always ready.
pub fn services(scene: Scene) -> Vec<Contestant> {
    let all = [
        awaited::<Inner, Healthy>(Column::Bare, scene),
        awaited::<PlainService, Healthy>(Column::Ours, scene),
        awaited::<LeanService, Healthy>(Column::Lean, scene),
        awaited::<breaker::Service, Healthy>(Column::Breaker, scene),
        awaited::<TowerResilience, Healthy>(Column::TowerResilience, scene),
    ];
    all.into_iter().flatten().collect()
}

/// Functions whose errors take a refusal in. Nobody else has an attribute.
pub fn decorated_sync<P: Blocking, L: Blocking>(scene: Scene) -> Vec<Contestant> {
    let all = [
        sync::<circuit::Bare, Healthy>(Column::Bare, scene),
        sync::<P, Healthy>(Column::Ours, scene),
        sync::<L, Healthy>(Column::Lean, scene),
    ];
    all.into_iter().flatten().collect()
}

pub fn decorated<P: Polled, L: Polled>(scene: Scene) -> Vec<Contestant> {
    let all = [
        awaited::<circuit::Bare, Healthy>(Column::Bare, scene),
        awaited::<P, Healthy>(Column::Ours, scene),
        awaited::<L, Healthy>(Column::Lean, scene),
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

/// Awaited where it is made, as code in an async function does.
fn awaited<P: Polled, W: Load>(column: Column, scene: Scene) -> Option<Contestant> {
    later::<P>(W::FAILING, column, scene, |caller, executor, calls| {
        executor.run(async {
            for n in calls {
                let job = Job(W::order(n));
                let _ = black_box(P::call(caller, job).await);
            }
        });
    })
}

/// Each future moved into the executor, which has no task of its own.
fn handed<P: Polled, W: Load>(column: Column, scene: Scene) -> Option<Contestant> {
    later::<P>(W::FAILING, column, scene, |caller, executor, calls| {
        for n in calls {
            let job = Job(W::order(n));
            let _ = black_box(executor.run(P::call(caller, job)));
        }
    })
}

fn later<P: Polled>(
    failing: bool,
    column: Column,
    scene: Scene,
    make: impl Fn(&mut P::Caller, &Executor, Range<u64>) + Send + Sync + 'static,
) -> Option<Contestant> {
    let setup = Setup {
        failing,
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
            lane.run(&mut |calls| make(&mut caller, &executor, calls));
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
pub fn permits(refused: bool) -> Vec<Contestant> {
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
                    if let Ok(permit) = black_box(own.try_acquire()) {
                        permit.success();
                    }
                }
            });
        }),
        check: Box::new(move || asked.try_acquire().is_err() == refused),
    }
}

/// `with_breaker(&registry, name)`, the names in turn. Nobody else has names.
pub fn by_name(count: usize, refused: bool) -> Vec<Contestant> {
    let names: Arc<[String]> = (0..count).map(|n| format!("tenant:{n:04}")).collect();
    let bare = names.clone();
    let mut all = vec![Contestant {
        column: Column::Bare,
        calls: Box::new(move |lane| {
            let executor = Executor::new();
            lane.run(&mut |calls| {
                let mut turn = bare.iter().cycle();
                executor.run(async {
                    for n in calls {
                        black_box(turn.next().map(String::as_str));
                        let _ = black_box(Job(n).await);
                    }
                });
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
                    executor.run(async {
                        for n in calls {
                            let name = black_box(turn.next().map_or("", String::as_str));
                            let _ = black_box(Job(n).with_breaker(&registry, name).await);
                        }
                    });
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
