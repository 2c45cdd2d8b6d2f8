//! Breakers with rules of all kinds, and counts of the calls as their callers see them.

use super::tasks::yield_times;
use super::*;
use breakerbox::CircuitOpen;
use std::future::pending;
use std::panic::resume_unwind;

pub(crate) const TICK: Duration = Duration::from_millis(10);
const HOUR: Window = Window::time(Duration::from_secs(3_600));

/// One breaker, and the counts of its calls.
pub(crate) struct Dependency {
    pub(crate) name: &'static str,
    pub(crate) breaker: CircuitBreaker,
    transitions: TransitionLog,
    pub(crate) counts: CallCounts,
}

/// Counts calls by the way they ended, independent of the breaker.
#[derive(Default)]
pub(crate) struct CallCounts {
    concurrency: Concurrency,
    entered: AtomicU64,
    pub(crate) ok: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) dropped: AtomicU64,
    refused: AtomicU64,
    pub(crate) fell_back: AtomicU64,
}

/// A call whose guarded code runs, from the first poll until it is dropped.
pub(crate) struct RunningCall(Arc<Dependency>);

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.0.counts.concurrency.leave();
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
    pub(crate) fn enter(self: &Arc<Self>, runs: &AtomicU64) -> RunningCall {
        count(runs);
        count(&self.counts.entered);
        self.counts.concurrency.enter();
        RunningCall(self.clone())
    }

    /// The guarded code of a call.
    pub(crate) async fn work(
        self: Arc<Self>,
        runs: Arc<AtomicU64>,
        end: End,
        yields: u8,
    ) -> Result<(), Failed> {
        let _running = self.enter(&runs);
        yield_times(yields).await;
        match end {
            End::Ok => Ok(()),
            End::Err => Err(Failed),
            // `resume_unwind` skips the panic hook, which would print each panic.
            End::Panic => resume_unwind(Box::new("the guarded code panics")),
            End::Never => pending().await,
        }
    }

    pub(crate) fn record_refused(&self, open: &CircuitOpen, runs: &AtomicU64) {
        assert_eq!(read(runs), 0, "a refused call ran");
        assert_ne!(open.retry_after(), Some(Duration::ZERO));
        count(&self.counts.refused);
    }

    /// Counts a dropped call, if it was admitted before.
    pub(crate) fn record_dropped(&self, runs: &AtomicU64) {
        self.counts.dropped.fetch_add(read(runs), Ordering::SeqCst);
    }

    pub(crate) fn record_result(
        &self,
        result: &Result<(), BreakerError<Failed>>,
        runs: &AtomicU64,
    ) {
        let counter = match result {
            Ok(()) => &self.counts.ok,
            Err(BreakerError::Open(open)) => return self.record_refused(open, runs),
            Err(BreakerError::TimedOut(_)) => &self.counts.timeouts,
            Err(_) => &self.counts.errors,
        };
        count(counter);
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
            "count window",
            settings().trip_rules([TripRule::failure_rate(0.5).over(Window::calls(20))]),
        ),
        (
            "time window",
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
            "cancelled calls fail",
            settings().cancelled_as(Outcome::Failure),
        ),
        ("metrics only", settings().mode(Mode::MetricsOnly)),
    ]
    .into_iter()
    .map(|(name, settings)| {
        let transitions = TransitionLog::default();
        let breaker = registry.register(name, transitions.observe(settings));
        Arc::new(Dependency {
            name,
            breaker: breaker.expect("a free name"),
            transitions,
            counts: CallCounts::default(),
        })
    })
    .collect()
}

/// Asserts that the totals of the breaker match the counts of its callers, after all calls have ended.
pub(crate) fn assert_totals_match(dependency: &Dependency) {
    let Dependency {
        name,
        breaker,
        transitions,
        counts,
    } = dependency;
    let snapshot = breaker.snapshot();
    let totals = &snapshot.totals;
    println!(
        "{name}: {totals:?}, at most {} at once",
        counts.concurrency.peak()
    );
    assert!(
        counts.concurrency.peak() > 1,
        "{name}: the calls never ran concurrently"
    );
    assert_eq!(ended(totals), read(&counts.entered), "{name}");
    assert_eq!(totals.refused, read(&counts.refused), "{name}");
    assert_eq!(totals.timed_out, read(&counts.timeouts), "{name}");
    let (ok, dropped) = (read(&counts.ok), read(&counts.dropped));
    let failed = read(&counts.errors) + read(&counts.panics) + read(&counts.timeouts);
    assert_eq!(ok + failed + dropped, read(&counts.entered), "{name}");
    let success = totals.success.expect("successes are counted");
    assert!(success <= ok && totals.cancelled <= dropped, "{name}");
    if totals.late == 0 && totals.cancelled > 0 {
        let seen = (ok, failed, dropped);
        assert_eq!((success, totals.failure, totals.cancelled), seen, "{name}");
    }
    assert_eq!(snapshot.in_flight.unwrap_or(0), 0, "{name}");
    let changes = transitions.assert_contiguous(breaker);
    if breaker.state() != State::MetricsOnly {
        assert!(changes.opened > 0 && changes.closed > 0, "{name}");
    }
    // The breaker still works after a reset.
    breaker.reset();
    breaker
        .try_acquire()
        .expect("the circuit is closed")
        .success();
}
