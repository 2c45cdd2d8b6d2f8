//! Waiting for a circuit. Timers fire only when the test advances the clock. So a lost wake-up leaves a
//! task that never runs again, and shuttle reports a deadlock.

use super::*;
use shuttle::future::JoinHandle;

fn spawn_waiter(breaker: &CircuitBreaker, counts: &CallCounts) -> JoinHandle<()> {
    let (breaker, counts) = (breaker.clone(), counts.clone());
    spawn(async move {
        let permit = breaker.until_ready().await;
        let running = counts.enter();
        yield_up_to(1).await;
        drop(running);
        drop(permit);
    })
}

/// Three tasks wait for one slot. One of them may be aborted, at any point.
#[test]
fn released_slot_goes_to_next_waiter() {
    explore("released slot", move |time, cases| async move {
        let breaker = time.recovering(time.settings());
        let counts = CallCounts::default();
        let first = breaker.try_acquire().expect("a free slot");
        let [one, two, three] = [(); 3].map(|()| spawn_waiter(&breaker, &counts));
        yield_up_to(3).await;
        drop(first);
        yield_up_to(2).await;
        one.abort();
        cases.count("aborted", one.await.is_err().into());
        two.await.expect("the waiter should be admitted");
        three.await.expect("the waiter should be admitted");
        assert_eq!(counts.concurrency().peak(), 1);
        cases.count("all three", u64::from(counts.entered() == 3));
        assert_eq!(breaker.snapshot().in_flight.unwrap_or(0), 0);
        assert_eq!(breaker.snapshot().totals.refused, 0);
    });
}

/// Two tasks wait while the circuit is forced open, until any command ends that.
#[test]
fn every_command_wakes_waiters() {
    explore("commands wake waiters", move |time, cases| async move {
        let breaker = build(time.settings().half_open_calls(2));
        breaker.force_open();
        let counts = CallCounts::default();
        let waiters = [(); 2].map(|()| spawn_waiter(&breaker, &counts));
        yield_up_to(3).await;
        assert_eq!(counts.entered(), 0);
        match choose(&[0, 1, 2, 3, 4]) {
            0 => breaker.reset(),
            1 => breaker.half_open(),
            2 => breaker.disable(),
            3 => breaker.metrics_only(),
            _ => breaker
                .configure(|settings| settings.mode(Mode::Disabled))
                .expect("valid settings"),
        }
        for waiter in waiters {
            waiter.await.expect("the waiter should be admitted");
        }
        cases.count("admitted", counts.entered());
    });
}

/// The timer wakes the first waiter of an open circuit. Each waiter wakes the next one.
#[test]
fn waiters_are_admitted_after_deadline() {
    explore("deadline wakes waiters", move |time, cases| async move {
        let breaker = build(time.settings());
        breaker.trip();
        let counts = CallCounts::default();
        let waiters = [(); 3].map(|()| spawn_waiter(&breaker, &counts));
        yield_up_to(3).await;
        let early = counts.entered();
        assert_eq!(early, 0);
        time.advance(RECOVERY);
        // A waiter may have checked the circuit before the deadline and started its sleep afterwards.
        while waiters.iter().any(|waiter| !waiter.is_finished()) {
            time.advance(Duration::from_millis(20));
            yield_now().await;
        }
        cases.count("waited", 3);
        for waiter in waiters {
            waiter.await.expect("the waiter should be admitted");
        }
        assert_eq!(counts.concurrency().peak(), 1);
    });
}

/// Spawns a task that waits with `ready`, which takes no slot, and then calls. If refused, it waits again.
fn spawn_ready_caller(breaker: &CircuitBreaker, counts: &CallCounts) -> JoinHandle<()> {
    let (breaker, counts) = (breaker.clone(), counts.clone());
    spawn(async move {
        loop {
            breaker.ready().await;
            let Ok(permit) = breaker.try_acquire() else {
                continue;
            };
            let running = counts.enter();
            yield_up_to(1).await;
            drop((running, permit));
            return;
        }
    })
}

/// Waiters with and without a slot share one queue, and one waiter gives up.
#[test]
fn mixed_waiters_are_all_admitted() {
    explore("mixed waiters", |time, cases| async move {
        let breaker = time.recovering(time.settings());
        let counts = CallCounts::default();
        let first = breaker.try_acquire().expect("a free slot");
        let waiters =
            [(); 4].map(|()| choose(&[spawn_waiter, spawn_ready_caller])(&breaker, &counts));
        yield_up_to(3).await;
        match choose(&[0, 1, 2]) {
            0 => drop(first),
            1 => first.success(),
            _ => breaker.reset(),
        }
        yield_up_to(2).await;
        let [aborted, others @ ..] = waiters;
        aborted.abort();
        cases.count("aborted", aborted.await.is_err().into());
        for waiter in others {
            waiter.await.expect("the waiter should be admitted");
        }
        cases.count("all four", u64::from(counts.entered() == 4));
        cases.count("one at a time", u64::from(counts.concurrency().peak() == 1));
        cases.count("closed", u64::from(breaker.state() == State::Closed));
        assert_eq!(breaker.snapshot().in_flight.unwrap_or(0), 0);
    });
}

/// A waiter inside the only trial joins it, although other tasks wait for the slot.
#[test]
fn waiter_inside_trial_joins_ahead_of_queue() {
    explore("waiting inside a trial", |time, cases| async move {
        let breaker = time.recovering(time.settings());
        let counts = CallCounts::default();
        let trial = breaker.try_acquire().expect("a free slot");
        let others = [
            spawn_waiter(&breaker, &counts),
            spawn_ready_caller(&breaker, &counts),
        ];
        yield_up_to(3).await;
        let work = async {
            yield_up_to(1).await;
            breaker.ready().await;
            let joined = breaker.until_ready().await;
            assert_eq!(counts.entered(), 0, "the slot is taken");
            joined.failure();
            Ok::<_, Failure>(())
        };
        trial.run(work).await.expect("the trial succeeds");
        assert_eq!(breaker.state(), State::Closed);
        for waiter in others {
            waiter.await.expect("the waiter should be admitted");
        }
        let totals = breaker.snapshot().totals;
        assert_eq!((totals.success, totals.failure), (Some(1), 0));
        cases.count("admitted", counts.entered());
    });
}

/// The hint of a late call postpones the deadline while other tasks wait for it.
#[test]
fn waiters_wait_for_postponed_deadline() {
    explore("postponed", |time, cases| async move {
        let breaker = build(time.settings());
        let late = breaker.try_acquire().expect("the circuit is closed");
        breaker.trip();
        let counts = CallCounts::default();
        let waiters = [
            spawn_waiter(&breaker, &counts),
            spawn_ready_caller(&breaker, &counts),
        ];
        yield_up_to(3).await;
        late.record(breakerbox::Outcome::TripFor(3 * RECOVERY));
        time.advance(RECOVERY);
        for _ in 0..3 {
            yield_up_to(2).await;
            time.advance(Duration::from_millis(20));
        }
        assert_eq!(counts.entered(), 0, "admitted before the deadline");
        time.advance(2 * RECOVERY);
        while waiters.iter().any(|waiter| !waiter.is_finished()) {
            time.advance(Duration::from_millis(20));
            yield_now().await;
        }
        for waiter in waiters {
            waiter.await.expect("the waiter should be admitted");
        }
        cases.count("admitted", counts.entered());
    });
}
