//! Every interleaving of small crowds of threads, explored by loom through the public interface.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --test loom --release
//! ```
//!
//! Each model is complete: no bound on preemptions. Add `-- --nocapture` to see how many
//! interleavings each has. The clock is a [`ManualClock`], which stands still while threads run,
//! so time is no source of interleavings.
#![cfg(loom)]
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{Event, Permit, Refusal, Totals};
use loom::thread::{self, JoinHandle};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const RECOVERY: Duration = Duration::from_secs(10);
const LEASE: Duration = Duration::from_secs(40);

/// Who of two goes first in the first interleaving; loom goes on from there.
///
/// Every model is explored from both ends: loom remembers only the latest access to an atomic, so
/// that a thread which loads and then stores hides the load of another one before it.
#[derive(Clone, Copy)]
enum Race {
    LeftFirst,
    RightFirst,
}

impl Race {
    fn run<L: 'static, R: 'static>(
        self,
        left: impl FnOnce() -> L + 'static,
        right: impl FnOnce() -> R + 'static,
    ) -> (L, R) {
        match self {
            Self::LeftFirst => {
                let right = thread::spawn(right);
                let left = left();
                (left, join(right))
            }
            Self::RightFirst => {
                let left = thread::spawn(left);
                let right = right();
                (join(left), right)
            }
        }
    }
}

/// Explores `run` and says how many interleavings there were.
fn explore(model: &str, run: impl Fn(Race) + Clone + Send + Sync + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    for race in [Race::LeftFirst, Race::RightFirst] {
        let (run, runs) = (run.clone(), runs.clone());
        loom::model(move || {
            runs.fetch_add(1, Ordering::Relaxed);
            run(race);
        });
    }
    let runs = runs.load(Ordering::Relaxed);
    println!("{model}: {runs} interleavings");
    assert!(runs > 2, "threads that never meet show nothing");
}

/// A breaker that keeps no texts, so that failures below the threshold take no lock.
fn quick(threshold: u32) -> BreakerBuilder {
    CircuitBreaker::builder()
        .failure_threshold(threshold)
        .recovery_timeout(RECOVERY)
        .trial_timeout(LEASE)
        .capture_last_failure(false)
        .clock(ManualClock::new())
}

fn build(settings: BreakerBuilder) -> CircuitBreaker {
    settings.build().expect("settings that work")
}

fn permits<const N: usize>(breaker: &CircuitBreaker) -> [Permit; N] {
    std::array::from_fn(|_| breaker.acquire().expect("a closed circuit"))
}

fn fail(breaker: &CircuitBreaker) {
    breaker.acquire().expect("a closed circuit").failure();
}

/// Open, with its time come: the next call is a trial.
fn recovering(settings: BreakerBuilder) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let breaker = build(settings.clock(clock.clone()));
    breaker.trip();
    clock.advance(RECOVERY);
    (breaker, clock)
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("a thread that ends")
}

fn totals(breaker: &CircuitBreaker) -> Totals {
    breaker.snapshot().totals
}

/// The state changes of a breaker, in the order in which they were told.
#[derive(Clone, Default)]
struct Changes(Arc<Mutex<Vec<(State, State)>>>);

impl Changes {
    fn heard_by(&self, settings: BreakerBuilder) -> BreakerBuilder {
        let changes = self.0.clone();
        settings.on_event(move |event| {
            if let Event::StateChanged { from, to, .. } = event {
                changes.lock().expect("no poison").push((*from, *to));
            }
        })
    }

    fn all(&self) -> Vec<(State, State)> {
        self.0.lock().expect("no poison").clone()
    }
}

mod threshold {
    use super::*;

    fn two_failures_trip_once(model: &str, settings: fn() -> BreakerBuilder) {
        explore(model, move |race| {
            let breaker = build(settings());
            let [one, other] = permits(&breaker);
            race.run(|| one.failure(), || other.failure());
            assert_eq!(breaker.state(), State::Open);
            assert_eq!(breaker.failure_count(), 2);
            let totals = totals(&breaker);
            assert_eq!((totals.failure, totals.late), (2, 0));
        });
    }

    #[test]
    fn two_failures_trip_once_without_texts() {
        two_failures_trip_once("two failures, no texts", || quick(2));
    }

    #[test]
    fn two_failures_trip_once_with_texts() {
        two_failures_trip_once("two failures, texts", || {
            quick(2).capture_last_failure(true)
        });
    }

