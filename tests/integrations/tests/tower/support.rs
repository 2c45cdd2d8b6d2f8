use breakerbox::CircuitBreaker;
use breakerbox::clock::ManualClock;
use breakerbox::tower::BreakerLayer;
use std::future::{Pending, Ready, pending, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tower::{Layer, Service};

/// The error of the guarded service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault;

/// What a request asks of the service.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Answer(u32),
    Fail,
    Hang,
    Panic,
    PanicInCall,
}

/// What the service does when it is polled for readiness.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Readiness {
    Ready,
    Pending,
    Fails,
    Panics,
}

/// A service that panics when it is called without having been polled ready, by this very clone, since
/// its last call.
#[derive(Debug)]
pub(crate) struct Strict {
    script: Arc<Script>,
    ready: bool,
}

#[derive(Debug)]
pub(crate) struct Script {
    readiness: Mutex<Readiness>,
    polled: AtomicUsize,
    called: AtomicUsize,
}

impl Strict {
    pub(crate) fn new() -> (Self, Arc<Script>) {
        let script = Arc::new(Script {
            readiness: Mutex::new(Readiness::Ready),
            polled: AtomicUsize::new(0),
            called: AtomicUsize::new(0),
        });
        let strict = Self {
            script: script.clone(),
            ready: false,
        };
        (strict, script)
    }
}

impl Script {
    pub(crate) fn is(&self, readiness: Readiness) {
        *self.readiness.lock().unwrap() = readiness;
    }

    pub(crate) fn polled(&self) -> usize {
        self.polled.load(Ordering::Relaxed)
    }

    pub(crate) fn called(&self) -> usize {
        self.called.load(Ordering::Relaxed)
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            script: self.script.clone(),
            ready: false,
        }
    }
}

impl Service<Ask> for Strict {
    type Response = u32;
    type Error = Fault;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.script.polled.fetch_add(1, Ordering::Relaxed);
        let readiness = *self.script.readiness.lock().unwrap();
        match readiness {
            Readiness::Ready => {
                self.ready = true;
                Poll::Ready(Ok(()))
            }
            Readiness::Pending => Poll::Pending,
            Readiness::Fails => Poll::Ready(Err(Fault)),
            Readiness::Panics => panic!("the service breaks in poll_ready"),
        }
    }

    fn call(&mut self, ask: Ask) -> Answer {
        assert!(self.ready, "called without having been polled ready");
        self.ready = false;
        self.script.called.fetch_add(1, Ordering::Relaxed);
        match ask {
            Ask::Answer(number) => Answer::Now(ready(Ok(number))),
            Ask::Fail => Answer::Now(ready(Err(Fault))),
            Ask::Hang => Answer::Never(pending()),
            Ask::Panic => Answer::Panic,
            Ask::PanicInCall => panic!("the service breaks in call"),
        }
    }
}

#[derive(Debug)]
pub(crate) enum Answer {
    Now(Ready<Result<u32, Fault>>),
    Never(Pending<Result<u32, Fault>>),
    Panic,
}

impl Future for Answer {
    type Output = Result<u32, Fault>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Now(answer) => Poll::Ready(ready!(pin!(answer).poll(cx))),
            Self::Never(never) => pin!(never).poll(cx),
            Self::Panic => panic!("the service breaks in its future"),
        }
    }
}

pub(crate) type Guarded = breakerbox::tower::Breaker<Strict>;

/// A guarded strict service, one failure from opening for half a minute of the clock.
pub(crate) struct Bench {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) clock: ManualClock,
    pub(crate) script: Arc<Script>,
    pub(crate) service: Guarded,
}

pub(crate) const RECOVERY: Duration = Duration::from_secs(30);

impl Bench {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let breaker = CircuitBreaker::builder()
            .name("x")
            .failure_threshold(1)
            .recovery_timeout(RECOVERY)
            .clock(clock.clone())
            .build()
            .unwrap();
        let (strict, script) = Strict::new();
        let service = BreakerLayer::new(breaker.clone()).layer(strict);
        Self {
            breaker,
            clock,
            script,
            service,
        }
    }

    /// As far as the clock goes: half-open, with its trial free.
    pub(crate) fn half_open(&self) {
        self.breaker.trip();
        self.clock.advance(RECOVERY);
    }
}

pub(crate) fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

pub(crate) fn poll_ready<S: Service<Ask>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    service.poll_ready(&mut context())
}

pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut context())
}

/// What a future gives that never waits.
#[track_caller]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

/// Ready, then called, then polled to its end.
#[track_caller]
pub(crate) fn ask<S: Service<Ask>>(service: &mut S, ask: Ask) -> Result<S::Response, S::Error> {
    match poll_ready(service) {
        Poll::Ready(Ok(())) => now(service.call(ask)),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => panic!("the service is not ready"),
    }
}
