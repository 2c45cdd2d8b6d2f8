//! The loops of calls through each crate.

mod breaker;
mod circuitbreaker_rs;
mod failsafe;
mod nobreak;
mod ours;
mod recloser;
mod tower_resilience;

use crate::work::Work;
use std::ops::Range;
use std::time::Duration;
use tower::{Service, ServiceExt};

/// Prepares a thread, and returns the loop over a range of inputs. The loop contains the crate's own
/// call, so the compiler can inline it, and returns whether the last call succeeded.
pub type CallLoop = Box<dyn Fn() -> ThreadLoop + Send + Sync>;
type ThreadLoop = Box<dyn FnMut(Range<u64>) -> bool>;

/// The loops around one breaker; none if its crate lacks the rule.
type Loops = Vec<(Kind, CallLoop)>;
type Build = fn(Load) -> Loops;

/// A way to make a call.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Sync,
    Async,
    Permit,
    Service,
    OneName,
    ThousandNames,
    Circuit,
    AsyncCircuit,
}

#[derive(Clone, Copy)]
pub struct Load {
    pub rule: Rule,
    /// Whether one call in ten fails.
    pub failing: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Rule {
    /// Five consecutive failures.
    Consecutive,
    /// Half of the last 100 calls.
    Calls,
    /// Half of the last minute's calls.
    Time,
}

/// Longer than a run.
const OPEN_FOR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// The columns of the table. Peers go by their packages.
pub const ALL: [(&str, Build); 8] = [
    ("reference", ours::reference),
    ("breakerbox", ours::loops),
    ("recloser", recloser::loops),
    ("failsafe", failsafe::loops),
    ("breaker", breaker::loops),
    ("nobreak", nobreak::loops),
    ("circuitbreaker-rs", circuitbreaker_rs::loops),
    ("tower-resilience-circuitbreaker", tower_resilience::loops),
];

/// Expands to the loops of a crate. Each thread clones the handle once.
macro_rules! loops {
    ($load:expr, $($kind:ident: $handle:expr => [$($call:tt)*],)*) => {
        vec![$((Kind::$kind, {
            let (failing, handle) = ($load.failing, $handle.clone());
            Box::new(move || -> super::ThreadLoop { loops!(@ failing, handle.clone(), $($call)*) })
                as super::CallLoop
        })),*]
    };
    (@ $failing:ident, $handle:expr, async |$breaker:ident, $work:ident| $call:expr) => {{
        let mut $breaker = $handle;
        Box::new(move |calls| {
            let $breaker = &mut $breaker;
            $crate::work::run(async {
                let mut succeeded = true;
                for n in calls {
                    let $work = $crate::work::Work($crate::work::input(n, $failing));
                    succeeded = std::hint::black_box(($call).await).is_ok();
                }
                succeeded
            })
        })
    }};
    (@ $failing:ident, $handle:expr, |$breaker:ident, $input:ident| $call:expr) => {{
        let $breaker = $handle;
        Box::new(move |calls| {
            let mut succeeded = true;
            for n in calls {
                let $input = $crate::work::input(n, $failing);
                succeeded = std::hint::black_box($call).is_ok();
            }
            succeeded
        })
    }};
}
use loops;

/// Calls a tower service once it is ready.
#[inline]
async fn through<S: Service<Work>>(service: &mut S, work: Work) -> Result<S::Response, S::Error> {
    service.ready().await?.call(work).await
}
