//! Real threads on one breaker: what must hold however they meet, and proof that they met.
#![cfg(not(loom))]
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{Event, Refusal};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

const RECOVERY: Duration = Duration::from_millis(1);
const THREADS: usize = 4;

/// How many are inside at once, and the most there ever were.
#[derive(Default)]
struct Crowd {
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    fn enter(&self) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// The state changes of a breaker, checked as they arrive.
#[derive(Clone, Default)]
struct Chain(Arc<Mutex<Changes>>);

#[derive(Default)]
struct Changes {
    last: Option<State>,
    broken: Option<(State, State)>,
    opened: u64,
    half_opened: u64,
    closed: u64,
}

impl Chain {
    fn heard_by(&self, settings: BreakerBuilder) -> BreakerBuilder {
        let chain = self.0.clone();
        settings.on_event(move |event| {
            let Event::StateChanged { from, to, .. } = event else {
                return;
            };
            let mut changes = chain.lock().expect("no poison");
            if *from != changes.last.unwrap_or(State::Closed) || from == to {
                changes.broken.get_or_insert((*from, *to));
            }
            changes.last = Some(*to);
            match to {
                State::Open => changes.opened += 1,
                State::HalfOpen => changes.half_opened += 1,
                State::Closed => changes.closed += 1,
                _ => {}
            }
        })
    }

    fn finish(&self) -> Changes {
        let changes = std::mem::take(&mut *self.0.lock().expect("no poison"));
        assert_eq!(
            changes.broken, None,
            "each begins where the one before ended"
        );
        changes
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::SeqCst)
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

fn settings(clock: &ManualClock) -> BreakerBuilder {
    CircuitBreaker::builder()
        .recovery_timeout(RECOVERY)
        .trial_timeout(Duration::MAX)
        .clock(clock.clone())
}

fn on_threads(work: impl Fn(usize) + Sync) {
    let work = &work;
    thread::scope(|scope| {
        for number in 0..THREADS {
            scope.spawn(move || work(number));
        }
    });
}

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
            let asked = breaker.acquire();
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

    let changes = chain.finish();
    // The first trip, and one at the end of every period: by a failure, or by who closed it.
    assert_eq!(changes.opened, periods + 1);
    assert_eq!(changes.closed, successes);
    // Perhaps one that began and whose trial gave its slot back.
    assert!((periods..=periods + 1).contains(&changes.half_opened));
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
    let barrier = Barrier::new(THREADS);
    let (askers, trials) = (Crowd::default(), Crowd::default());
    on_threads(|_| {
        for period in 0..PERIODS {
            if barrier.wait().is_leader() {
                breaker.trip();
                clock.advance(RECOVERY);
            }
            barrier.wait();
            askers.enter();
            let permit = breaker.acquire().ok();
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
    let changes = chain.finish();
    assert_eq!(
        (changes.half_opened, changes.closed),
        (PERIODS, PERIODS / 2)
    );
    // The first trip, then one a period: by the failed trial, or by the leader after it closed.
    assert_eq!(changes.opened, PERIODS + 1);
}

/// Calls of all kinds, trips and recoveries; when the dust settles every call is in one total.
#[test]
fn totals_add_up_when_the_dust_settles() {
    const CALLS: u64 = 50_000;
    let clock = ManualClock::new();
    let chain = Chain::default();
    let breaker = chain
        .heard_by(settings(&clock).failure_threshold(3))
        .build();
    let breaker = breaker.expect("settings that work");
    let askers = Crowd::default();
    let (passed, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    on_threads(|number| {
        for call in 0..CALLS {
            askers.enter();
            match breaker.acquire() {
                Ok(permit) => {
                    count(&passed);
                    // Failures come in runs, so that some of them trip.
                    match (call + number as u64) / 3 % 8 {
                        0 => permit.failure(),
                        1 => permit.record(Outcome::Ignored),
                        2 => drop(permit),
                        _ => permit.success(),
                    }
                }
                Err(open) => {
                    count(&refused);
                    assert!(open.retry_after() > Some(Duration::ZERO));
                    clock.advance(RECOVERY / 8);
                }
            }
            askers.leave();
        }
    });
    assert!(askers.most() > 1, "the threads never met");
    let totals = breaker.snapshot().totals;
    assert_eq!(totals.refused, read(&refused));
    assert_eq!(read(&passed) + read(&refused), CALLS * THREADS as u64);
    let ended = totals.success.expect("they are counted") + totals.failure;
    assert_eq!(
        ended + totals.ignored + totals.cancelled + totals.late,
        read(&passed)
    );
    let changes = chain.finish();
    assert!(
        changes.opened > 0 && changes.closed > 0,
        "it never tripped or never recovered"
    );
    // Closed, open, half-open, and round again: one event a trip.
    assert!(changes.half_opened <= changes.opened);
    assert!(changes.closed <= changes.half_opened);
}

/// Windows of time and slow calls while the clock moves: successes that threads put down by
/// themselves, and those that failures and snapshots fold in meanwhile, are all there in the end.
#[test]
fn windows_of_time_lose_no_outcome() {
    const EACH: usize = 50_000;
    const HOUR: Window = Window::time(Duration::from_secs(3_600));
    let clock = ManualClock::new();
    let rules = [
        TripRule::failures(u32::MAX).over(HOUR.buckets(3_600)),
        TripRule::slow_calls(1.0)
            .slower_than(Duration::from_secs(600))
            .over(HOUR),
    ];
    let breaker = settings(&clock).trip_rules(rules).build();
    let breaker = breaker.expect("settings that work");
    let crowd = Crowd::default();
    on_threads(|thread| {
        for call in 0..EACH {
            crowd.enter();
            let permit = breaker.acquire().expect("no rule ever trips");
            match call % 1_000 {
                0 => permit.failure(),
                1 => drop(permit),
                2 if thread == 0 => {
                    clock.advance(Duration::from_secs(1));
                    permit.success();
                }
                3 if thread == 1 => assert!(breaker.snapshot().rules[0].recorded > 0),
                _ => permit.success(),
            }
            crowd.leave();
        }
    });
    assert!(crowd.most() > 1, "threads that never meet show nothing");
    let snapshot = breaker.snapshot();
    let each = u32::try_from(EACH).expect("a number that fits");
    let threads = u32::try_from(THREADS).expect("a number that fits");
    let failed = threads * each / 1_000;
    // Thread 1 dropped the calls during which it took a snapshot, and each its cancelled ones.
    let cancelled = failed + each / 1_000;
    let recorded = threads * each - cancelled;
    for rule in &snapshot.rules {
        assert_eq!(
            (rule.recorded, rule.failed, rule.slow),
            (recorded, failed, 0)
        );
    }
    assert_eq!(snapshot.totals.success, Some((recorded - failed).into()));
    assert_eq!(snapshot.totals.failure, failed.into());
    assert_eq!(snapshot.totals.cancelled, cancelled.into());
    assert_eq!(snapshot.in_flight, Some(0));
}

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
            let permit = breaker.acquire().expect("no rule ever trips");
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
        let permit = breaker.acquire().expect("no rule ever trips");
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
            let succeeds = || breaker.acquire().expect("no rule ever trips").success();
            let fails = || breaker.acquire().expect("no rule ever trips").failure();
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