    #[test]
    fn of_two_failures_that_could_trip_one_does_and_the_other_is_late() {
        explore("two failures at the threshold, heard", |race| {
            let changes = Changes::default();
            let breaker = build(changes.heard_by(quick(2)));
            fail(&breaker);
            let [one, other] = permits(&breaker);
            race.run(|| one.failure(), || other.failure());
            assert_eq!(breaker.failure_count(), 2);
            let totals = totals(&breaker);
            assert_eq!((totals.failure, totals.late), (2, 1));
            assert_eq!(changes.all(), [(State::Closed, State::Open)]);
        });
    }

    fn a_success_resets_or_is_late(model: &str, settings: fn() -> BreakerBuilder) {
        explore(model, move |race| {
            let breaker = build(settings());
            fail(&breaker);
            let [good, bad] = permits(&breaker);
            race.run(|| good.success(), || bad.failure());
            let totals = totals(&breaker);
            let seen = (
                breaker.state(),
                breaker.failure_count(),
                totals.success,
                totals.late,
            );
            match seen {
                // the failure, then the success; or the other way round
                (State::Open, 2, Some(0), 1) | (State::Closed, 1, Some(1), 0) => {}
                _ => panic!("{seen:?} is the outcome of no order"),
            }
            assert_eq!(totals.failure, 2);
        });
    }

    #[test]
    fn a_success_resets_the_count_or_is_late() {
        a_success_resets_or_is_late("success against the last failure, no texts", || quick(2));
    }

    #[test]
    fn a_success_resets_the_count_or_is_late_with_texts() {
        a_success_resets_or_is_late("success against the last failure, texts", || {
            quick(2).capture_last_failure(true)
        });
    }
}

mod late {
    use super::*;

    #[test]
    fn a_failure_counts_before_a_trip_or_is_late() {
        explore("failure against trip", |race| {
            let breaker = build(quick(5));
            let [permit] = permits(&breaker);
            let tripped = breaker.clone();
            race.run(|| permit.failure(), move || tripped.trip());
            assert_eq!(breaker.state(), State::Open);
            let totals = totals(&breaker);
            assert_eq!(totals.failure + totals.late, 1);
            assert_eq!(u64::from(breaker.failure_count()), totals.failure);
        });
    }

    #[test]
    fn a_failure_counts_before_a_reset_or_is_late() {
        explore("failure against reset", |race| {
            let breaker = build(quick(5));
            let [permit] = permits(&breaker);
            let reset = breaker.clone();
            race.run(|| permit.failure(), move || reset.reset());
            assert_eq!(
                (breaker.state(), breaker.failure_count()),
                (State::Closed, 0)
            );
            let totals = totals(&breaker);
            assert_eq!(totals.failure + totals.late, 1);
        });
    }

    #[test]
    fn a_result_from_before_does_not_steer_the_trial() {
        explore("late failure against a closing trial", |race| {
            let clock = ManualClock::new();
            let breaker = build(quick(1).clock(clock.clone()));
            let [late] = permits(&breaker);
            breaker.trip();
            clock.advance(RECOVERY);
            let tried = breaker.clone();
            race.run(
                || late.failure(),
                move || tried.acquire().expect("the trial").success(),
            );
            assert_eq!(
                (breaker.state(), breaker.failure_count()),
                (State::Closed, 0)
            );
            let totals = totals(&breaker);
            assert_eq!(
                (totals.success, totals.failure, totals.late),
                (Some(1), 0, 1)
            );
        });
    }

    #[test]
    fn a_trial_decides_or_a_command_does() {
        explore("failing trial against reset", |race| {
            let changes = Changes::default();
            let (breaker, _) = recovering(changes.heard_by(quick(1)));
            let trial = breaker.acquire().expect("the trial");
            let reset = breaker.clone();
            race.run(|| trial.failure(), move || reset.reset());
            assert_eq!(breaker.state(), State::Closed);
            let totals = totals(&breaker);
            assert_eq!(totals.failure + totals.late, 1);
            // Told in order, each beginning where the one before ended.
            let changes = changes.all();
            let linked = changes.windows(2).all(|pair| pair[0].1 == pair[1].0);
            assert!(linked, "{changes:?}");
            assert_eq!(changes.len() as u64, 3 + totals.failure);
        });
    }
}

mod trials {
    use super::*;

