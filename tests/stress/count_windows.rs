//! Count windows, whose successes enter the success buffer without a lock.

use super::*;

/// Threads record successes in the buffer, while failures and snapshots flush it.
#[test]
fn count_windows_lose_no_outcome() {
    const CALLS_PER_THREAD: usize = 100_000;
    const ALL: u32 = 400_000;
    const LAST: u32 = 100;
    let rules = [
        TripRule::failures(ALL).over(Window::calls(ALL)),
        TripRule::failures(LAST).over(Window::calls(LAST)),
    ];
    let breaker = settings(&ManualClock::new()).trip_rules(rules).build();
    let breaker = breaker.expect("valid settings");
    let (concurrency, started) = (Concurrency::default(), Barrier::new(THREADS));
    on_threads(|thread| {
        started.wait();
        for call in 0..CALLS_PER_THREAD {
            concurrency.enter();
            let permit = breaker.try_acquire().expect("no rule trips");
            match call {
                call if call % 10 == 3 => permit.failure(),
                call if thread == 1 && call % 1_000 == 5 => {
                    permit.success();
                    let snapshot = breaker.snapshot();
                    // A snapshot is consistent: its totals match its windows.
                    let succeeded = snapshot.rules[0].recorded - snapshot.rules[0].failed;
                    assert_eq!(snapshot.totals.success, Some(succeeded.into()));
                    assert!(snapshot.rules[1].recorded <= LAST);
                }
                _ => permit.success(),
            }
            concurrency.leave();
        }
    });
    assert!(concurrency.peak() > 1, "the threads never ran concurrently");
    let failed = ALL / 10;
    let snapshot = breaker.snapshot();
    let all = snapshot.rules[0];
    assert_eq!((all.recorded, all.failed, all.slow), (ALL, failed, 0));
    assert_eq!(snapshot.totals.success, Some((ALL - failed).into()));
    assert_eq!(snapshot.totals.failure, failed.into());
    // The small window holds the last hundred calls, and each success displaces the oldest.
    let last = snapshot.rules[1];
    assert_eq!((last.recorded, last.slow), (LAST, 0));
    for _ in 0..LAST {
        let permit = breaker.try_acquire().expect("no rule trips");
        permit.success();
    }
    let snapshot = breaker.snapshot();
    assert_eq!(
        (snapshot.rules[1].recorded, snapshot.rules[1].failed),
        (LAST, 0)
    );
}

/// In each round all threads succeed and fail concurrently. Between the rounds, the failure count, the
/// window and the totals must agree.
#[test]
fn failure_count_is_exact_between_rounds() {
    const ROUNDS: u32 = 20_000;
    let rule = TripRule::failures(1_000_000).over(Window::calls(1_000_000));
    let breaker = settings(&ManualClock::new()).trip_rules([rule]).build();
    let breaker = breaker.expect("valid settings");
    let (concurrency, barrier) = (Concurrency::default(), Barrier::new(THREADS));
    let (ended_with_failure, ended_with_success) = (AtomicU64::new(0), AtomicU64::new(0));
    let threads = u32::try_from(THREADS).expect("fits in u32");
    on_threads(|thread| {
        for round in 1..=ROUNDS {
            barrier.wait();
            concurrency.enter();
            let succeed = || breaker.try_acquire().expect("no rule trips").success();
            let fail = || breaker.try_acquire().expect("no rule trips").failure();
            if thread % 2 == 0 {
                succeed();
                fail();
            } else {
                fail();
                succeed();
            }
            concurrency.leave();
            if barrier.wait().is_leader() {
                let consecutive = breaker.failure_count();
                assert!(consecutive <= threads);
                count(if consecutive > 0 {
                    &ended_with_failure
                } else {
                    &ended_with_success
                });
                fail();
                assert_eq!(breaker.failure_count(), consecutive + 1);
                succeed();
                let snapshot = breaker.snapshot();
                assert_eq!(snapshot.failure_count, 0);
                let failed = round * (threads + 1);
                let counts = (snapshot.rules[0].recorded, snapshot.rules[0].failed);
                assert_eq!(counts, (2 * failed, failed));
                assert_eq!(snapshot.totals.success, Some(failed.into()));
            }
        }
    });
    assert!(concurrency.peak() > 1, "the threads never ran concurrently");
    assert!(
        read(&ended_with_failure) > 0 && read(&ended_with_success) > 0,
        "some rounds should end with a failure, and some with a success"
    );
}
