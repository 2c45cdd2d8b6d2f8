//! Guarded calls through every API.

use crate::classification::{Answer, Site};
use crate::errors::{TestError, catch_deliberate_panic, panic_on_purpose};
use breakerbox::parts::{Classifier, Handle};
use breakerbox::prelude::*;
use breakerbox::{BreakerError, CircuitOpen, WithBreaker};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// What the caller received.
pub(crate) enum CallResult {
    Answered(Answer),
    Refused(CircuitOpen),
    TimedOut,
    /// The fallback answered.
    FellBack,
}

impl CallResult {
    fn of(result: Result<bool, BreakerError<TestError>>) -> Self {
        match result {
            Ok(answer) => Self::Answered(Ok(answer)),
            Err(BreakerError::Inner(error)) => Self::Answered(Err(error)),
            Err(BreakerError::Open(open)) => Self::Refused(open),
            Err(error) => {
                assert!(error.is_timed_out());
                Self::TimedOut
            }
        }
    }

    fn of_fallback(result: Answer) -> Self {
        match result {
            Ok(true) => Self::FellBack,
            answer => Self::Answered(answer),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum CallKind {
    Plain,
    /// With a timeout of [`TIMEOUT`].
    WithTimeout,
    WithFallback {
        panics: bool,
    },
}

/// Measured by tokio's clock, which is independent of the breaker's clock.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// What the guarded code does the next time it is polled or called.
#[derive(Clone, Copy, Default)]
pub(crate) enum Action {
    #[default]
    Pend,
    Return(Answer),
    Panic,
}

/// State shared with guarded code, to control and observe it.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) action: Cell<Action>,
    /// How often the guarded code was polled or called.
    pub(crate) runs: Cell<u32>,
    pub(crate) dropped: Cell<bool>,
    pub(crate) drop_panics: bool,
    pub(crate) fallbacks: Cell<u32>,
}

pub(crate) struct ScriptedFuture(Rc<Script>);

impl Future for ScriptedFuture {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Answer> {
        self.0.runs.set(self.0.runs.get() + 1);
        match self.0.action.get() {
            Action::Pend => Poll::Pending,
            Action::Return(answer) => Poll::Ready(answer),
            Action::Panic => panic_on_purpose(),
        }
    }
}

impl Drop for ScriptedFuture {
    fn drop(&mut self) {
        self.0.dropped.set(true);
        if self.0.drop_panics && !thread::panicking() {
            panic_on_purpose();
        }
    }
}

pub(crate) type GuardedFuture = Pin<Box<dyn Future<Output = CallResult>>>;

/// Polls a guarded future. Returns `None` if it panicked deliberately.
pub(crate) fn poll(guarded: &mut GuardedFuture) -> Option<Poll<CallResult>> {
    catch_deliberate_panic(|| {
        guarded
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    })
}

pub(crate) fn guard<H: Handle + 'static>(
    script: &Rc<Script>,
    handle: H,
    site: Site,
    kind: CallKind,
) -> GuardedFuture {
    with_classification(
        ScriptedFuture(script.clone()).guarded_by(handle),
        script,
        site,
        kind,
    )
}

/// Guards by the name of the breaker.
pub(crate) fn guard_by_name(
    script: &Rc<Script>,
    (registry, name): (&BreakerRegistry, &str),
    site: Site,
    kind: CallKind,
) -> GuardedFuture {
    let guarded = ScriptedFuture(script.clone()).with_breaker(registry, name);
    with_classification(guarded, script, site, kind)
}

fn with_classification<H: Handle + 'static>(
    guarded: WithBreaker<ScriptedFuture, H>,
    script: &Rc<Script>,
    site: Site,
    kind: CallKind,
) -> GuardedFuture {
    match site {
        Site::Rules => with_kind(guarded, script, kind),
        Site::FailIf(_) => {
            let guarded = guarded.fail_if(move |_: &TestError| site.fails());
            with_kind(guarded, script, kind)
        }
        Site::Classify(_) => {
            let guarded = guarded.classify(move |_: &Answer| site.outcome());
            with_kind(guarded, script, kind)
        }
    }
}