    /// Two for the last of `slots`.
    fn one_of_two_passes(model: &str, slots: u32) {
        explore(model, move |race| {
            let (breaker, _) = recovering(quick(1).half_open_calls(slots));
            let taken: Vec<_> = (1..slots).map(|_| breaker.acquire()).collect();
            let (one, other) = (breaker.clone(), breaker.clone());
            let (one, other) = race.run(move || one.acquire(), move || other.acquire());
            let ((Ok(_), Err(refused)) | (Err(refused), Ok(_))) = (&one, &other) else {
                panic!("{one:?}, {other:?}");
            };
            assert_eq!(refused.reason(), Refusal::TrialsTaken);
            assert_eq!(refused.retry_after(), Some(LEASE));
            assert_eq!(breaker.snapshot().in_flight, Some(slots));
            drop(taken);
        });
    }

    #[test]
    fn of_two_one_passes_where_one_slot_is() {
        one_of_two_passes("two for one slot", 1);
    }

    #[test]
    fn of_two_one_passes_where_another_slot_is_taken() {
        one_of_two_passes("two for the last of two slots", 2);
    }

    /// Three threads are too many to explore wholly: at most two preemptions in each run, which is
    /// as many as any pair of them needs to meet.
    #[test]
    fn of_three_two_pass_where_two_slots_are() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(|| {
            let (breaker, _) = recovering(quick(1).half_open_calls(2));
            let threads = [(); 2].map(|()| {
                let breaker = breaker.clone();
                thread::spawn(move || breaker.acquire())
            });
            let mine = breaker.acquire();
            let [one, two] = threads.map(join);
            let passed = [&mine, &one, &two].iter().filter(|one| one.is_ok()).count();
            assert_eq!(passed, 2);
            assert_eq!(breaker.snapshot().in_flight, Some(2));
        });
    }

    #[test]
    fn a_dropped_trial_gives_its_slot_back() {
        explore("dropped trial against an acquirer", |race| {
            let (breaker, _) = recovering(quick(1));
            let trial = breaker.acquire().expect("the trial");
            let waiting = breaker.clone();
            // The other's, if it got one, is dropped too.
            race.run(|| drop(trial), move || drop(waiting.acquire()));
            assert_eq!(breaker.snapshot().in_flight, Some(0));
            assert!(breaker.acquire().is_ok());
        });
    }

    #[test]
    fn two_trials_that_end_together_are_both_counted() {
        explore("two succeeding trials", |race| {
            let (breaker, _) = recovering(quick(1).half_open_calls(2));
            let [one, other] = permits(&breaker);
            race.run(|| one.success(), || other.success());
            assert_eq!(breaker.state(), State::Closed);
            assert_eq!(totals(&breaker).success, Some(2));
        });
    }

    #[test]
    fn a_lapsed_trial_decides_or_is_late() {
        explore("lapsed trial against the one that takes over", |race| {
            let (breaker, clock) = recovering(quick(1));
            let lapsed = breaker.acquire().expect("the trial");
            clock.advance(LEASE);
            let next = breaker.clone();
            let ((), other) = race.run(|| lapsed.success(), move || next.acquire());
            let other = other.expect("a free slot or a closed circuit");
            if totals(&breaker).late == 0 {
                assert_eq!(breaker.state(), State::Closed);
            } else {
                assert_eq!(breaker.state(), State::HalfOpen);
                assert_eq!(breaker.snapshot().in_flight, Some(1));
                assert!(breaker.acquire().is_err());
            }
            other.success();
            assert_eq!(breaker.state(), State::Closed);
        });
    }

    #[test]
    fn a_lapsed_slot_goes_to_one_of_two() {
        explore("two for a lapsed slot, then its late result", |race| {
            let (breaker, clock) = recovering(quick(1));
            let lapsed = breaker.acquire().expect("the trial");
            clock.advance(LEASE);
            let (one, other) = (breaker.clone(), breaker.clone());
            let (one, other) = race.run(move || one.acquire(), move || other.acquire());
            assert!(one.is_ok() != other.is_ok());
            lapsed.failure();
            assert_eq!(breaker.state(), State::HalfOpen);
            assert_eq!(totals(&breaker).late, 1);
        });
    }
}

/// `retry_after` belongs to a deadline that was set, and to the state that refused.
mod refusal {
    use super::*;

