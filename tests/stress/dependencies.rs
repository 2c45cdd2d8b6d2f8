//! Breakers with all kinds of rules, and what their callers see of them.

use super::tasks::turns;
use super::*;
use breakerbox::CircuitOpen;
use std::future::pending;
use std::panic::resume_unwind;

pub(crate) const TICK: Duration = Duration::from_millis(10);
const HOUR: Window = Window::time(Duration::from_secs(3_600));

/// One breaker, and what its callers saw of it.
pub(crate) struct Dependency {
    pub(crate) name: &'static str,
    pub(crate) breaker: CircuitBreaker,
    chain: Chain,
    pub(crate) books: Books,
}

#[derive(Default)]
pub(crate) struct Books {
    inside: Crowd,
    entered: AtomicU64,
    pub(crate) ok: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) dropped: AtomicU64,
    refused: AtomicU64,
    pub(crate) fell_back: AtomicU64,
}

/// The guarded code of one call runs, from its first poll until it is dropped.
pub(crate) struct Inside(Arc<Dependency>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.books.inside.leave();
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Ok,
    Err,
    Panic,
    Never,
}

#[derive(Debug)]
pub(crate) struct Failed;

impl Dependency {
    pub(crate) fn enter(self: &Arc<Self>, touched: &AtomicU64) -> Inside {
        count(touched);
        count(&self.books.entered);
        self.books.inside.enter();
        Inside(self.clone())
    }

    /// The guarded code.
    pub(crate) async fn work(
        self: Arc<Self>,
        touched: Arc<AtomicU64>,
        end: End,
        during: u8,
    ) -> Result<(), Failed> {
        let _inside = self.enter(&touched);
        turns(during).await;
        match end {
            End::Ok => Ok(()),
            End::Err => Err(Failed),
            // Without the panic hook, which would print every one.
            End::Panic => resume_unwind(Box::new("the guarded code panics")),
            End::Never => pending().await,
        }
    }

    pub(crate) fn refused(&self, open: &CircuitOpen, touched: &AtomicU64) {
        assert_eq!(read(touched), 0, "a refused call ran");
        assert_ne!(open.retry_after(), Some(Duration::ZERO));
        count(&self.books.refused);
    }

    /// It was dropped, perhaps before it was let in.
    pub(crate) fn dropped(&self, touched: &AtomicU64) {
        self.books
            .dropped
            .fetch_add(read(touched), Ordering::SeqCst);
    }

    pub(crate) fn note(&self, result: &Result<(), BreakerError<Failed>>, touched: &AtomicU64) {
        let book = match result {
            Ok(()) => &self.books.ok,
            Err(BreakerError::Open(open)) => return self.refused(open, touched),
            Err(BreakerError::TimedOut(_)) => &self.books.timeouts,
            Err(_) => &self.books.errors,
        };
        count(book);
    }
}

pub(crate) fn dependencies(
    clock: &ManualClock,
    registry: &BreakerRegistry,
) -> Vec<Arc<Dependency>> {
    let settings = || {
        CircuitBreaker::builder()
            .recovery_timeout(TICK)
            .trial_timeout(4 * TICK)
            .clock(clock.clone())
    };
    let slow = TripRule::slow_calls(0.1).slower_than(TICK / 4);
    let backoff = Backoff::exponential(TICK).max(8 * TICK).jitter(0.5);
    [
        ("count", settings().capture_last_failure(false)),
        (
            "window of calls",
            settings().trip_rules([TripRule::failure_rate(0.5).over(Window::calls(20))]),
        ),
        (
            "window of time",
            settings().trip_rules([TripRule::failures(10).over(HOUR)]),
        ),
        (
            "slow calls",
            settings().trip_when(slow.over(Window::calls(10))),
        ),
        (
            "several trials",
            settings()
                .half_open_calls(5)
                .success_threshold(2)
                .recovery_backoff(backoff),
        ),
        (
            "dropped ones fail",
            settings().cancelled_as(Outcome::Failure),
        ),
        ("only watched", settings().mode(Mode::MetricsOnly)),
    ]
    .into_iter()
    .map(|(name, settings)| {
        let chain = Chain::default();
        let breaker = registry.register(name, chain.heard_by(settings));
        Arc::new(Dependency {
            name,
            breaker: breaker.expect("a free name"),
            chain,
            books: Books::default(),
        })
    })
    .collect()
}

/// Once nothing runs any more, the breaker says what its callers saw.
pub(crate) fn check(one: &Dependency) {
    let Dependency {
        name,
        breaker,
        chain,
        books,
    } = one;
    let snapshot = breaker.snapshot();
    let totals = &snapshot.totals;
    println!("{name}: {totals:?}, most inside: {}", books.inside.most());
    assert!(books.inside.most() > 1, "{name}: the tasks never met");
    assert_eq!(ended(totals), read(&books.entered), "{name}");
    assert_eq!(totals.refused, read(&books.refused), "{name}");
    assert_eq!(totals.timed_out, read(&books.timeouts), "{name}");
    let (ok, dropped) = (read(&books.ok), read(&books.dropped));
    let failed = read(&books.errors) + read(&books.panics) + read(&books.timeouts);
    assert_eq!(ok + failed + dropped, read(&books.entered), "{name}");
    let success = totals.success.expect("they are counted");
    assert!(success <= ok && totals.cancelled <= dropped, "{name}");
    if totals.late == 0 && totals.cancelled > 0 {
        let seen = (ok, failed, dropped);
        assert_eq!((success, totals.failure, totals.cancelled), seen, "{name}");
    }
    assert_eq!(snapshot.in_flight.unwrap_or(0), 0, "{name}");
    let changes = chain.finish(breaker);
    if breaker.state() != State::MetricsOnly {
        assert!(changes.opened > 0 && changes.closed > 0, "{name}");
    }
    // It works on: its dependency is back.
    breaker.reset();
    breaker.try_acquire().expect("a closed circuit").success();
}
