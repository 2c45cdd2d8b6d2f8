//! recloser: a ring of outcomes behind a spin lock. It has one rule, a share of the last N calls; all
//! of the last five is five in a row.

use super::{Blocking, OPEN_FOR, Polled, Refusable, Rule, Setup};
use crate::job::{Failure, Job, Worked};
use recloser::{AsyncRecloser, Error, Recloser};

fn build(setup: Setup) -> Option<Recloser> {
    let builder = Recloser::custom().open_wait(OPEN_FOR);
    match setup.rule {
        Rule::Consecutive => Some(builder.closed_len(5).error_rate(1.0).build()),
        Rule::CountWindow => Some(builder.closed_len(100).error_rate(0.5).build()),
        Rule::TimeWindow | Rule::SlowCalls => None,
    }
}

impl Refusable for Error<Failure> {
    fn is_refusal(&self) -> bool {
        matches!(self, Error::Rejected)
    }
}

impl Blocking for Recloser {
    type Error = Error<Failure>;
    fn new(setup: Setup) -> Option<Self> {
        build(setup)
    }
    #[inline]
    fn call(&self, work: impl FnOnce() -> Worked) -> Result<u64, Self::Error> {
        self.call(work)
    }
}

impl Polled for AsyncRecloser {
    type Error = Error<Failure>;
    type Caller = Self;
    fn new(setup: Setup) -> Option<Self> {
        build(setup).map(Self::from)
    }
    fn caller(&self) -> Self {
        self.clone()
    }
    #[inline]
    fn call(caller: &mut Self, job: Job) -> impl Future<Output = Result<u64, Self::Error>> {
        AsyncRecloser::call(caller, job)
    }
}
