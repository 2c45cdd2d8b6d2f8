//! Each call is in one total, and in each window.

use super::*;

/// Threads make calls with all outcomes, while the circuit opens and recovers.
#[test]
fn every_call_is_in_one_total() {
    const CALLS: u64 = 50_000;
    let clock = ManualClock::new();
    let transitions = TransitionLog::default();
    let breaker = transitions
        .observe(settings(&clock).failure_threshold(3))
        .build();
    let breaker = breaker.expect("valid settings");
    let callers = Concurrency::default();
    let (admitted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    on_threads(|number| {
        for call in 0..CALLS {
            callers.enter();
            match breaker.try_acquire() {
                Ok(permit) => {
                    count(&admitted);
                    // Failures are consecutive, so that some of them trip.
                    match (call + number as u64) / 3 % 8 {
                        0 => permit.failure(),
                        1 => permit.record(Outcome::Ignored),
                        2 => drop(permit),
                        _ => permit.success(),
                    }
                }
                Err(open) => {
                    count(&refused);
                    assert!(open.retry_after() > Some(Duration::ZERO));
                    clock.advance(RECOVERY / 8);
                }
            }
            callers.leave();
        }
    });
    assert!(callers.peak() > 1, "the threads never ran concurrently");
    let totals = breaker.snapshot().totals;
    assert_eq!(totals.refused, read(&refused));
    assert_eq!(read(&admitted) + read(&refused), CALLS * THREADS as u64);
    assert_eq!(ended(&totals), read(&admitted));
    let changes = transitions.assert_contiguous(&breaker);
    assert!(
        changes.opened > 0 && changes.closed > 0,
        "the circuit should trip and recover"
    );
    // The states alternate, so no state is entered more often than the previous one.
    assert!(changes.half_opened <= changes.opened + changes.missed);
    assert!(changes.closed <= changes.half_opened + changes.missed);
}

/// Time windows of failures and of slow calls, while the clock advances. Failures and snapshots flush
/// the success buffer, and no success is lost.
#[test]
fn time_windows_lose_no_outcome() {
    const CALLS_PER_THREAD: usize = 50_000;
    const HOUR: Window = Window::time(Duration::from_secs(3_600));
    let clock = ManualClock::new();
    let rules = [
        TripRule::failures(u32::MAX).over(HOUR.buckets(3_600)),
        TripRule::slow_calls(1.0)
            .slower_than(Duration::from_secs(600))
            .over(HOUR),
    ];
    let breaker = settings(&clock).trip_rules(rules).build();
    let breaker = breaker.expect("valid settings");
    let concurrency = Concurrency::default();
    on_threads(|thread| {
        for call in 0..CALLS_PER_THREAD {
            concurrency.enter();
            let permit = breaker.try_acquire().expect("no rule trips");
            match call % 1_000 {
                0 => permit.failure(),
                1 => drop(permit),
                2 if thread == 0 => {
                    clock.advance(Duration::from_secs(1));
                    permit.success();
                }
                3 if thread == 1 => assert!(breaker.snapshot().rules[0].recorded > 0),
                _ => permit.success(),
            }
            concurrency.leave();
        }
    });
    assert!(concurrency.peak() > 1, "the threads never ran concurrently");
    let snapshot = breaker.snapshot();
    let calls_per_thread = u32::try_from(CALLS_PER_THREAD).expect("fits in u32");
    let threads = u32::try_from(THREADS).expect("fits in u32");
    let failed = threads * calls_per_thread / 1_000;
    // Each thread cancels calls. Thread 1 also drops the permits of the calls that take a snapshot.
    let cancelled = failed + calls_per_thread / 1_000;
    let recorded = threads * calls_per_thread - cancelled;
    for rule in &snapshot.rules {
        assert_eq!(
            (rule.recorded, rule.failed, rule.slow),
            (recorded, failed, 0)
        );
    }
    assert_eq!(snapshot.totals.success, Some((recorded - failed).into()));
    assert_eq!(snapshot.totals.failure, failed.into());
    assert_eq!(snapshot.totals.cancelled, cancelled.into());
    assert_eq!(snapshot.in_flight, Some(0));
}
