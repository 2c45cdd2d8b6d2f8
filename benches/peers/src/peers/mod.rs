//! Every contestant behind two small traits, which compile to the contestant's own call.

pub mod breaker;
pub mod circuit;
pub mod circuitbreaker_rs;
pub mod failsafe;
pub mod nobreak;
pub mod ours;
pub mod recloser;
pub mod tower_resilience;

use crate::job::{Job, Worked};
use std::time::Duration;

/// When a breaker opens. Where a crate has no such rule it does not run; where it has a near one,
/// its file says which.
#[derive(Clone, Copy, PartialEq)]
pub enum Rule {
    /// Five failures in a row.
    Consecutive,
    /// Half of the last hundred calls.
    CountWindow,
    /// Half of the calls of the last minute.
    TimeWindow,
    /// Half of the last hundred calls took longer than a second.
    SlowCalls,
}

#[derive(Clone, Copy)]
pub struct Setup {
    pub rule: Rule,
    /// Whether some of the calls fail.
    pub failing: bool,
}

/// Longer than any run: a refusal is one far from the end of the outage.
pub const OPEN_FOR: Duration = Duration::from_secs(3600);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const SECOND: Duration = Duration::from_secs(1);

/// An error of a breaker.
pub trait Refusable {
    fn is_refusal(&self) -> bool;
}

/// A breaker around plain code.
pub trait Blocking: Send + Sync + Sized + 'static {
    type Error: Refusable;
    /// `None` where the crate has no such rule.
    fn new(setup: Setup) -> Option<Self>;
    fn call(&self, work: impl FnOnce() -> Worked) -> Result<u64, Self::Error>;
}

/// A breaker around futures.
pub trait Polled: Send + Sync + Sized + 'static {
    type Error: Refusable;
    /// What a thread holds of the one breaker; made once, not for each call.
    type Caller;
    fn new(setup: Setup) -> Option<Self>;
    fn caller(&self) -> Self::Caller;
    fn call(caller: &mut Self::Caller, job: Job) -> impl Future<Output = Result<u64, Self::Error>>;
}
