//! A dependency that fails and recovers, and its circuit.

use crate::call_counts::{CallCounts, Ending, count};
use breakerbox::Totals;
use breakerbox::prelude::*;
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Circuit(#[from] BreakerError),
    #[error("the dependency is down")]
    Down,
    /// Ignored by the breakers.
    #[error("not found")]
    NotFound,
}

pub(crate) type Answer = Result<u64, Failure>;

/// What the dependency does with a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behavior {
    Answers,
    NotFound,
    Fails,
    Panics,
    Hangs,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) registry: &'static BreakerRegistry,
    pub(crate) counts: CallCounts,
    available: AtomicBool,
}

/// Returns a listener that counts openings, and panics at every 16th of them.
pub(crate) fn listener(opened: Arc<AtomicU64>) -> impl Fn(&Event) + Send + Sync + 'static {
    move |event| {
        let opens = matches!(
            event,
            Event::StateChanged {
                to: State::Open,
                ..
            }
        );
        if opens && count(&opened) % 16 == 0 {
            panic_quietly();
        }
    }
}

/// Panics without the panic hook, which would print thousands of messages.
pub(crate) fn panic_quietly() -> ! {
    resume_unwind(Box::new("deliberate panic"))
}

impl Dependency {
    pub(crate) fn new(
        registry: &'static BreakerRegistry,
        name: &str,
        opened: Arc<AtomicU64>,
    ) -> Self {
        Self {
            breaker: registry.breaker(name),
            registry,
            counts: CallCounts::new(opened),
            available: AtomicBool::new(true),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.breaker.name()
    }

    pub(crate) fn set_available(&self, available: bool) {
        self.available.store(available, SeqCst);
    }

    pub(crate) fn summary(&self) -> String {
        format!("\n{}", self.breaker.snapshot())
    }

    fn random_behavior(&self) -> Behavior {
        let random = fastrand::u32(0..1_000);
        match (self.available.load(SeqCst), random) {
            (true, 0..930) => Behavior::Answers,
            (true, 930..970) => Behavior::NotFound,
            (true, 970..990) | (false, 0..700) => Behavior::Fails,
            (true, 990..992) | (false, 700..750) => Behavior::Panics,
            _ => Behavior::Hangs,
        }
    }

    /// Reads the state before a call, for [`begin_call`](Self::begin_call).
    pub(crate) fn before(&self) -> StateBefore {
        let half_open = self.breaker.state() == State::HalfOpen;
        StateBefore(half_open.then(|| half_open_totals(&self.breaker)).flatten())
    }

    /// Counts a call that reached the dependency.
    ///
    /// The call is certainly a trial if the circuit was half-open before it and is half-open now,
    /// with no success and no failure in between. Each transition out of half-open takes one of
    /// them.
    pub(crate) fn begin_call(&self, before: StateBefore, if_dropped: Ending) -> DependencyCall<'_> {
        count(&self.counts.began);
        let now = before.0.and_then(|_| half_open_totals(&self.breaker));
        let outcomes = |totals: Totals| (totals.success, totals.failure);
        let trial = now.is_some() && before.0.map(outcomes) == now.map(outcomes);
        if trial {
            self.counts.begin_trial();
        }
        DependencyCall {
            dependency: self,
            if_dropped,
            if_panicked: Ending::Failure,
            trial,
            end: None,
        }
    }

    /// Makes a call that succeeds at once.
    pub(crate) fn call_successfully(&self) -> Result<u64, BreakerError<Failure>> {
        let before = self.before();
        let result = self.breaker.call(|| {
            self.begin_call(before, Ending::Cancelled)
                .end(Behavior::Answers)
        });
        self.count_refusal(result.as_ref().err());
        result
    }

    fn count_refusal(&self, error: Option<&BreakerError<Failure>>) {
        if let Some(BreakerError::Open(open)) = error {
            self.counts.refuse(open);
        }
    }

    /// Answers a call on this thread. A call that would hang fails instead.
    pub(crate) fn answer_sync(&self, before: StateBefore) -> Answer {
        let call = self.begin_call(before, Ending::Cancelled);
        let behavior = match self.random_behavior() {
            Behavior::Hangs => Behavior::Fails,
            behavior => behavior,
        };
        if fastrand::u32(0..64) == 0 {
            thread::yield_now();
        }
        call.end(behavior)
    }

    /// Answers an async call, which may wait or hang.
    pub(crate) async fn answer(&self, before: StateBefore, if_dropped: Ending) -> Answer {
        let call = self.begin_call(before, if_dropped);
        self.respond(call).await
    }

    /// Answers a call with a permit. Only the dependency sees a panic, which drops the permit.
    pub(crate) async fn answer_unguarded(&self, before: StateBefore) -> Answer {
        let mut call = self.begin_call(before, Ending::Cancelled);
        call.if_panicked = Ending::Cancelled;
        self.respond(call).await
    }

    async fn respond(&self, call: DependencyCall<'_>) -> Answer {
        let behavior = self.random_behavior();
        if fastrand::bool() {
            tokio::task::yield_now().await;
        }
        if matches!(behavior, Behavior::Hangs) {
            pending::<()>().await;
        }
        call.end(behavior)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct StateBefore(Option<Totals>);

fn half_open_totals(breaker: &CircuitBreaker) -> Option<Totals> {
    let snapshot = breaker.snapshot();
    (snapshot.state == State::HalfOpen).then_some(snapshot.totals)
}

/// A call in progress at the dependency.
#[derive(Debug)]
pub(crate) struct DependencyCall<'a> {
    dependency: &'a Dependency,
    if_dropped: Ending,
    if_panicked: Ending,
    trial: bool,
    end: Option<Ending>,
}

impl DependencyCall<'_> {
    pub(crate) fn end(mut self, behavior: Behavior) -> Answer {
        let (end, answer) = match behavior {
            Behavior::Answers => (Ending::Success, Ok(42)),
            Behavior::NotFound => (Ending::Ignored, Err(Failure::NotFound)),
            Behavior::Fails | Behavior::Hangs => (Ending::Failure, Err(Failure::Down)),
            Behavior::Panics => {
                count(&self.dependency.counts.panicked);
                panic_quietly()
            }
        };
        self.end = Some(end);
        answer
    }

    /// Ends the call as `end`, which the answer does not show.
    pub(crate) fn end_as(mut self, end: Ending) {
        self.end = Some(end);
    }
}

impl Drop for DependencyCall<'_> {
    fn drop(&mut self) {
        let ending = if thread::panicking() {
            self.if_panicked
        } else {
            self.if_dropped
        };
        self.dependency.counts.end(self.end.unwrap_or(ending));
        if self.trial {
            self.dependency.counts.end_trial();
        }
    }
}
