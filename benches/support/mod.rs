//! Breakers in every state and under every rule, with work to guard.
#![allow(dead_code, reason = "each benchmark uses its part")]

use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, Permit};
use std::cell::Cell;
use std::fmt;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A typical error: a few bytes with a derived `Debug`.
#[derive(Debug)]
pub(crate) struct Failure {
    #[allow(dead_code)]
    status: u16,
}

/// Required by functions with `#[circuit]`.
impl From<BreakerError> for Failure {
    fn from(_: BreakerError) -> Self {
        Self { status: 503 }
    }
}

/// The number of calls per sample, large enough that two threads overlap during nearly the whole
/// sample.
pub(crate) const CALLS: u32 = 10_000;

/// The input for which the work fails.
pub(crate) const FAILS: u64 = u64::MAX;

/// Minimal work that the compiler cannot optimize away.
#[inline]
pub(crate) fn work(input: u64) -> Result<u64, Failure> {
    match black_box(input) {
        FAILS => Err(Failure { status: 503 }),
        n => Ok(n),
    }
}

/// The work as an async function.
pub(crate) async fn async_work(input: u64) -> Result<u64, Failure> {
    Work(input).await
}

/// The work as a future that is ready immediately.
pub(crate) struct Work(pub(crate) u64);

impl Future for Work {
    type Output = Result<u64, Failure>;
    #[inline]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(work(self.0))
    }
}

/// Polls a future that is ready immediately.
#[inline]
pub(crate) fn poll<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the work is ready at once"),
    }
}

/// The state of the breaker and the results of its calls.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scene {
    /// Closed, and every call succeeds.
    Closed,
    /// Closed, while one call in ten fails.
    OneInTen,
    /// Half-open. Each call is a trial whose error is ignored, so the circuit stays half-open.
    HalfOpen,
    /// Half-open with all trials in flight. Calls are refused.
    TrialsTaken,
    /// Open. Calls are refused.
    Open,
}

/// The rule that the breaker has in addition to the default rule.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    Consecutive,
    CountWindow,
    TimeWindow,
    SlowCalls,
}

/// A scene under a rule.
#[derive(Clone, Copy)]
pub(crate) struct Case(pub(crate) Scene, pub(crate) Rule);

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scene = match self.0 {
            Scene::Closed => "closed",
            Scene::OneInTen => "one in ten fails",
            Scene::HalfOpen => "half-open",
            Scene::TrialsTaken => "trials taken",
            Scene::Open => "open",
        };
        let rule = match self.1 {
            Rule::Consecutive => "in a row",
            Rule::CountWindow => "window of calls",
            Rule::TimeWindow => "window of time",
            Rule::SlowCalls => "slow calls",
        };
        write!(f, "{scene}, {rule}")
    }
}

/// Every scene under every rule.
pub(crate) fn cases() -> impl Iterator<Item = Case> {
    let scenes = [
        Scene::Closed,
        Scene::OneInTen,
        Scene::HalfOpen,
        Scene::TrialsTaken,
        Scene::Open,
    ];
    let rules = [
        Rule::Consecutive,
        Rule::CountWindow,
        Rule::TimeWindow,
        Rule::SlowCalls,
    ];
    scenes
        .into_iter()
        .flat_map(move |scene| rules.map(|rule| Case(scene, rule)))
}

/// A breaker in the state of its scene.
pub(crate) struct Stage {
    pub(crate) registry: BreakerRegistry,
    pub(crate) breaker: CircuitBreaker,
    /// Occupies the only trial slot.
    _trial: Option<Permit>,
}

/// The name of the breaker.
pub(crate) const NAME: &str = "users-api";

const HOUR: Duration = Duration::from_secs(3600);

impl Case {
    fn settings(self) -> BreakerBuilder {
        let calls = Window::calls(100);
        let builder = CircuitBreaker::builder().recovery_timeout(HOUR);
        let builder = match self.1 {
            Rule::Consecutive => builder,
            Rule::CountWindow => builder.trip_when(TripRule::failure_rate(0.5).over(calls)),
            Rule::TimeWindow => {
                let minute = Window::time(Duration::from_secs(60));
                builder.trip_when(TripRule::failure_rate(0.5).over(minute))
            }
            Rule::SlowCalls => {
                let slow = TripRule::slow_calls(0.5).slower_than(HOUR);
                builder.trip_when(slow.over(calls))
            }
        };
        match self.0 {
            Scene::HalfOpen => builder
                .half_open_calls(1000)
                .ignored_value_if(|_: &Failure| true),
            _ => builder,
        }
    }

    /// Creates a breaker in a new registry.
    pub(crate) fn stage(self) -> Stage {
        self.stage_in(&BreakerRegistry::new())
    }

    /// Configures and resets the breaker called [`NAME`] in `registry`.
    pub(crate) fn stage_in(self, registry: &BreakerRegistry) -> Stage {
        let configured = registry.configure(NAME, self.settings());
        let breaker = configured.expect("valid settings");
        breaker.reset();
        let (state, trial) = match self.0 {
            Scene::Closed | Scene::OneInTen => {
                // Fills the count windows.
                (0..200).for_each(|n| drop(breaker.call(|| work(n))));
                (State::Closed, None)
            }
            Scene::Open => {
                breaker.trip();
                (State::Open, None)
            }
            Scene::HalfOpen => {
                breaker.half_open();
                (State::HalfOpen, None)
            }
            Scene::TrialsTaken => {
                breaker.half_open();
                (
                    State::HalfOpen,
                    Some(breaker.try_acquire().expect("the trial")),
                )
            }
        };
        assert_eq!(breaker.state(), state, "{self}");
        Stage {
            registry: registry.clone(),
            breaker,
            _trial: trial,
        }
    }

    /// Returns the input of the next call on this thread.
    pub(crate) fn input(self) -> u64 {
        thread_local!(static MADE: Cell<u64> = const { Cell::new(0) });
        let made = MADE.get();
        MADE.set(made + 1);
        match self.0 {
            Scene::OneInTen if made % 10 == 9 => FAILS,
            Scene::HalfOpen => FAILS,
            _ => made,
        }
    }
}
