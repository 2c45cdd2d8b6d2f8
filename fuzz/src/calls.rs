//! The ways through a breaker.

use crate::judged::{Answer, Site};
use crate::trouble::{Trouble, blow, survive};
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

/// What the caller got.
pub(crate) enum Said {
    Answered(Answer),
    Refused(CircuitOpen),
    TimedOut,
    /// The fallback answered.
    Rescued,
}

impl Said {
    fn of(result: Result<bool, BreakerError<Trouble>>) -> Self {
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

    fn of_rescued(result: Answer) -> Self {
        match result {
            Ok(true) => Self::Rescued,
            answer => Self::Answered(answer),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Ending {
    Plain,
    /// With a limit, [`LIMIT`].
    Limited,
    Rescued {
        panics: bool,
    },
}

/// By tokio's clock, which is another one than the breaker's.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);

/// What the guarded code does when it is polled or called next.
#[derive(Clone, Copy, Default)]
pub(crate) enum Order {
    #[default]
    Wait,
    Give(Answer),
    Panic,
}

/// What guarded code shares with whoever wants to know what became of it.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) order: Cell<Order>,
    /// How often it was touched.
    pub(crate) runs: Cell<u32>,
    pub(crate) dropped: Cell<bool>,
    pub(crate) drop_panics: bool,
    pub(crate) rescues: Cell<u32>,
}

pub(crate) struct Scripted(Rc<Script>);

impl Future for Scripted {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Answer> {
        self.0.runs.set(self.0.runs.get() + 1);
        match self.0.order.get() {
            Order::Wait => Poll::Pending,
            Order::Give(answer) => Poll::Ready(answer),
            Order::Panic => blow(),
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.0.dropped.set(true);
        if self.0.drop_panics && !thread::panicking() {
            blow();
        }
    }
}

pub(crate) type Guarded = Pin<Box<dyn Future<Output = Said>>>;

/// `None` if it panicked.
pub(crate) fn poll(guarded: &mut Guarded) -> Option<Poll<Said>> {
    survive(|| {
        guarded
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    })
}

pub(crate) fn guard<H: Handle + 'static>(
    script: &Rc<Script>,
    handle: H,
    site: Site,
    ending: Ending,
) -> Guarded {
    judged(
        Scripted(script.clone()).guarded_by(handle),
        script,
        site,
        ending,
    )
}

/// The same by the name of the breaker.
pub(crate) fn guard_by_name(
    script: &Rc<Script>,
    (registry, name): (&BreakerRegistry, &str),
    site: Site,
    ending: Ending,
) -> Guarded {
    let guarded = Scripted(script.clone()).with_breaker(registry, name);
    judged(guarded, script, site, ending)
}

fn judged<H: Handle + 'static>(
    guarded: WithBreaker<Scripted, H>,
    script: &Rc<Script>,
    site: Site,
    ending: Ending,
) -> Guarded {
    match site {
        Site::Rules => ended(guarded, script, ending),
        Site::FailIf(_) => {
            let guarded = guarded.fail_if(move |_: &Trouble| site.fails());
            ended(guarded, script, ending)
        }
        Site::Classify(_) => {
            let guarded = guarded.classify(move |_: &Answer| site.outcome());
            ended(guarded, script, ending)
        }
    }
}

/// The same by an async function, judged by the breaker's rules.
pub(crate) fn guard_function<H: Handle + 'static>(script: &Rc<Script>, handle: H) -> Guarded {
    let made = script.clone();
    let function = move || Scripted(made);
    let guarded = function.guarded_by(handle);
    Box::pin(async { Said::of(guarded.call_once().await) })
}

fn ended<H, J>(guarded: WithBreaker<Scripted, H, J>, script: &Rc<Script>, ending: Ending) -> Guarded
where
    H: Handle + 'static,
    J: Classifier<Answer, Ok = bool, Err = Trouble> + 'static,
{
    match ending {
        Ending::Plain => Box::pin(async { Said::of(guarded.await) }),
        Ending::Limited => {
            let guarded = guarded.timeout(LIMIT);
            Box::pin(async { Said::of(guarded.await) })
        }
        Ending::Rescued { panics } => {
            let script = script.clone();
            let guarded = guarded.fallback(move |_: CircuitOpen| {
                rescue(&script, panics);
                async { Ok(true) }
            });
            Box::pin(async { Said::of_rescued(guarded.await) })
        }
    }
}

fn rescue(script: &Script, panics: bool) {
    script.rescues.set(script.rescues.get() + 1);
    if panics {
        blow();
    }
}

/// A future that waits once, if it `pauses`, and then does its work within one poll.
pub(crate) async fn working(pauses: bool, work: impl FnOnce() -> Answer) -> Answer {
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

/// Polls a future that needs no waking until it ends.
pub(crate) fn drive<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// How work is guarded that begins and ends at once.
#[derive(Clone, Copy)]
pub(crate) enum Route {
    Function,
    /// As a future, which may wait once before it.
    Future {
        pauses: bool,
    },
}

/// Calls a guarded future to its end.
pub(crate) fn call_future<H: Handle>(
    work: impl Future<Output = Answer>,
    script: &Script,
    handle: H,
    site: Site,
    ending: Ending,
) -> Said {
    macro_rules! finish {
        ($guarded:expr) => {
            match ending {
                Ending::Rescued { panics } => {
                    let fallback = |_: CircuitOpen| {
                        rescue(script, panics);
                        async { Ok(true) }
                    };
                    Said::of_rescued(drive($guarded.fallback(fallback)))
                }
                _ => Said::of(drive($guarded)),
            }
        };
    }
    let guarded = work.guarded_by(handle);
    match site {
        Site::Rules => finish!(guarded),
        Site::FailIf(_) => finish!(guarded.fail_if(move |_: &Trouble| site.fails())),
        Site::Classify(_) => finish!(guarded.classify(move |_: &Answer| site.outcome())),
    }
}

/// Calls a sync function.
pub(crate) fn call<H: Handle>(
    work: impl FnOnce() -> Answer,
    script: &Script,
    handle: H,
    site: Site,
    ending: Ending,
) -> Said {
    macro_rules! finish {
        ($guarded:expr) => {
            match ending {
                Ending::Rescued { panics } => {
                    let fallback = || {
                        rescue(script, panics);
                        Ok(true)
                    };
                    Said::of_rescued($guarded.fallback(fallback).call_once())
                }
                _ => Said::of($guarded.call_once()),
            }
        };
    }
    let guarded = work.guarded_by(handle);
    match site {
        Site::Rules => finish!(guarded),
        Site::FailIf(_) => finish!(guarded.fail_if(move |_: &Trouble| site.fails())),
        Site::Classify(_) => finish!(guarded.classify(move |_: &Answer| site.outcome())),
    }
}
