//! Who is let in while a circuit is half-open.

use super::*;

/// Threads run freely for one slot; its trials fail and succeed by turns, so that the circuit
/// reopens and closes (and is tripped again by who closed it).
#[test]
fn one_trial_at_a_time_over_a_hundred_thousand_periods() {
    const PERIODS: u64 = 100_000;
    let clock = ManualClock::new();
    let chain = Chain::default();
    let breaker = chain
        .heard_by(settings(&clock).failure_threshold(1))
        .build();
    let breaker = breaker.expect("settings that work");
    let (askers, trials) = (Crowd::default(), Crowd::default());
    let (periods, closings, unsure) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (refused, taken, successes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    breaker.trip();
    on_threads(|_| {
        while read(&periods) < PERIODS {
            let before = read(&closings);
            askers.enter();
            let asked = breaker.try_acquire();
            askers.leave();
            // Odd while the circuit may be closed: then who passes need not be a trial.
            let surely_trial = before % 2 == 0 && read(&closings) == before;
            match asked {
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
                    count(&unsure);
                    permit.record(Outcome::Ignored);
                }
            }
        }
    });
    assert!(
        askers.most() > 1 && read(&taken) > 0,
        "the threads never met"
    );
    assert_eq!(trials.most(), 1);

    let (periods, successes) = (read(&periods), read(&successes));
    let totals = breaker.snapshot().totals;
    assert_eq!(totals.success, Some(successes));
    assert_eq!(totals.failure, periods - successes);
    assert_eq!(totals.ignored + totals.late, read(&unsure));
    assert_eq!(totals.refused, read(&refused));

    let changes = chain.finish(&breaker);
    // The first trip, and one at the end of every period: by a failure, or by who closed it.
    // Perhaps one that began and whose trial gave its slot back.
    let begun = matches!(breaker.snapshot().cause, Some(Cause::Recovering));
    let half_opened = periods + u64::from(begun);
    changes.assert_counts(periods + 1, half_opened, successes);
}

/// All threads ask at once in every period, and exactly as many pass as there are slots.
#[test]
fn as_many_trials_as_slots_and_no_more() {
    const PERIODS: u64 = 20_000;
    const SLOTS: u32 = 2;
    let clock = ManualClock::new();
    let chain = Chain::default();
    let breaker = chain
        .heard_by(settings(&clock).half_open_calls(SLOTS))
        .build();
    let breaker = breaker.expect("settings that work");
    let (barrier, arrived) = (Barrier::new(THREADS), AtomicU64::new(0));
    let (askers, trials) = (Crowd::default(), Crowd::default());
    on_threads(|_| {
        for period in 0..PERIODS {
            if barrier.wait().is_leader() {
                breaker.trip();
                clock.advance(RECOVERY);
            }
            barrier.wait();
            // A barrier wakes its threads one after another; threads that look at a number go on at once.
            count(&arrived);
            while read(&arrived) < (period + 1) * THREADS as u64 {
                thread::yield_now();
            }
            askers.enter();
            let permit = breaker.try_acquire().ok();
            askers.leave();
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
    assert!(askers.most() > 1, "the threads never met");
    assert_eq!(trials.most(), SLOTS as usize);
    let totals = breaker.snapshot().totals;
    // Of two failing trials one decides, and the other is late.
    assert_eq!(totals.success, Some(PERIODS / 2 * u64::from(SLOTS)));
    assert_eq!((totals.failure, totals.late), (PERIODS / 2, PERIODS / 2));
    assert_eq!(
        totals.refused,
        PERIODS * (THREADS as u64 - u64::from(SLOTS))
    );
    let changes = chain.finish(&breaker);
    // The first trip, then one a period: by the failed trial, or by the leader after it closed.
    changes.assert_counts(PERIODS + 1, PERIODS, PERIODS / 2);
}

/// Every thread that finds the slot taken moves the clock past the lease, so that trials outlive their
/// lease all the time, and still decide while their period lasts.
#[test]
fn trials_longer_than_their_lease_open_and_close() {
    const CALLS: u64 = 50_000;
    const LEASE: Duration = Duration::from_millis(2);
    let clock = ManualClock::new();
    let chain = Chain::default();
    let outlived = Arc::new(AtomicU64::new(0));
    let heard = outlived.clone();
    let settings = chain.heard_by(settings(&clock)).failure_threshold(1);
    let breaker = settings
        .trial_timeout(LEASE)
        .on_event(move |event| {
            if let Event::TrialsOutlived { trials, lease, .. } = event {
                assert_eq!((*trials, *lease), (1, LEASE));
                count(&heard);
            }
        })
        .build();
    let breaker = breaker.expect("settings that work");
    let askers = Crowd::default();
    let (admitted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    breaker.trip();
    on_threads(|thread| {
        for call in 0..CALLS {
            askers.enter();
            match breaker.try_acquire() {
                Ok(permit) => {
                    count(&admitted);
                    // Others ask meanwhile, and may take its slot.
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
            askers.leave();
        }
    });
    assert!(askers.most() > 1, "the threads never met");
    let totals = breaker.snapshot().totals;
    assert_eq!(ended(&totals), read(&admitted));
    assert_eq!(totals.refused, read(&refused));
    let changes = chain.finish(&breaker);
    let outlived = read(&outlived);
    println!("{totals:?}, {outlived} periods with a lapse");
    // Each recorded failure opens the circuit, and so did the trip at the beginning.
    let opened = totals.failure + 1;
    assert!((changes.opened..=changes.opened + changes.missed).contains(&opened));
    let half_opened = changes.half_opened;
    assert!(changes.missed > 0 || (half_opened..=half_opened + 1).contains(&changes.opened));
    assert!(changes.closed > 0 && changes.closed <= totals.success.expect("successes are counted"));
    assert!(outlived > 0 && outlived <= changes.half_opened);
    assert!(totals.late > 0, "no trial came after its period");
}
