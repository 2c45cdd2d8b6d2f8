//! A breaker with a manual clock and an event log, and helpers that poll futures.

use breakerbox::clock::ManualClock;
use breakerbox::{BreakerBuilder, BreakerError, CircuitBreaker, CircuitOpen, Event, Permit, State};
use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The recovery timeout of a [`TestBreaker`], unless a test sets another one.
pub(crate) const RECOVERY: Duration = Duration::from_secs(5);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An error that is a failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault;

/// An error that every [`TestBreaker`] ignores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct IgnoredError;

macro_rules! error {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl std::error::Error for $name {}
    )*};
}

error!(Fault, IgnoredError);

/// The events that a listener received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    pub(crate) fn listener(&self) -> impl Fn(&Event) + Send + Sync + use<> {
        let Self(events) = self.clone();
        move |event| {
            events
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(event.clone());
        }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.events().iter().filter(|event| which(event)).count()
    }

    /// Returns the old and new state of each state change.
    pub(crate) fn changes(&self) -> Vec<(State, State)> {
        let change = |event| match event {
            Event::StateChanged { from, to, .. } => Some((from, to)),
            _ => None,
        };
        self.events().into_iter().filter_map(change).collect()
    }
}

/// A breaker with a manual clock and a log of its events.
pub(crate) struct TestBreaker {
    pub(crate) clock: ManualClock,
    pub(crate) log: Log,
    breaker: CircuitBreaker,
}

impl Deref for TestBreaker {
    type Target = CircuitBreaker;

    fn deref(&self) -> &CircuitBreaker {
        &self.breaker
    }
}

impl TestBreaker {
    pub(crate) fn new(settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> Self {
        let clock = ManualClock::new();
        let log = Log::default();
        let builder = CircuitBreaker::builder()
            .recovery_timeout(RECOVERY)
            .ignored_error::<IgnoredError>()
            .clock(clock.clone())
            .on_event(log.listener());
        let breaker = settings(builder).build().expect("the settings are valid");
        Self {
            clock,
            log,
            breaker,
        }
    }

    /// Creates a breaker that is half-open because its recovery timeout has elapsed.
    pub(crate) fn half_open(settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> Self {
        let breaker = Self::new(settings);
        breaker.trip();
        breaker.clock.advance(RECOVERY);
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker
    }

    #[track_caller]
    pub(crate) fn acquire(&self) -> Permit {
        self.try_acquire().expect("the call is admitted")
    }

    #[track_caller]
    pub(crate) fn expect_refusal(&self) -> CircuitOpen {
        self.try_acquire().expect_err("the call is refused")
    }

    /// Makes a call that succeeds.
    #[track_caller]
    pub(crate) fn succeed(&self) {
        self.call_returning(Ok(()));
    }

    /// Makes a call that fails.
    #[track_caller]
    pub(crate) fn fail(&self) {
        self.call_returning(Err(Fault));
    }

    /// Makes a call that returns an ignored error.
    #[track_caller]
    pub(crate) fn fail_ignored(&self) {
        let result = self.call(|| Err::<(), _>(IgnoredError));
        assert_eq!(
            result.expect_err("the call fails").into_inner(),
            Some(IgnoredError)
        );
    }

    /// Makes `count` calls that fail.
    #[track_caller]
    pub(crate) fn fail_times(&self, count: u32) {
        (0..count).for_each(|_| self.fail());
    }

    #[track_caller]
    fn call_returning(&self, result: Result<(), Fault>) {
        let returned = self.call(|| result).map_err(BreakerError::into_inner);
        assert_eq!(
            returned,
            result.map_err(Some),
            "the call must be admitted and return its own result"
        );
    }
}

/// Polls `future` once.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Returns the output of a future that is ready at its first poll.
#[track_caller]
pub(crate) fn expect_ready<F: Future>(future: F) -> F::Output {
    match poll(std::pin::pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}
