//! Every call is in one total, and in every window.

use super::*;

/// Calls of all kinds, trips and recoveries; when the dust settles every call is in one total.
#[test]
fn totals_add_up_when_the_dust_settles() {
    const CALLS: u64 = 50_000;
    let clock = ManualClock::new();
    let chain = Chain::default();
    let breaker = chain
        .heard_by(settings(&clock).failure_threshold(3))
        .build();
    let breaker = breaker.expect("settings that work");
    let askers = Crowd::default();
    let (passed, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    on_threads(|number| {
        for call in 0..CALLS {
            askers.enter();
            match breaker.try_acquire() {
                Ok(permit) => {
                    count(&passed);
                    // Failures come in runs, so that some of them trip.
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
            askers.leave();
        }
    });
    assert!(askers.most() > 1, "the threads never met");
    let totals = breaker.snapshot().totals;
    assert_eq!(totals.refused, read(&refused));
    assert_eq!(read(&passed) + read(&refused), CALLS * THREADS as u64);
    assert_eq!(ended(&totals), read(&passed));
    let changes = chain.finish(&breaker);
    assert!(
        changes.opened > 0 && changes.closed > 0,
        "it never tripped or never recovered"
    );
    // Closed, open, half-open, and round again: one event a trip.
    assert!(changes.half_opened <= changes.opened + changes.missed);
    assert!(changes.closed <= changes.half_opened + changes.missed);
}

/// Windows of time and slow calls while the clock moves: successes that threads put down by
/// themselves, and those that failures and snapshots fold in meanwhile, are all there in the end.
#[test]
fn windows_of_time_lose_no_outcome() {
    const EACH: usize = 50_000;
    const HOUR: Window = Window::time(Duration::from_secs(3_600));
    let clock = ManualClock::new();
    let rules = [
        TripRule::failures(u32::MAX).over(HOUR.buckets(3_600)),
        TripRule::slow_calls(1.0)
            .slower_than(Duration::from_secs(600))
            .over(HOUR),
    ];
    let breaker = settings(&clock).trip_rules(rules).build();
    let breaker = breaker.expect("settings that work");
    let crowd = Crowd::default();
    on_threads(|thread| {
        for call in 0..EACH {
            crowd.enter();
            let permit = breaker.try_acquire().expect("no rule ever trips");
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
            crowd.leave();
        }
    });
    assert!(crowd.most() > 1, "threads that never meet show nothing");
    let snapshot = breaker.snapshot();
    let each = u32::try_from(EACH).expect("a number that fits");
    let threads = u32::try_from(THREADS).expect("a number that fits");
    let failed = threads * each / 1_000;
    // Thread 1 dropped the calls during which it took a snapshot, and each its cancelled ones.
    let cancelled = failed + each / 1_000;
    let recorded = threads * each - cancelled;
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
