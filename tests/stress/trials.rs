//! Admission of trials while a circuit is half-open.

use super::*;

/// Threads compete for one slot. Trials fail and succeed alternately, so the circuit reopens and closes.
/// The thread that closes the circuit trips it again.
#[test]
fn single_slot_runs_one_trial_at_once() {
    const PERIODS: u64 = 100_000;
    let clock = ManualClock::new();
    let transitions = TransitionLog::default();
    let breaker = transitions
        .observe(settings(&clock).failure_threshold(1))
        .build();
    let breaker = breaker.expect("valid settings");
    let (callers, trials) = (Concurrency::default(), Concurrency::default());
    let (periods, closings, possibly_closed) =
        (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (refused, taken, successes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    breaker.trip();
    on_threads(|_| {
        while read(&periods) < PERIODS {
            let before = read(&closings);
            callers.enter();
            let result = breaker.try_acquire();
            callers.leave();
            // The number is odd while the circuit may be closed. An admitted call may then be no trial.
            let surely_trial = before % 2 == 0 && read(&closings) == before;
            match result {
                Err(open) => {
                    count(&refused);
                    if open.reason() == Refusal::Open {
                        clock.advance(RECOVERY);
                    } else {
                        count(&taken);
                        thread::yield_now();
                    }
                }
                Ok(permit) if surely_trial => {
                    trials.enter();
                    let number = count(&periods);
                    if number % 64 == 0 {
                        thread::yield_now();
                    }
                    trials.leave();
                    if number % 2 == 0 {
                        permit.failure();
                    } else {
                        count(&successes);
                        count(&closings);
                        permit.success();
                        breaker.trip();
                        count(&closings);
                    }
                }
                Ok(permit) => {
                    count(&possibly_closed);
                    permit.record(Outcome::Ignored);
                }
            }
        }
    });
    assert!(
        callers.peak() > 1 && read(&taken) > 0,
        "the threads never ran concurrently"
    );
    assert_eq!(trials.peak(), 1);

    let (periods, successes) = (read(&periods), read(&successes));
    let totals = breaker.snapshot().totals;
    assert_eq!(totals.success, Some(successes));
    assert_eq!(totals.failure, periods - successes);
    assert_eq!(totals.ignored + totals.late, read(&possibly_closed));
    assert_eq!(totals.refused, read(&refused));

    let changes = transitions.assert_contiguous(&breaker);
    // The first trip, and one at the end of each half-open period: by a failure, or by the thread that
    // closed the circuit. One more period may have begun, if its trial was ignored.
    let begun = matches!(breaker.snapshot().cause, Some(Cause::Recovering));
    let half_opened = periods + u64::from(begun);
    changes.assert_counts(periods + 1, half_opened, successes);
}

/// All threads call at once in each half-open period, and exactly `SLOTS` calls are admitted.
#[test]
fn concurrent_trials_equal_slots() {
    const PERIODS: u64 = 20_000;
    const SLOTS: u32 = 2;
    let clock = ManualClock::new();
    let transitions = TransitionLog::default();
    let breaker = transitions
        .observe(settings(&clock).half_open_calls(SLOTS))
        .build();
    let breaker = breaker.expect("valid settings");
    let (barrier, arrived) = (Barrier::new(THREADS), AtomicU64::new(0));
    let (callers, trials) = (Concurrency::default(), Concurrency::default());
    on_threads(|_| {
        for period in 0..PERIODS {
            if barrier.wait().is_leader() {
                breaker.trip();
                clock.advance(RECOVERY);
            }
            barrier.wait();
            // A barrier wakes its threads one after another. Threads that poll a counter continue at once.
            count(&arrived);
            while read(&arrived) < (period + 1) * THREADS as u64 {
                thread::yield_now();
            }
            callers.enter();
            let permit = breaker.try_acquire().ok();
            callers.leave();
            if permit.is_some() {
                trials.enter();
            }
            if barrier.wait().is_leader() {
                assert_eq!(breaker.snapshot().in_flight, Some(SLOTS));
            }
            barrier.wait();
            if let Some(permit) = permit {
                trials.leave();
                permit.record(if period % 2 == 0 {
                    Outcome::Success
                } else {
                    Outcome::Failure
                });
            }
        }
    });
    assert!(callers.peak() > 1, "the threads never ran concurrently");
    assert_eq!(trials.peak(), SLOTS as usize);
    let totals = breaker.snapshot().totals;
    // Of two failing trials, the first reopens the circuit and the other is late.
    assert_eq!(totals.success, Some(PERIODS / 2 * u64::from(SLOTS)));
    assert_eq!((totals.failure, totals.late), (PERIODS / 2, PERIODS / 2));
    assert_eq!(
        totals.refused,
        PERIODS * (THREADS as u64 - u64::from(SLOTS))
    );
    let changes = transitions.assert_contiguous(&breaker);
    // The first trip, and one per half-open period: by a failed trial, or by the leader after the circuit
    // closed.
    changes.assert_counts(PERIODS + 1, PERIODS, PERIODS / 2);
}

/// A thread that finds the slot taken advances the clock past the lease. So trials often outlive their
/// lease, and their outcome still counts in the same half-open period.
#[test]
fn trials_outliving_lease_open_and_close() {
    const CALLS: u64 = 50_000;
    const LEASE: Duration = Duration::from_millis(2);
    let clock = ManualClock::new();
    let transitions = TransitionLog::default();
    let outlived = Arc::new(AtomicU64::new(0));
    let counter = outlived.clone();
    let settings = transitions.observe(settings(&clock)).failure_threshold(1);
    let breaker = settings
        .trial_timeout(LEASE)
        .on_event(move |event| {
            if let Event::TrialsOutlived { trials, lease, .. } = event {
                assert_eq!((*trials, *lease), (1, LEASE));
                count(&counter);
            }
        })
        .build();
    let breaker = breaker.expect("valid settings");
    let callers = Concurrency::default();
    let (admitted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    breaker.trip();
    on_threads(|thread| {
        for call in 0..CALLS {
            callers.enter();
            match breaker.try_acquire() {
                Ok(permit) => {
                    count(&admitted);
                    // Meanwhile, another call may take the slot.
                    if call % 8 == 0 {
                        thread::yield_now();
                    }
                    if (call + thread as u64) % 4 == 0 {
                        permit.failure();
                    } else {
                        permit.success();
                    }
                }
                Err(open) => {
                    count(&refused);
                    clock.advance(match open.reason() {
                        Refusal::Open => RECOVERY,
                        _ => LEASE,
                    });
                }
            }
            callers.leave();
        }
    });
    assert!(callers.peak() > 1, "the threads never ran concurrently");
    let totals = breaker.snapshot().totals;
    assert_eq!(ended(&totals), read(&admitted));
    assert_eq!(totals.refused, read(&refused));
    let changes = transitions.assert_contiguous(&breaker);
    let outlived = read(&outlived);
    println!("{totals:?}, {outlived} periods with an expired lease");
    // Each recorded failure opens the circuit, and so did the first trip.
    let opened = totals.failure + 1;
    assert!((changes.opened..=changes.opened + changes.missed).contains(&opened));
    let half_opened = changes.half_opened;
    assert!(changes.missed > 0 || (half_opened..=half_opened + 1).contains(&changes.opened));
    assert!(changes.closed > 0 && changes.closed <= totals.success.expect("successes are counted"));
    assert!(outlived > 0 && outlived <= changes.half_opened);
    assert!(totals.late > 0, "no trial was late");
}