    fn refusals(
        model: &str,
        prepare: fn() -> CircuitBreaker,
        act: fn(&CircuitBreaker),
        seconds: &'static [u64],
    ) {
        explore(model, move |race| {
            let breaker = prepare();
            let steered = breaker.clone();
            let (answer, ()) = race.run(move || breaker.acquire(), move || act(&steered));
            if let Err(refused) = answer {
                assert_eq!(refused.reason(), Refusal::Open);
                let left = refused.retry_after().expect("an end").as_secs();
                assert!(seconds.contains(&left), "{left} s");
            }
        });
    }

    fn closed() -> CircuitBreaker {
        build(quick(1))
    }

    fn open() -> CircuitBreaker {
        let breaker = closed();
        breaker.trip();
        breaker
    }

    #[test]
    fn against_trip() {
        refusals("refusal against trip", closed, CircuitBreaker::trip, &[10]);
    }

    #[test]
    fn against_trip_for() {
        let act = |breaker: &CircuitBreaker| breaker.trip_for(90 * SECOND);
        refusals("refusal against trip_for", open, act, &[10, 90]);
    }

    #[test]
    fn against_reset_and_trip() {
        let act = |breaker: &CircuitBreaker| {
            breaker.reset();
            breaker.trip_for(90 * SECOND);
        };
        refusals("refusal against reset and trip_for", open, act, &[10, 90]);
    }

    #[test]
    fn against_a_trial_that_fails() {
        explore("refusal against a failing trial", |race| {
            let (breaker, _) = recovering(quick(1));
            let trial = breaker.acquire().expect("the trial");
            let (mine, ()) = race.run(move || breaker.acquire(), || trial.failure());
            let refused = mine.expect_err("the trial has the only slot, until it reopens");
            match refused.reason() {
                Refusal::Open => {
                    assert_eq!(refused.retry_after(), Some(RECOVERY));
                    assert_eq!(refused.failure_count(), 1);
                }
                _ => assert_eq!(refused.retry_after(), Some(LEASE)),
            }
        });
    }

    #[test]
    fn what_people_ask_agrees_with_what_was_set() {
        explore("open_remaining against trip", |race| {
            let breaker = closed();
            let tripped = breaker.clone();
            let (left, ()) = race.run(move || breaker.open_remaining(), move || tripped.trip());
            assert!(left.is_none() || left == Some(RECOVERY), "{left:?}");
        });
    }
}

/// New settings against everything else: nothing is lost, and the next call goes by them.
mod configure {
    use super::*;

    fn configured(breaker: &CircuitBreaker, change: fn(BreakerBuilder) -> BreakerBuilder) {
        breaker.configure(change).expect("settings that work");
    }

    #[test]
    fn a_failure_is_counted_whatever_the_settings() {
        explore("configure against a failure", |race| {
            let breaker = build(quick(5));
            let [permit] = permits(&breaker);
            let steered = breaker.clone();
            race.run(
                || permit.failure(),
                move || configured(&steered, |settings| settings.failure_threshold(2)),
            );
            assert_eq!(
                (breaker.state(), breaker.failure_count()),
                (State::Closed, 1)
            );
            assert_eq!(totals(&breaker).failure, 1);
            fail(&breaker);
            assert_eq!(breaker.state(), State::Open);
        });
    }

    #[test]
    fn a_raised_threshold_holds_a_failure_or_comes_too_late() {
        explore("configure against the last failure", |race| {
            let breaker = build(quick(1));
            let [permit] = permits(&breaker);
            let steered = breaker.clone();
            race.run(
                || permit.failure(),
                move || configured(&steered, |settings| settings.failure_threshold(2)),
            );
            assert_eq!(breaker.failure_count(), 1);
            let totals = totals(&breaker);
            assert_eq!((totals.failure, totals.late), (1, 0));
        });
    }

    /// The flags of the word are those of the new settings, whichever came first.
    fn the_next_call_goes_by_the_new_settings(model: &str, act: fn(&CircuitBreaker)) {
        explore(model, move |race| {
            let clock = ManualClock::new();
            let settings = quick(2).count_successes(false).clock(clock.clone());
            let breaker = build(settings);
            let (steered, acted) = (breaker.clone(), breaker.clone());
            race.run(
                move || {
                    configured(&steered, |settings| {
                        settings.count_successes(true).cancelled_after(SECOND)
                    });
                },
                move || act(&acted),
            );
            assert_eq!(breaker.state(), State::Closed);
            let before = totals(&breaker);
            let [good, dropped] = permits(&breaker);
            good.success();
            clock.advance(SECOND);
            drop(dropped);
            let after = totals(&breaker);
            assert_eq!(after.success, before.success.map(|calls| calls + 1));
            assert_eq!(
                after.failure,
                before.failure + 1,
                "the dropped call was timed"
            );
        });
    }

