use breakerbox::clock::ManualClock;
use breakerbox::{BreakerBuilder, BreakerError, CircuitBreaker, CircuitOpen, Event, Permit, State};
use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The recovery timeout of every [`Bench`] that names no other.
pub(crate) const RECOVERY: Duration = Duration::from_secs(5);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An error that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault;

/// An error that every [`Bench`] ignores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cancelled;

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

error!(Fault, Cancelled);

/// What a breaker told its listener.
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

    /// The state changes, from and to.
    pub(crate) fn changes(&self) -> Vec<(State, State)> {
        let change = |event| match event {
            Event::StateChanged { from, to, .. } => Some((from, to)),
            _ => None,
        };
        self.events().into_iter().filter_map(change).collect()
    }
}

/// A breaker with a clock in the test's hand and an ear on its events.
pub(crate) struct Bench {
    pub(crate) clock: ManualClock,
    pub(crate) log: Log,
    breaker: CircuitBreaker,
}

impl Deref for Bench {
    type Target = CircuitBreaker;

    fn deref(&self) -> &CircuitBreaker {
        &self.breaker
    }
}

impl Bench {
    pub(crate) fn new(settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> Self {
        let clock = ManualClock::new();
        let log = Log::default();
        let builder = CircuitBreaker::builder()
            .recovery_timeout(RECOVERY)
            .ignored_error::<Cancelled>()
            .clock(clock.clone())
            .on_event(log.listener());
        let breaker = settings(builder).build().expect("the settings are valid");
        Self {
            clock,
            log,
            breaker,
        }
    }

    /// A breaker whose half-open period has begun, by time.
    pub(crate) fn half_open(settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> Self {
        let bench = Self::new(settings);
        bench.trip();
        bench.clock.advance(RECOVERY);
        assert_eq!(bench.state(), State::HalfOpen);
        bench
    }

    #[track_caller]
    pub(crate) fn begin(&self) -> Permit {
        self.try_acquire().expect("the call is admitted")
    }

    #[track_caller]
    pub(crate) fn refusal(&self) -> CircuitOpen {
        self.try_acquire().expect_err("the call is refused")
    }

    /// S: a call that succeeds at once.
    #[track_caller]
    pub(crate) fn succeeds(&self) {
        self.ends(Ok(()));
    }

    /// F: a call that fails at once.
    #[track_caller]
    pub(crate) fn fails(&self) {
        self.ends(Err(Fault));
    }

    /// I: a call that ends at once in an error that is ignored.
    #[track_caller]
    pub(crate) fn is_cancelled(&self) {
        let result = self.call(|| Err::<(), _>(Cancelled));
        assert_eq!(
            result.expect_err("the call fails").into_inner(),
            Some(Cancelled)
        );
    }

    /// `count` failures one after the other.
    #[track_caller]
    pub(crate) fn fails_times(&self, count: u32) {
        (0..count).for_each(|_| self.fails());
    }

    #[track_caller]
    fn ends(&self, result: Result<(), Fault>) {
        let seen = self.call(|| result).map_err(BreakerError::into_inner);
        assert_eq!(
            seen,
            result.map_err(Some),
            "admitted, and its own result returned"
        );
    }
}

/// Polls once.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What a future gives that never waits.
#[track_caller]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match poll(std::pin::pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}
