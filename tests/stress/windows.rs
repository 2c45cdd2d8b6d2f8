//! Windows of calls, into which threads put their successes without a lock.

use super::*;

/// Windows of calls with failures among them: successes that threads put down by themselves, and the
/// failures and snapshots that fold them in meanwhile.
#[test]
fn windows_of_calls_lose_no_outcome() {
    const EACH: usize = 100_000;
    const ALL: u32 = 400_000;
    const LAST: u32 = 100;
    let rules = [
        TripRule::failures(ALL).over(Window::calls(ALL)),
        TripRule::failures(LAST).over(Window::calls(LAST)),
    ];
    let breaker = settings(&ManualClock::new()).trip_rules(rules).build();
    let breaker = breaker.expect("settings that work");
    let (crowd, started) = (Crowd::default(), Barrier::new(THREADS));
    on_threads(|thread| {
        started.wait();
        for call in 0..EACH {
            crowd.enter();
            let permit = breaker.try_acquire().expect("no rule ever trips");
            match call {
                call if call % 10 == 3 => permit.failure(),
                call if thread == 1 && call % 1_000 == 5 => {
                    permit.success();
                    let snapshot = breaker.snapshot();
                    // The totals of successes are of the moment of the windows.
                    let succeeded = snapshot.rules[0].recorded - snapshot.rules[0].failed;
                    assert_eq!(snapshot.totals.success, Some(succeeded.into()));
                    assert!(snapshot.rules[1].recorded <= LAST);
                }
                _ => permit.success(),
            }
            crowd.leave();
        }
    });
    assert!(crowd.most() > 1, "threads that never meet show nothing");
    let failed = ALL / 10;
    let snapshot = breaker.snapshot();
    let all = snapshot.rules[0];
    assert_eq!((all.recorded, all.failed, all.slow), (ALL, failed, 0));
    assert_eq!(snapshot.totals.success, Some((ALL - failed).into()));
    assert_eq!(snapshot.totals.failure, failed.into());
    // The small window holds the last hundred, and forgets them one by one.
    let last = snapshot.rules[1];
    assert_eq!((last.recorded, last.slow), (LAST, 0));
    for _ in 0..LAST {
        let permit = breaker.try_acquire().expect("no rule ever trips");
        permit.success();
    }
    let snapshot = breaker.snapshot();
    assert_eq!(
        (snapshot.rules[1].recorded, snapshot.rules[1].failed),
        (LAST, 0)
    );
}

/// Rounds in which threads succeed and fail at once. Between them nobody does, and the row of failures,
/// the window and the totals say the same.
#[test]
fn the_row_of_failures_is_right_whenever_nobody_calls() {
    const ROUNDS: u32 = 20_000;
    let rule = TripRule::failures(1_000_000).over(Window::calls(1_000_000));
    let breaker = settings(&ManualClock::new()).trip_rules([rule]).build();
    let breaker = breaker.expect("settings that work");
    let (crowd, barrier) = (Crowd::default(), Barrier::new(THREADS));
    let (rows, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    let threads = u32::try_from(THREADS).expect("a number that fits");
    on_threads(|thread| {
        for round in 1..=ROUNDS {
            barrier.wait();
            crowd.enter();
            let succeeds = || breaker.try_acquire().expect("no rule ever trips").success();
            let fails = || breaker.try_acquire().expect("no rule ever trips").failure();
            if thread % 2 == 0 {
                succeeds();
                fails();
            } else {
                fails();
                succeeds();
            }
            crowd.leave();
            if barrier.wait().is_leader() {
                let in_a_row = breaker.failure_count();
                assert!(in_a_row <= threads);
                count(if in_a_row > 0 { &rows } else { &ended });
                fails();
                assert_eq!(breaker.failure_count(), in_a_row + 1);
                succeeds();
                let snapshot = breaker.snapshot();
                assert_eq!(snapshot.failure_count, 0);
                let failed = round * (threads + 1);
                let figures = (snapshot.rules[0].recorded, snapshot.rules[0].failed);
                assert_eq!(figures, (2 * failed, failed));
                assert_eq!(snapshot.totals.success, Some(failed.into()));
            }
        }
    });
    assert!(crowd.most() > 1, "threads that never meet show nothing");
    assert!(read(&rows) > 0 && read(&ended) > 0, "rounds end either way");
}
