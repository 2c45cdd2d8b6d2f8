//! A dependency that fails and recovers, and its circuit.

use crate::books::{Books, End, count};
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
pub(crate) enum Fate {
    Answers,
    NotFound,
    Fails,
    Panics,
    Hangs,
}

#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) registry: &'static BreakerRegistry,
    pub(crate) books: Books,
    up: AtomicBool,
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
    resume_unwind(Box::new("injected"))
}

impl Site {
    pub(crate) fn new(
        registry: &'static BreakerRegistry,
        name: &str,
        opened: Arc<AtomicU64>,
    ) -> Self {
        Self {
            breaker: registry.breaker(name),
            registry,
            books: Books::new(opened),
            up: AtomicBool::new(true),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.breaker.name()
    }

    pub(crate) fn set_up(&self, up: bool) {
        self.up.store(up, SeqCst);
    }

    pub(crate) fn summary(&self) -> String {
        format!("\n{}", self.breaker.snapshot())
    }

    fn fate(&self) -> Fate {
        let dice = fastrand::u32(0..1_000);
        match (self.up.load(SeqCst), dice) {
            (true, 0..930) => Fate::Answers,
            (true, 930..970) => Fate::NotFound,
            (true, 970..990) | (false, 0..700) => Fate::Fails,
            (true, 990..992) | (false, 700..750) => Fate::Panics,
            _ => Fate::Hangs,
        }
    }

    /// Reads the state before a call, for [`visit`](Self::visit).
    pub(crate) fn before(&self) -> Before {
        let half_open = self.breaker.state() == State::HalfOpen;
        Before(half_open.then(|| half_open_totals(&self.breaker)).flatten())
    }

    /// Counts a call that reached the dependency.
    ///
    /// The call is certainly a trial if the circuit was half-open before it and is half-open now,
    /// with no success and no failure in between. Each transition out of half-open takes one of
    /// them.
    pub(crate) fn visit(&self, before: Before, if_dropped: End) -> Visit<'_> {
        count(&self.books.began);
        let now = before.0.and_then(|_| half_open_totals(&self.breaker));
        let steers = |totals: Totals| (totals.success, totals.failure);
        let trial = now.is_some() && before.0.map(steers) == now.map(steers);
        if trial {
            self.books.begin_trial();
        }
        Visit {
            site: self,
            if_dropped,
            if_panicked: End::Failure,
            trial,
            end: None,
        }
    }

    /// Makes a call that succeeds at once.
    pub(crate) fn call_well(&self) -> Result<u64, BreakerError<Failure>> {
        let before = self.before();
        let result = self
            .breaker
            .call(|| self.visit(before, End::Cancelled).end(Fate::Answers));
        self.note(result.as_ref().err());
        result
    }

    fn note(&self, error: Option<&BreakerError<Failure>>) {
        if let Some(BreakerError::Open(open)) = error {
            self.books.refuse(open);
        }
    }

    /// Answers a call on this thread. A call that would hang fails instead.
    pub(crate) fn answer_now(&self, before: Before) -> Answer {
        let visit = self.visit(before, End::Cancelled);
        let fate = match self.fate() {
            Fate::Hangs => Fate::Fails,
            fate => fate,
        };
        if fastrand::u32(0..64) == 0 {
            thread::yield_now();
        }
        visit.end(fate)
    }

    /// Answers an async call, which may wait or hang.
    pub(crate) async fn answer(&self, before: Before, if_dropped: End) -> Answer {
        let visit = self.visit(before, if_dropped);
        self.work(visit).await
    }

    /// Answers a call with a permit. Only the dependency sees a panic, which drops the permit.
    pub(crate) async fn answer_unguarded(&self, before: Before) -> Answer {
        let mut visit = self.visit(before, End::Cancelled);
        visit.if_panicked = End::Cancelled;
        self.work(visit).await
    }

    async fn work(&self, visit: Visit<'_>) -> Answer {
        let fate = self.fate();
        if fastrand::bool() {
            tokio::task::yield_now().await;
        }
        if matches!(fate, Fate::Hangs) {
            pending::<()>().await;
        }
        visit.end(fate)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Before(Option<Totals>);

fn half_open_totals(breaker: &CircuitBreaker) -> Option<Totals> {
    let snapshot = breaker.snapshot();
    (snapshot.state == State::HalfOpen).then_some(snapshot.totals)
}

/// A call in progress at the dependency.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    site: &'a Site,
    if_dropped: End,
    if_panicked: End,
    trial: bool,
    end: Option<End>,
}

impl Visit<'_> {
    pub(crate) fn end(mut self, fate: Fate) -> Answer {
        let (end, answer) = match fate {
            Fate::Answers => (End::Success, Ok(42)),
            Fate::NotFound => (End::Ignored, Err(Failure::NotFound)),
            Fate::Fails | Fate::Hangs => (End::Failure, Err(Failure::Down)),
            Fate::Panics => {
                count(&self.site.books.panicked);
                panic_quietly()
            }
        };
        self.end = Some(end);
        answer
    }

    /// Ends the call as `end`, which the answer does not show.
    pub(crate) fn end_as(mut self, end: End) {
        self.end = Some(end);
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let unsaid = if thread::panicking() {
            self.if_panicked
        } else {
            self.if_dropped
        };
        self.site.books.end(self.end.unwrap_or(unsaid));
        if self.trial {
            self.site.books.end_trial();
        }
    }
}
