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

/// Explores `run` and says how many interleavings there were.
fn explore(model: &str, run: impl Fn() + Send + Sync + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = runs.clone();
    loom::model(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        run();
    });
    let runs = runs.load(Ordering::Relaxed);
    println!("{model}: {runs} interleavings");
    assert!(runs > 1, "threads that never meet show nothing");
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

fn spawn<T: 'static>(
    breaker: &CircuitBreaker,
    work: impl FnOnce(CircuitBreaker) -> T + 'static,
) -> JoinHandle<T> {
    let breaker = breaker.clone();
    thread::spawn(move || work(breaker))
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
        explore(model, move || {
            let breaker = build(settings());
            let [one, other] = permits(&breaker);
            let thread = thread::spawn(move || one.failure());
            other.failure();
            join(thread);
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
        explore("two failures beyond the threshold", || {
            let changes = Changes::default();
            let breaker = build(changes.heard_by(quick(1)));
            let [one, other] = permits(&breaker);
            let thread = thread::spawn(move || one.failure());
            other.failure();
            join(thread);
            assert_eq!(breaker.failure_count(), 1);
            let totals = totals(&breaker);
            assert_eq!((totals.failure, totals.late), (1, 1));
            assert_eq!(changes.all(), [(State::Closed, State::Open)]);
        });
    }

    #[test]
    fn three_failures_trip_once() {
        explore("three failures", || {
            let breaker = build(quick(2));
            let [one, two, three] = permits(&breaker);
            let threads = [one, two].map(|permit| thread::spawn(move || permit.failure()));
            three.failure();
            threads.map(join);
            assert_eq!(breaker.state(), State::Open);
            assert_eq!(breaker.failure_count(), 2);
            let totals = totals(&breaker);
            assert_eq!((totals.failure, totals.late), (2, 1));
        });
    }

    fn a_success_resets_or_is_late(model: &str, settings: fn() -> BreakerBuilder) {
        explore(model, move || {
            let breaker = build(settings());
            fail(&breaker);
            let [good, bad] = permits(&breaker);
            let thread = thread::spawn(move || bad.failure());
            good.success();
            join(thread);
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
        explore("failure against trip", || {
            let breaker = build(quick(5));
            let [permit] = permits(&breaker);
            let thread = spawn(&breaker, |breaker| breaker.trip());
            permit.failure();
            join(thread);
            assert_eq!(breaker.state(), State::Open);
            let totals = totals(&breaker);
            assert_eq!(totals.failure + totals.late, 1);
            assert_eq!(u64::from(breaker.failure_count()), totals.failure);
        });
    }

    #[test]
    fn a_failure_counts_before_a_reset_or_is_late() {
        explore("failure against reset", || {
            let breaker = build(quick(5));
            let [permit] = permits(&breaker);
            let thread = spawn(&breaker, |breaker| breaker.reset());
            permit.failure();
            join(thread);
            assert_eq!(breaker.state(), State::Closed);
            assert_eq!(breaker.failure_count(), 0);
            let totals = totals(&breaker);
            assert_eq!(totals.failure + totals.late, 1);
        });
    }

    #[test]
    fn a_result_from_before_does_not_steer_the_trial() {
        explore("late failure against a closing trial", || {
            let clock = ManualClock::new();
            let breaker = build(quick(1).clock(clock.clone()));
            let [late] = permits(&breaker);
            breaker.trip();
            clock.advance(RECOVERY);
            let thread = spawn(&breaker, |breaker| {
                breaker.acquire().expect("the trial").success();
            });
            late.failure();
            join(thread);
            assert_eq!(breaker.state(), State::Closed);
            let totals = totals(&breaker);
            assert_eq!(
                (totals.success, totals.failure, totals.late),
                (Some(1), 0, 1)
            );
        });
    }

    #[test]
    fn a_trial_decides_or_a_command_does() {
        explore("failing trial against reset", || {
            let changes = Changes::default();
            let (breaker, _clock) = recovering(changes.heard_by(quick(1)));
            let trial = breaker.acquire().expect("the trial");
            let thread = spawn(&breaker, |breaker| breaker.reset());
            trial.failure();
            join(thread);
            assert_eq!(breaker.state(), State::Closed);
            let totals = totals(&breaker);
            assert_eq!(totals.failure + totals.late, 1);
            // Told in order, each beginning where the one before ended.
            let changes = changes.all();
            assert!(
                changes.windows(2).all(|pair| pair[0].1 == pair[1].0),
                "{changes:?}"
            );
            assert_eq!(changes.len() as u64, 3 + totals.failure);
        });
    }
}

mod trials {
    use super::*;

    fn no_more_pass_than_there_are_slots(model: &str, slots: u32) {
        explore(model, move || {
            let (breaker, _clock) = recovering(quick(1).half_open_calls(slots));
            let threads = [(); 2].map(|()| spawn(&breaker, |breaker| breaker.acquire()));
            let mine = breaker.acquire();
            let [one, two] = threads.map(join);
            let all = [mine, one, two];
            let passed = all.iter().filter(|result| result.is_ok()).count();
            assert_eq!(passed, slots as usize);
            for refused in all.iter().filter_map(|result| result.as_ref().err()) {
                assert_eq!(refused.reason(), Refusal::TrialsTaken);
                assert_eq!(refused.retry_after(), Some(LEASE));
            }
            assert_eq!(breaker.snapshot().in_flight, Some(slots));
        });
    }

    #[test]
    fn of_three_one_passes_where_one_slot_is() {
        no_more_pass_than_there_are_slots("three for one slot", 1);
    }

    #[test]
    fn of_three_two_pass_where_two_slots_are() {
        no_more_pass_than_there_are_slots("three for two slots", 2);
    }

    #[test]
    fn a_dropped_trial_gives_its_slot_back() {
        explore("dropped trial against an acquirer", || {
            let (breaker, _clock) = recovering(quick(1));
            let trial = breaker.acquire().expect("the trial");
            let thread = spawn(&breaker, |breaker| breaker.acquire().is_ok());
            drop(trial);
            // The other's, if it got one, is dropped too.
            join(thread);
            assert_eq!(breaker.snapshot().in_flight, Some(0));
            assert!(breaker.acquire().is_ok());
        });
    }

    #[test]
    fn two_trials_that_end_together_are_both_counted() {
        explore("two succeeding trials", || {
            let (breaker, _clock) = recovering(quick(1).half_open_calls(2));
            let [one, other] = permits(&breaker);
            let thread = thread::spawn(move || one.success());
            other.success();
            join(thread);
            assert_eq!(breaker.state(), State::Closed);
            assert_eq!(totals(&breaker).success, Some(2));
        });
    }

    #[test]
    fn a_lapsed_trial_decides_or_is_late() {
        explore("lapsed trial against the one that takes over", || {
            let (breaker, clock) = recovering(quick(1));
            let lapsed = breaker.acquire().expect("the trial");
            clock.advance(LEASE);
            let thread = spawn(&breaker, |breaker| breaker.acquire().ok());
            lapsed.success();
            let other = join(thread).expect("a free slot or a closed circuit");
            if totals(&breaker).late == 0 {
                assert_eq!(breaker.state(), State::Closed);
            } else {
                assert_eq!(breaker.state(), State::HalfOpen);
                assert_eq!(breaker.snapshot().in_flight, Some(1));
                assert!(breaker.acquire().is_err());
                other.success();
                assert_eq!(breaker.state(), State::Closed);
            }
        });
    }

    #[test]
    fn a_lapsed_slot_goes_to_one_of_two() {
        explore("two for a lapsed slot, and its late result", || {
            let (breaker, clock) = recovering(quick(1));
            let lapsed = breaker.acquire().expect("the trial");
            clock.advance(LEASE);
            let thread = spawn(&breaker, |breaker| breaker.acquire());
            let mine = breaker.acquire();
            let theirs = join(thread);
            assert_eq!(usize::from(mine.is_ok()) + usize::from(theirs.is_ok()), 1);
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
        explore(model, move || {
            let breaker = prepare();
            let thread = spawn(&breaker, move |breaker| act(&breaker));
            if let Err(refused) = breaker.acquire() {
                assert_eq!(refused.reason(), Refusal::Open);
                let left = refused.retry_after().expect("an end");
                assert!(
                    seconds
                        .iter()
                        .any(|seconds| left == Duration::from_secs(*seconds)),
                    "{left:?}"
                );
            }
            join(thread);
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
        refusals(
            "refusal against trip_for",
            open,
            |b| b.trip_for(90 * SECOND),
            &[10, 90],
        );
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
        explore("refusal against a failing trial", || {
            let (breaker, _clock) = recovering(quick(1));
            let thread = spawn(&breaker, |breaker| {
                breaker.acquire().map(Permit::failure).is_ok()
            });
            let mine = breaker.acquire();
            match &mine {
                Ok(_) => {}
                Err(refused) if refused.reason() == Refusal::Open => {
                    assert_eq!(refused.retry_after(), Some(RECOVERY));
                    assert_eq!(refused.failure_count(), 1);
                }
                Err(refused) => {
                    assert_eq!(refused.reason(), Refusal::TrialsTaken);
                    assert_eq!(refused.retry_after(), Some(LEASE));
                }
            }
            assert_ne!(join(thread), mine.is_ok());
        });
    }

    #[test]
    fn what_people_ask_agrees_with_what_was_set() {
        explore("open_remaining against trip", || {
            let breaker = closed();
            let thread = spawn(&breaker, |breaker| breaker.trip());
            let left = breaker.open_remaining();
            assert!(left.is_none() || left == Some(RECOVERY), "{left:?}");
            join(thread);
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
        explore("configure against a failure", || {
            let breaker = build(quick(5));
            let [permit] = permits(&breaker);
            let thread = spawn(&breaker, |breaker| {
                configured(&breaker, |b| b.failure_threshold(2))
            });
            permit.failure();
            join(thread);
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
    fn a_raised_threshold_holds_a_failure_or_comes_late() {
        explore("configure against the last failure", || {
            let breaker = build(quick(1));
            let [permit] = permits(&breaker);
            let thread = spawn(&breaker, |breaker| {
                configured(&breaker, |b| b.failure_threshold(2))
            });
            permit.failure();
            join(thread);
            assert_eq!(breaker.failure_count(), 1);
            let totals = totals(&breaker);
            assert_eq!((totals.failure, totals.late), (1, 0));
        });
    }

    /// The flags of the word are those of the new settings, whichever came first.
    fn the_next_call_goes_by_the_new_settings(model: &str, act: fn(&CircuitBreaker)) {
        explore(model, move || {
            let clock = ManualClock::new();
            let settings = quick(1).count_successes(false).clock(clock.clone());
            let breaker = build(settings);
            let thread = spawn(&breaker, |breaker| {
                configured(&breaker, |b| {
                    b.count_successes(true).cancelled_after(SECOND)
                });
            });
            act(&breaker);
            join(thread);
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
        the_next_call_goes_by_the_new_settings("configure against reset", |b| b.reset());
    }

    #[test]
    fn against_trials() {
        the_next_call_goes_by_the_new_settings("configure against a closing trial", |breaker| {
            breaker.half_open();
            breaker.acquire().expect("the trial").success();
        });
    }

    #[test]
    fn against_disabling_and_resetting() {
        the_next_call_goes_by_the_new_settings("configure against commands", |breaker| {
            breaker.disable();
            breaker.reset();
        });
    }
}
