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

/// What the service does for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TestRequest {
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

/// A service that panics if it is called before it was ready. Readiness belongs to one clone and one call.
#[derive(Debug)]
pub(crate) struct StrictService {
    script: Arc<Script>,
    ready: bool,
}

#[derive(Debug)]
pub(crate) struct Script {
    readiness: Mutex<Readiness>,
    polled: AtomicUsize,
    called: AtomicUsize,
}

impl StrictService {
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
    pub(crate) fn set_readiness(&self, readiness: Readiness) {
        *self.readiness.lock().unwrap() = readiness;
    }

    pub(crate) fn polled(&self) -> usize {
        self.polled.load(Ordering::Relaxed)
    }

    pub(crate) fn called(&self) -> usize {
        self.called.load(Ordering::Relaxed)
    }
}

impl Clone for StrictService {
    fn clone(&self) -> Self {
        Self {
            script: self.script.clone(),
            ready: false,
        }
    }
}

impl Service<TestRequest> for StrictService {
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
            Readiness::Panics => panic!("deliberate panic in poll_ready"),
        }
    }

    fn call(&mut self, request: TestRequest) -> Answer {
        assert!(self.ready, "called without having been polled ready");
        self.ready = false;
        self.script.called.fetch_add(1, Ordering::Relaxed);
        match request {
            TestRequest::Answer(number) => Answer::Now(ready(Ok(number))),
            TestRequest::Fail => Answer::Now(ready(Err(Fault))),
            TestRequest::Hang => Answer::Never(pending()),
            TestRequest::Panic => Answer::Panic,
            TestRequest::PanicInCall => panic!("deliberate panic in call"),
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
            Self::Panic => panic!("deliberate panic in the future"),
        }
    }
}

pub(crate) type Guarded = breakerbox::tower::Breaker<StrictService>;

/// A guarded [`StrictService`]. One failure opens the circuit for [`RECOVERY`].
pub(crate) struct Fixture {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) clock: ManualClock,
    pub(crate) script: Arc<Script>,
    pub(crate) service: Guarded,
}

pub(crate) const RECOVERY: Duration = Duration::from_secs(30);

impl Fixture {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let breaker = CircuitBreaker::builder()
            .name("x")
            .failure_threshold(1)
            .recovery_timeout(RECOVERY)
            .clock(clock.clone())
            .build()
            .unwrap();
        let (strict, script) = StrictService::new();
        let service = BreakerLayer::new(breaker.clone()).layer(strict);
        Self {
            breaker,
            clock,
            script,
            service,
        }
    }

    /// Makes the circuit half-open, with a free slot.
    pub(crate) fn half_open(&self) {
        self.breaker.trip();
        self.clock.advance(RECOVERY);
    }
}

pub(crate) fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

pub(crate) fn poll_ready<S: Service<TestRequest>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    service.poll_ready(&mut context())
}

pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut context())
}

/// Returns the output of a future that completes at its first poll.
#[track_caller]
pub(crate) fn complete<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

/// Waits for readiness, calls the service, and returns the output of its future.
#[track_caller]
pub(crate) fn send<S: Service<TestRequest>>(
    service: &mut S,
    request: TestRequest,
) -> Result<S::Response, S::Error> {
    match poll_ready(service) {
        Poll::Ready(Ok(())) => complete(service.call(request)),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => panic!("the service is not ready"),
    }
}
