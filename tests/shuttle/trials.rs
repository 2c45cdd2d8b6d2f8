//! Trials of half-open circuits: admission, and release of slots.

use super::*;
use breakerbox::Outcome;

/// Trials whose outcome is ignored. At most two run at once, and each slot is released.
#[test]
fn trials_never_exceed_slots_or_lose_one() {
    explore("trials at once", move |time, cases| async move {
        let settings = time.settings().half_open_calls(2);
        let breaker = time.recovering(settings.ignored_error::<Failure>());
        let counts = CallCounts::default();
        let tasks = [(); 4].map(|()| {
            let (breaker, counts) = (breaker.clone(), counts.clone());
            let style = choose(&[
                CallStyle::Awaited,
                CallStyle::Raced,
                CallStyle::WithFallback,
                CallStyle::Aborted,
            ]);
            spawn(async move { call(End::Err, style, &breaker, &counts).await })
        });
        for task in tasks {
            task.await.expect("the task should not panic");
        }
        let peak = counts.concurrency().peak();
        assert!(peak <= 2, "{peak} trials at once");
        let snapshot = breaker.snapshot();
        counts.assert_agree_with(&snapshot.totals);
        assert_eq!(snapshot.state, State::HalfOpen);
        // If every task was aborted before its call, the circuit is still open.
        assert_eq!(snapshot.in_flight.unwrap_or(0), 0);
        let trials = [(); 2].map(|()| breaker.try_acquire().expect("a free slot"));
        assert!(breaker.try_acquire().is_err());
        drop(trials);
        cases.count("refused", snapshot.totals.refused);
        cases.count("cancelled", snapshot.totals.cancelled);
        cases.count("two at once", u64::from(peak > 1));
    });
}

/// Hung trials outlive their lease, and other trials take their slots. A failure of a hung trial still
/// counts.
#[test]
fn expired_lease_admits_one_trial_per_slot() {
    explore("leases", move |time, cases| async move {
        let breaker = time.recovering(time.settings().half_open_calls(2));
        let hung = [(); 2].map(|()| breaker.try_acquire().expect("a free slot"));
        let counts = CallCounts::default();
        let tasks = [(); 3].map(|()| {
            let (breaker, counts) = (breaker.clone(), counts.clone());
            spawn(async move { breaker.try_acquire().inspect(|_| drop(counts.enter())).ok() })
        });
        yield_up_to(2).await;
        time.advance(LEASE);
        let late = spawn(async move {
            for permit in hung {
                permit.record(choose(&[Outcome::Failure, Outcome::Ignored]));
                yield_up_to(1).await;
            }
        });
        let mut taken = Vec::new();
        for task in tasks {
            taken.extend(task.await.expect("the task should not panic"));
        }
        late.await.expect("the task should not panic");
        let snapshot = breaker.snapshot();
        let entered = counts.entered();
        cases.count("taken over", entered);
        cases.count("late", snapshot.totals.late);
        cases.count("reopened", snapshot.totals.failure);
        // The first failure reopens the circuit, and later outcomes are late.
        assert_eq!(snapshot.state == State::Open, snapshot.totals.failure == 1);
        if snapshot.state == State::HalfOpen && entered > 0 {
            assert_eq!((snapshot.totals.ignored, snapshot.totals.late), (2, 0));
            assert!(entered <= 2, "{entered} trials for two slots");
            assert_eq!(u64::from(snapshot.in_flight.expect("half-open")), entered);
        }
        drop(taken);
        time.assert_recovers(&breaker);
    });
}

/// No call is admitted before the deadline, although the clock advances during the calls.
#[test]
fn open_circuit_refuses_before_its_deadline() {
    explore("before the deadline", move |time, cases| async move {
        let breaker = build(time.settings());
        breaker.trip();
        let elapsed = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let tasks = [(); 3].map(|()| {
            let (breaker, elapsed, cases) = (breaker.clone(), elapsed.clone(), cases.clone());
            spawn(async move {
                for _ in 0..3 {
                    match breaker.try_acquire() {
                        Ok(permit) => {
                            let seconds = elapsed.load(std::sync::atomic::Ordering::SeqCst);
                            assert!(seconds >= RECOVERY.as_secs(), "after {seconds} s");
                            cases.count("admitted", 1);
                            drop(permit);
                        }
                        Err(open) => {
                            let remaining = open.retry_after().expect("the circuit has a deadline");
                            assert!(remaining <= RECOVERY.max(LEASE));
                            cases.count("refused", 1);
                        }
                    }
                    yield_now().await;
                }
            })
        });
        for _ in 0..4 {
            yield_up_to(2).await;
            // Before the clock, so a task that is admitted at the new time also reads the new count.
            elapsed.fetch_add(3, std::sync::atomic::Ordering::SeqCst);
            time.advance(3 * SECOND);
        }
        for task in tasks {
            task.await.expect("the task should not panic");
        }
    });
}

/// Three calls compete for two slots. Each slot admits one call.
#[test]
fn two_slots_admit_two_of_three() {
    explore("three calls for two slots", |time, cases| async move {
        let breaker = time.recovering(time.settings().half_open_calls(2));
        let tasks = [(); 3].map(|()| {
            let breaker = breaker.clone();
            spawn(async move { breaker.try_acquire().ok() })
        });
        let mut admitted = Vec::new();
        for task in tasks {
            admitted.extend(task.await.expect("the task should not panic"));
        }
        assert_eq!(admitted.len(), 2);
        assert_eq!(breaker.snapshot().in_flight, Some(2));
        cases.count("refused", breaker.snapshot().totals.refused);
    });
}