/// Guards an async function, whose results are classified by the rules of the breaker.
pub(crate) fn guard_function<H: Handle + 'static>(script: &Rc<Script>, handle: H) -> GuardedFuture {
    let script = script.clone();
    let function = move || ScriptedFuture(script);
    let guarded = function.guarded_by(handle);
    Box::pin(async { CallResult::of(guarded.call_once().await) })
}

fn with_kind<H, J>(
    guarded: WithBreaker<ScriptedFuture, H, J>,
    script: &Rc<Script>,
    kind: CallKind,
) -> GuardedFuture
where
    H: Handle + 'static,
    J: Classifier<Answer, Ok = bool, Err = TestError> + 'static,
{
    match kind {
        CallKind::Plain => Box::pin(async { CallResult::of(guarded.await) }),
        CallKind::WithTimeout => {
            let guarded = guarded.timeout(TIMEOUT);
            Box::pin(async { CallResult::of(guarded.await) })
        }
        CallKind::WithFallback { panics } => {
            let script = script.clone();
            let guarded = guarded.fallback(move |_: CircuitOpen| {
                run_fallback(&script, panics);
                async { Ok(true) }
            });
            Box::pin(async { CallResult::of_fallback(guarded.await) })
        }
    }
}

fn run_fallback(script: &Script, panics: bool) {
    script.fallbacks.set(script.fallbacks.get() + 1);
    if panics {
        panic_on_purpose();
    }
}

/// Returns a future that is pending once if `pauses` is set, and then runs `work` within one poll.
pub(crate) async fn run_in_future(pauses: bool, work: impl FnOnce() -> Answer) -> Answer {
    if pauses {
        let mut waited = false;
        poll_fn(|_| {
            if std::mem::replace(&mut waited, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
    work()
}

/// Polls a future in a loop until it completes. The future must not need a waker.
pub(crate) fn drive<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// How work without suspension points is guarded.
#[derive(Clone, Copy)]
pub(crate) enum Route {
    Function,
    /// As a future, which may be pending once before the work.
    Future {
        pauses: bool,
    },
}

/// Runs a guarded future to completion.
pub(crate) fn call_future<H: Handle>(
    work: impl Future<Output = Answer>,
    script: &Script,
    handle: H,
    site: Site,
    kind: CallKind,
) -> CallResult {
    macro_rules! finish {
        ($guarded:expr) => {
            match kind {
                CallKind::WithFallback { panics } => {
                    let fallback = |_: CircuitOpen| {
                        run_fallback(script, panics);
                        async { Ok(true) }
                    };
                    CallResult::of_fallback(drive($guarded.fallback(fallback)))
                }
                _ => CallResult::of(drive($guarded)),
            }
        };
    }
    let guarded = work.guarded_by(handle);
    match site {
        Site::Rules => finish!(guarded),
        Site::FailIf(_) => finish!(guarded.fail_if(move |_: &TestError| site.fails())),
        Site::Classify(_) => finish!(guarded.classify(move |_: &Answer| site.outcome())),
    }
}

/// Calls a guarded sync function.
pub(crate) fn call<H: Handle>(
    work: impl FnOnce() -> Answer,
    script: &Script,
    handle: H,
    site: Site,
    kind: CallKind,
) -> CallResult {
    macro_rules! finish {
        ($guarded:expr) => {
            match kind {
                CallKind::WithFallback { panics } => {
                    let fallback = || {
                        run_fallback(script, panics);
                        Ok(true)
                    };
                    CallResult::of_fallback($guarded.fallback(fallback).call_once())
                }
                _ => CallResult::of($guarded.call_once()),
            }
        };
    }
    let guarded = work.guarded_by(handle);
    match site {
        Site::Rules => finish!(guarded),
        Site::FailIf(_) => finish!(guarded.fail_if(move |_: &TestError| site.fails())),
        Site::Classify(_) => finish!(guarded.classify(move |_: &Answer| site.outcome())),
    }
}