    #[test]
    fn against_reset() {
        the_next_call_goes_by_the_new_settings("configure against reset", CircuitBreaker::reset);
    }

    #[test]
    fn against_a_closing_trial() {
        the_next_call_goes_by_the_new_settings("configure against a closing trial", |breaker| {
            breaker.half_open();
            breaker.acquire().expect("the trial").success();
        });
    }
}

/// Removal against a thread that keeps a handle of that name.
///
/// The map is no part of the models: its locks are `DashMap`'s own, which loom does not know. So
/// the two threads must never wait for each other there: one removes, the other has the handle in
/// its cache already, and comes to the map only once it has seen the removal.
mod retirement {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn fail_by_name(registry: &BreakerRegistry) {
        let call = pin!(std::future::ready(Err::<(), ()>(())).with_breaker(registry, "x"));
        let polled = call.poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Err(BreakerError::Inner(())))));
    }

    #[test]
    fn a_removed_breaker_is_not_served_by_name() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = runs.clone();
        loom::model(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            let registry = BreakerRegistry::new();
            let held = registry.register("x", quick(9)).expect("a free name");
            fail_by_name(&registry);
            let emptied = registry.clone();
            let removal = thread::spawn(move || drop(emptied.remove("x")));
            fail_by_name(&registry);
            join(removal);
            // From here on the name has another one, unless the call made it already.
            fail_by_name(&registry);
            let fresh = registry.get("x").expect("made by its name");
            assert_eq!(
                fresh.snapshot().totals.failure + held.snapshot().totals.failure,
                3
            );
            assert!((1..=2).contains(&fresh.failure_count()));
        });
        let runs = runs.load(Ordering::Relaxed);
        println!("remove against a cached handle: {runs} interleavings");
        assert!(runs > 1, "threads that never meet show nothing");
    }
}

mod windows {
    use super::*;

    fn watched_by(rule: TripRule) -> CircuitBreaker {
        build(quick(5).trip_rules([rule]))
    }

    fn figures(breaker: &CircuitBreaker) -> (u32, u32) {
        let rule = breaker.snapshot().rules[0];
        (rule.recorded, rule.failed)
    }

    /// A success may find the window sated and leave it alone, while a failure makes it matter again.
    #[test]
    fn a_failure_counts_in_a_window_that_was_full_of_successes() {
        explore("sated window", |race| {
            let breaker = watched_by(TripRule::failures(2).over(Window::calls(2)));
            for permit in permits::<3>(&breaker) {
                permit.success();
            }
            let [good, bad] = permits(&breaker);
            race.run(|| good.success(), || bad.failure());
            assert_eq!(figures(&breaker), (2, 1));
            // What comes next is recorded, whichever of them was the last.
            breaker.acquire().expect("a closed circuit").success();
            breaker.acquire().expect("a closed circuit").success();
            assert_eq!(figures(&breaker), (2, 0));
        });
    }

    #[test]
    fn the_last_two_failures_trip_a_count_window_once() {
        explore("count window", |race| {
            let breaker = watched_by(TripRule::failures(2).over(Window::calls(3)));
            let [one, other] = permits(&breaker);
            race.run(|| one.failure(), || other.failure());
            assert_eq!(breaker.state(), State::Open);
            assert_eq!(totals(&breaker).failure, 2);
        });
    }

    #[test]
    fn a_time_window_loses_nothing() {
        explore("time window", |race| {
            let minute = Window::time(Duration::from_secs(60));
            let breaker = watched_by(TripRule::failures(3).over(minute));
            let [good, bad] = permits(&breaker);
            race.run(|| good.success(), || bad.failure());
            assert_eq!(figures(&breaker), (2, 1));
        });
    }

    #[test]
    fn a_window_is_empty_after_a_reset_or_holds_what_came_after_it() {
        explore("window against reset", |race| {
            let breaker = watched_by(TripRule::failures(3).over(Window::calls(3)));
            let [bad] = permits(&breaker);
            let steered = breaker.clone();
            race.run(|| bad.failure(), move || steered.reset());
            let totals = totals(&breaker);
            assert_eq!(totals.failure + totals.late, 1);
            assert_eq!(figures(&breaker), (0, 0));
        });
    }
}
