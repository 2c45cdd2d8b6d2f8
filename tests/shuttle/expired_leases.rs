//! Recoveries whose trials take longer than their lease, while other calls keep coming.

use super::*;
use breakerbox::{Event, Outcome};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// How often a circuit changed, and how often its trials outlived their lease.
#[derive(Clone, Default)]
struct Changes {
    opened: Arc<AtomicU64>,
    half_opened: Arc<AtomicU64>,
    outlived: Arc<AtomicU64>,
}

impl Changes {
    fn heard_by(&self, settings: BreakerBuilder) -> BreakerBuilder {
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

/// What a test of these recoveries looks at.
struct Recovery {
    breaker: CircuitBreaker,
    changes: Changes,
    /// Trials of a period, and successes among them that close it.
    calls: u32,
    wanted: u32,
    admitted: u64,
}

/// Three tasks whose calls end as `outcome` says, each after the time has moved on, often past its lease.
async fn slow_trials(time: &Time, outcome: fn() -> Outcome) -> Recovery {
    let calls = any(&[1, 2, 3]);
    let wanted = any(&[1, calls]);
    let changes = Changes::default();
    let settings = time.settings().half_open_calls(calls);
    let settings = settings.success_threshold(wanted).failure_threshold(100);
    let breaker = time.recovering(changes.heard_by(settings));
    let admitted = Arc::new(AtomicU64::new(0));
    let tasks = [(); 3].map(|()| {
        let (breaker, admitted) = (breaker.clone(), admitted.clone());
        spawn(async move {
            for _ in 0..3 {
                let permit = breaker.try_acquire();
                yields(4).await;
                if let Ok(permit) = permit {
                    admitted.fetch_add(1, SeqCst);
                    permit.record(outcome());
                }
            }
        })
    });
    for _ in 0..4 {
        yields(3).await;
        time.pass(any(&[RECOVERY, LEASE / 2, LEASE]));
    }
    for task in tasks {
        task.await.expect("a task that ends");
    }
    // Delivers what the tasks have left in the queue.
    breaker.configure(|same| same).expect("the same settings");
    Recovery {
        breaker,
        changes,
        calls,
        wanted,
        admitted: admitted.load(SeqCst),
    }
}

/// The circuit closes with exactly the wanted success, whether or not its lease had lapsed.
#[test]
fn slow_healthy_dependency_recovers() {
    explore("slow and healthy", |time, happened| async move {
        let recovery = slow_trials(&time, || Outcome::Success).await;
        let snapshot = recovery.breaker.snapshot();
        let success = snapshot.totals.success.expect("successes are counted");
        assert_eq!(success + snapshot.totals.late, recovery.admitted);
        let closed = success >= u64::from(recovery.wanted);
        assert_eq!(snapshot.state == State::Closed, closed);
        assert!(closed || snapshot.totals.late == 0);
        assert_eq!(recovery.changes.half_opened.load(SeqCst), 1);
        let outlived = recovery.changes.outlived.load(SeqCst);
        assert!(outlived <= 1, "{outlived} events in one period");
        assert!(closed || snapshot.in_flight == Some(0));
        happened.note("closed", closed.into());
        happened.note("outlived", outlived);
        happened.note("closed after a lapse", u64::from(closed && outlived == 1));
        happened.note("late", snapshot.totals.late);
        happened.note("refused", snapshot.totals.refused);
    });
}

/// Each period takes as many failures as it needs to reopen, and no more.
#[test]
fn slow_failing_dependency_reopens() {
    explore("slow and failing", |time, happened| async move {
        let recovery = slow_trials(&time, || Outcome::Failure).await;
        let totals = recovery.breaker.snapshot().totals;
        assert_eq!(totals.failure + totals.late, recovery.admitted);
        let needed = u64::from(recovery.calls - recovery.wanted + 1);
        let reopened = recovery.changes.opened.load(SeqCst) - 1;
        assert_eq!(totals.failure / needed, reopened);
        assert_eq!(
            u64::from(recovery.breaker.failure_count()),
            totals.failure,
            "no success came between"
        );
        let outlived = recovery.changes.outlived.load(SeqCst);
        assert!(outlived <= recovery.changes.half_opened.load(SeqCst));
        happened.note("reopened", reopened);
        happened.note("reopened more than once", u64::from(reopened > 1));
        happened.note("outlived", outlived);
        happened.note("late", totals.late);
        time.assert_revives(&recovery.breaker);
    });
}

/// A period takes no more verdicts than it has calls, whatever they are.
#[test]
fn slow_flaky_dependency_takes_no_extra_verdicts() {
    explore("slow and flaky", |time, happened| async move {
        let outcome = || any(&[Outcome::Success, Outcome::Failure, Outcome::Ignored]);
        let recovery = slow_trials(&time, outcome).await;
        let snapshot = recovery.breaker.snapshot();
        let totals = &snapshot.totals;
        let success = totals.success.expect("successes are counted");
        let ended = success + totals.failure + totals.ignored + totals.late;
        assert_eq!(ended, recovery.admitted);
        let closed = snapshot.state == State::Closed;
        if !closed {
            let periods = recovery.changes.half_opened.load(SeqCst);
            let most = periods * u64::from(recovery.calls);
            assert!(success + totals.failure <= most, "{totals:?}");
        }
        happened.note("closed", closed.into());
        happened.note("reopened", recovery.changes.opened.load(SeqCst) - 1);
        happened.note("late", totals.late);
        time.assert_revives(&recovery.breaker);
    });
}
