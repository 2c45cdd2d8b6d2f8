//! Half-open periods whose trials outlive their lease, while other calls arrive.

use super::*;
use breakerbox::{Event, Outcome};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Counts the state changes of a circuit, and the events for trials that outlived their lease.
#[derive(Clone, Default)]
struct TransitionCounts {
    opened: Arc<AtomicU64>,
    half_opened: Arc<AtomicU64>,
    outlived: Arc<AtomicU64>,
}

impl TransitionCounts {
    fn observe(&self, settings: BreakerBuilder) -> BreakerBuilder {
        let changes = self.clone();
        settings.on_event(move |event| {
            let counter = match event {
                Event::StateChanged { to, .. } if *to == State::Open => &changes.opened,
                Event::StateChanged { to, .. } if *to == State::HalfOpen => &changes.half_opened,
                Event::TrialsOutlived { trials, lease, .. } => {
                    assert!(*trials > 0 && *lease == LEASE);
                    &changes.outlived
                }
                _ => return,
            };
            counter.fetch_add(1, SeqCst);
        })
    }
}

/// The result of `slow_trials`.
struct Recovery {
    breaker: CircuitBreaker,
    changes: TransitionCounts,
    /// The outcomes that count in a half-open period.
    calls: u32,
    /// The successes that close the circuit.
    successes_needed: u32,
    admitted: u64,
}

/// Runs three tasks, whose calls end with `outcome`. Time passes during the calls, often past the lease.
async fn slow_trials(time: &TestTime, outcome: fn() -> Outcome) -> Recovery {
    let calls = choose(&[1, 2, 3]);
    let successes_needed = choose(&[1, calls]);
    let changes = TransitionCounts::default();
    let settings = time.settings().half_open_calls(calls);
    let settings = settings
        .success_threshold(successes_needed)
        .failure_threshold(100);
    let breaker = time.recovering(changes.observe(settings));
    let admitted = Arc::new(AtomicU64::new(0));
    let tasks = [(); 3].map(|()| {
        let (breaker, admitted) = (breaker.clone(), admitted.clone());
        spawn(async move {
            for _ in 0..3 {
                let permit = breaker.try_acquire();
                yield_up_to(4).await;
                if let Ok(permit) = permit {
                    admitted.fetch_add(1, SeqCst);
                    permit.record(outcome());
                }
            }
        })
    });
    for _ in 0..4 {
        yield_up_to(3).await;
        time.advance(choose(&[RECOVERY, LEASE / 2, LEASE]));
    }
    for task in tasks {
        task.await.expect("the task should not panic");
    }
    // `configure` delivers the events that are still queued.
    breaker.configure(|same| same).expect("valid settings");
    Recovery {
        breaker,
        changes,
        calls,
        successes_needed,
        admitted: admitted.load(SeqCst),
    }
}

/// The circuit closes with the last of the required successes, even if the lease of that trial has expired.
#[test]
fn slow_healthy_dependency_recovers() {
    explore("slow and healthy", |time, cases| async move {
        let recovery = slow_trials(&time, || Outcome::Success).await;
        let snapshot = recovery.breaker.snapshot();
        let success = snapshot.totals.success.expect("successes are counted");
        assert_eq!(success + snapshot.totals.late, recovery.admitted);
        let closed = success >= u64::from(recovery.successes_needed);
        assert_eq!(snapshot.state == State::Closed, closed);
        assert!(closed || snapshot.totals.late == 0);
        assert_eq!(recovery.changes.half_opened.load(SeqCst), 1);
        let outlived = recovery.changes.outlived.load(SeqCst);
        assert!(outlived <= 1, "{outlived} events in one period");
        assert!(closed || snapshot.in_flight == Some(0));
        cases.count("closed", closed.into());
        cases.count("outlived", outlived);
        cases.count(
            "closed after a lease expired",
            u64::from(closed && outlived == 1),
        );
        cases.count("late", snapshot.totals.late);
        cases.count("refused", snapshot.totals.refused);
    });
}

/// Each half-open period records exactly the failures that reopen the circuit.
#[test]
fn slow_failing_dependency_reopens() {
    explore("slow and failing", |time, cases| async move {
        let recovery = slow_trials(&time, || Outcome::Failure).await;
        let totals = recovery.breaker.snapshot().totals;
        assert_eq!(totals.failure + totals.late, recovery.admitted);
        let needed = u64::from(recovery.calls - recovery.successes_needed + 1);
        let reopened = recovery.changes.opened.load(SeqCst) - 1;
        assert_eq!(totals.failure / needed, reopened);
        assert_eq!(
            u64::from(recovery.breaker.failure_count()),
            totals.failure,
            "no success resets the count"
        );
        let outlived = recovery.changes.outlived.load(SeqCst);
        assert!(outlived <= recovery.changes.half_opened.load(SeqCst));
        cases.count("reopened", reopened);
        cases.count("reopened more than once", u64::from(reopened > 1));
        cases.count("outlived", outlived);
        cases.count("late", totals.late);
        time.assert_recovers(&recovery.breaker);
    });
}

/// No half-open period records more outcomes than `half_open_calls`.
#[test]
fn slow_flaky_dependency_records_no_extra_outcomes() {
    explore("slow and flaky", |time, cases| async move {
        let outcome = || choose(&[Outcome::Success, Outcome::Failure, Outcome::Ignored]);
        let recovery = slow_trials(&time, outcome).await;
        let snapshot = recovery.breaker.snapshot();
        let totals = &snapshot.totals;
        let success = totals.success.expect("successes are counted");
        let recorded = success + totals.failure + totals.ignored + totals.late;
        assert_eq!(recorded, recovery.admitted);
        let closed = snapshot.state == State::Closed;
        if !closed {
            let periods = recovery.changes.half_opened.load(SeqCst);
            let limit = periods * u64::from(recovery.calls);
            assert!(success + totals.failure <= limit, "{totals:?}");
        }
        cases.count("closed", closed.into());
        cases.count("reopened", recovery.changes.opened.load(SeqCst) - 1);
        cases.count("late", totals.late);
        time.assert_recovers(&recovery.breaker);
    });
}
