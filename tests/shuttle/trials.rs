//! Half-open circuits: who is let in, and what gives the place back.

use super::*;
use breakerbox::Outcome;

/// Trials that decide nothing, whatever becomes of them: never are more than two inside, and no place is
/// lost.
#[test]
fn never_more_trials_than_allowed_and_no_slot_is_lost() {
    explore("trials at once", move |time, happened| async move {
        let settings = time.settings().half_open_calls(2);
        let breaker = time.recovering(settings.ignored_error::<Failed>());
        let books = Books::default();
        let tasks = [(); 4].map(|()| {
            let (breaker, books) = (breaker.clone(), books.clone());
            let way = any(&[Way::Awaited, Way::Raced, Way::Backed, Way::Aborted]);
            spawn(async move { call(End::Err, way, &breaker, &books).await })
        });
        for task in tasks {
            task.await.expect("a task that ends");
        }
        let most = books.crowd().most();
        assert!(most <= 2, "{most} trials at once");
        let snapshot = breaker.snapshot();
        books.agree_with(&snapshot.totals);
        assert_eq!(snapshot.state, State::HalfOpen);
        // None began, where all were aborted before: then it is open still.
        assert_eq!(snapshot.in_flight.unwrap_or(0), 0);
        let trials = [(); 2].map(|()| breaker.try_acquire().expect("a free slot"));
        assert!(breaker.try_acquire().is_err());
        drop(trials);
        happened.note("refused", snapshot.totals.refused);
        happened.note("cancelled", snapshot.totals.cancelled);
        happened.note("two at once", u64::from(most > 1));
    });
}

/// Where trials hang beyond their lease, others take their slots; a failure among them still decides.
#[test]
fn a_lease_that_ends_gives_each_place_to_one_other() {
    explore("leases", move |time, happened| async move {
        let breaker = time.recovering(time.settings().half_open_calls(2));
        let hung = [(); 2].map(|()| breaker.try_acquire().expect("a free slot"));
        let books = Books::default();
        let tasks = [(); 3].map(|()| {
            let (breaker, books) = (breaker.clone(), books.clone());
            spawn(async move { breaker.try_acquire().inspect(|_| drop(books.enter())).ok() })
        });
        yields(2).await;
        time.pass(LEASE);
        let late = spawn(async move {
            for permit in hung {
                permit.record(any(&[Outcome::Failure, Outcome::Ignored]));
                yields(1).await;
            }
        });
        let mut taken = Vec::new();
        for task in tasks {
            taken.extend(task.await.expect("a task that ends"));
        }
        late.await.expect("a task that ends");
        let snapshot = breaker.snapshot();
        let entered = books.entered();
        happened.note("taken over", entered);
        happened.note("late", snapshot.totals.late);
        happened.note("reopened", snapshot.totals.failure);
        // The first failure reopens the circuit, and what ends after it is late.
        assert_eq!(snapshot.state == State::Open, snapshot.totals.failure == 1);
        if snapshot.state == State::HalfOpen && entered > 0 {
            assert_eq!((snapshot.totals.ignored, snapshot.totals.late), (2, 0));
            assert!(entered <= 2, "{entered} for two places");
            assert_eq!(u64::from(snapshot.in_flight.expect("half-open")), entered);
        }
        drop(taken);
        time.assert_revives(&breaker);
    });
}

/// Nobody passes before the time, although the clock moves while they ask.
#[test]
fn an_open_circuit_lets_nobody_in_before_its_time() {
    explore("before its time", move |time, happened| async move {
        let breaker = build(time.settings());
        breaker.trip();
        let passed = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let tasks = [(); 3].map(|()| {
            let (breaker, passed, happened) = (breaker.clone(), passed.clone(), happened.clone());
            spawn(async move {
                for _ in 0..3 {
                    match breaker.try_acquire() {
                        Ok(permit) => {
                            let seconds = passed.load(std::sync::atomic::Ordering::SeqCst);
                            assert!(seconds >= RECOVERY.as_secs(), "after {seconds} s");
                            happened.note("let in", 1);
                            drop(permit);
                        }
                        Err(open) => {
                            let left = open.retry_after().expect("an end");
                            assert!(left <= RECOVERY.max(LEASE));
                            happened.note("refused", 1);
                        }
                    }
                    yield_now().await;
                }
            })
        });
        for _ in 0..4 {
            yields(2).await;
            // Told before it is so: who passes at the new time has seen it here.
            passed.fetch_add(3, std::sync::atomic::Ordering::SeqCst);
            time.pass(3 * SECOND);
        }
        for task in tasks {
            task.await.expect("a task that ends");
        }
    });
}

/// Where three come for two places, two are let in, and each place is given once.
#[test]
fn of_three_two_pass_where_two_slots_are() {
    explore("three for two", |time, happened| async move {
        let breaker = time.recovering(time.settings().half_open_calls(2));
        let tasks = [(); 3].map(|()| {
            let breaker = breaker.clone();
            spawn(async move { breaker.try_acquire().ok() })
        });
        let mut passed = Vec::new();
        for task in tasks {
            passed.extend(task.await.expect("a task that ends"));
        }
        assert_eq!(passed.len(), 2);
        assert_eq!(breaker.snapshot().in_flight, Some(2));
        happened.note("refused", breaker.snapshot().totals.refused);
    });
}
