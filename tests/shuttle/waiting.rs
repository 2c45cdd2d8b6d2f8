//! Waiting for a circuit. No timer goes off unless the test says so, so that a wake-up that is lost leaves
//! a task that nobody wakes, and shuttle fails the schedule as a deadlock.

use super::*;
use shuttle::future::JoinHandle;

fn waiter(breaker: &CircuitBreaker, books: &Books) -> JoinHandle<()> {
    let (breaker, books) = (breaker.clone(), books.clone());
    spawn(async move {
        let permit = breaker.until_ready().await;
        let inside = books.enter();
        yields(1).await;
        drop(inside);
        drop(permit);
    })
}

/// One place and three who wait for it; one of them may be aborted, wherever it is.
#[test]
fn a_place_that_is_given_back_goes_to_the_next() {
    explore("places given back", move |time, happened| async move {
        let breaker = time.recovering(time.settings());
        let books = Books::default();
        let first = breaker.try_acquire().expect("a free slot");
        let [one, two, three] = [(); 3].map(|()| waiter(&breaker, &books));
        yields(3).await;
        drop(first);
        yields(2).await;
        one.abort();
        happened.note("aborted", one.await.is_err().into());
        two.await.expect("one that was let in");
        three.await.expect("one that was let in");
        assert_eq!(books.crowd().most(), 1);
        happened.note("all three", u64::from(books.entered() == 3));
        assert_eq!(breaker.snapshot().in_flight.unwrap_or(0), 0);
        assert_eq!(breaker.snapshot().totals.refused, 0);
    });
}

/// Two who wait for a circuit that somebody forced open, until somebody ends that by any command.
#[test]
fn who_waits_hears_of_every_command() {
    explore("commands", move |time, happened| async move {
        let breaker = build(time.settings().half_open_calls(2));
        breaker.force_open();
        let books = Books::default();
        let waiters = [(); 2].map(|()| waiter(&breaker, &books));
        yields(3).await;
        assert_eq!(books.entered(), 0);
        match any(&[0, 1, 2, 3, 4]) {
            0 => breaker.reset(),
            1 => breaker.half_open(),
            2 => breaker.disable(),
            3 => breaker.metrics_only(),
            _ => breaker
                .configure(|settings| settings.mode(Mode::Disabled))
                .expect("settings that work"),
        }
        for waiter in waiters {
            waiter.await.expect("one that was let in");
        }
        happened.note("let in", books.entered());
    });
}

/// Who waits for an open circuit comes back by the timer, and those behind by the one before.
#[test]
fn who_waits_for_the_time_is_let_in_when_it_has_come() {
    explore("time", move |time, happened| async move {
        let breaker = build(time.settings());
        breaker.trip();
        let books = Books::default();
        let waiters = [(); 3].map(|()| waiter(&breaker, &books));
        yields(3).await;
        let early = books.entered();
        assert_eq!(early, 0);
        time.pass(RECOVERY);
        // Who had looked before, and sleeps only now, sleeps until the timer's next turn.
        while waiters.iter().any(|waiter| !waiter.is_finished()) {
            time.pass(Duration::from_millis(20));
            yield_now().await;
        }
        happened.note("waited", 3);
        for waiter in waiters {
            waiter.await.expect("one that was let in");
        }
        assert_eq!(books.crowd().most(), 1);
    });
}

/// Waits without taking anything, then calls; a call that is refused waits again.
fn ready_caller(breaker: &CircuitBreaker, books: &Books) -> JoinHandle<()> {
    let (breaker, books) = (breaker.clone(), books.clone());
    spawn(async move {
        loop {
            breaker.ready().await;
            let Ok(permit) = breaker.try_acquire() else {
                continue;
            };
            let inside = books.enter();
            yields(1).await;
            drop((inside, permit));
            return;
        }
    })
}

/// Waiters that acquire a slot and waiters that do not share one queue, while some give up.
#[test]
fn mixed_waiters_are_all_admitted() {
    explore("mixed waiters", |time, happened| async move {
        let breaker = time.recovering(time.settings());
        let books = Books::default();
        let first = breaker.try_acquire().expect("a free slot");
        let waiters = [(); 4].map(|()| any(&[waiter, ready_caller])(&breaker, &books));
        yields(3).await;
        match any(&[0, 1, 2]) {
            0 => drop(first),
            1 => first.success(),
            _ => breaker.reset(),
        }
        yields(2).await;
        let [aborted, others @ ..] = waiters;
        aborted.abort();
        happened.note("aborted", aborted.await.is_err().into());
        for waiter in others {
            waiter.await.expect("a waiter that is admitted");
        }
        happened.note("all four", u64::from(books.entered() == 4));
        happened.note("one at a time", u64::from(books.crowd().most() == 1));
        happened.note("closed", u64::from(breaker.state() == State::Closed));
        assert_eq!(breaker.snapshot().in_flight.unwrap_or(0), 0);
    });
}

/// Inside the only trial, for whose slot others wait in the queue.
#[test]
fn waiter_inside_trial_joins_ahead_of_queue() {
    explore("waiting inside a trial", |time, happened| async move {
        let breaker = time.recovering(time.settings());
        let books = Books::default();
        let trial = breaker.try_acquire().expect("a free slot");
        let others = [waiter(&breaker, &books), ready_caller(&breaker, &books)];
        yields(3).await;
        let work = async {
            yields(1).await;
            breaker.ready().await;
            let joined = breaker.until_ready().await;
            assert_eq!(books.entered(), 0, "the slot is taken");
            joined.failure();
            Ok::<_, Failed>(())
        };
        trial.run(work).await.expect("a success");
        assert_eq!(breaker.state(), State::Closed);
        for waiter in others {
            waiter.await.expect("a waiter that is admitted");
        }
        let totals = breaker.snapshot().totals;
        assert_eq!((totals.success, totals.failure), (Some(1), 0));
        happened.note("admitted", books.entered());
    });
}

/// A late call asks for more time while others wait for the deadline.
#[test]
fn waiters_outwait_a_postponed_deadline() {
    explore("postponed", |time, happened| async move {
        let breaker = build(time.settings());
        let late = breaker.try_acquire().expect("a closed circuit");
        breaker.trip();
        let books = Books::default();
        let waiters = [waiter(&breaker, &books), ready_caller(&breaker, &books)];
        yields(3).await;
        late.record(breakerbox::Outcome::TripFor(3 * RECOVERY));
        time.pass(RECOVERY);
        for _ in 0..3 {
            yields(2).await;
            time.pass(Duration::from_millis(20));
        }
        assert_eq!(books.entered(), 0, "admitted before its time");
        time.pass(2 * RECOVERY);
        while waiters.iter().any(|waiter| !waiter.is_finished()) {
            time.pass(Duration::from_millis(20));
            yield_now().await;
        }
        for waiter in waiters {
            waiter.await.expect("a waiter that is admitted");
        }
        happened.note("admitted", books.entered());
    });
}
