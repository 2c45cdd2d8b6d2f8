//! `first_ready`: the first of several breakers that admits a call.
#![cfg(not(loom))]
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{Event, NotKept};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const RECOVERY: Duration = Duration::from_secs(30);

fn named(name: &str, clock: &ManualClock) -> CircuitBreaker {
    let settings = CircuitBreaker::builder().name(name).clock(clock.clone());
    settings.build().expect("valid settings")
}

/// Breakers with the names `a`, `b` and `c` and the same clock.
fn three() -> ([CircuitBreaker; 3], ManualClock) {
    let clock = ManualClock::new();
    (["a", "b", "c"].map(|name| named(name, &clock)), clock)
}

fn refused(breaker: &CircuitBreaker) -> u64 {
    breaker.snapshot().totals.refused
}

#[test]
fn healthy_first_breaker_is_chosen() {
    let ([a, b, c], _) = three();
    let (index, permit) = first_ready([&a, &b, &c]).unwrap();
    assert_eq!(index, 0);
    permit.failure();
    assert_eq!(a.failure_count(), 1);
    assert_eq!((b.failure_count(), c.failure_count()), (0, 0));
}

#[test]
fn skipped_breakers_count_nothing_and_send_no_event() {
    let ([a, b, c], _) = three();
    a.force_open();
    b.half_open();
    let trial = b.try_acquire().unwrap();
    let (mut of_a, mut of_b, mut of_c) = (a.subscribe(), b.subscribe(), c.subscribe());

    let (index, permit) = first_ready([&a, &b, &c]).unwrap();
    assert_eq!(index, 2);
    permit.success();
    assert_eq!((refused(&a), refused(&b)), (0, 0));
    assert!(of_a.try_next().is_none() && of_b.try_next().is_none());
    assert!(matches!(of_c.try_next(), Some(Event::Recorded { .. })));
    assert_eq!(b.snapshot().in_flight, Some(1));
    drop(trial);
}

#[test]
fn refusals_by_all_count_nothing() {
    let ([a, b, c], _) = three();
    [&a, &b, &c].into_iter().for_each(CircuitBreaker::trip);
    let mut events = [&a, &b, &c].map(CircuitBreaker::subscribe);
    assert!(first_ready([&a, &b, &c]).is_err());
    assert_eq!([&a, &b, &c].map(refused), [0; 3]);
    assert!(events.iter_mut().all(|events| events.try_next().is_none()));
}

#[test]
fn trial_is_taken_only_where_call_is_admitted() {
    let ([a, b, c], clock) = three();
    [&a, &b, &c].into_iter().for_each(CircuitBreaker::trip);
    clock.advance(RECOVERY);
    let states = || [&a, &b, &c].map(|breaker| breaker.snapshot().in_flight);

    let (first, trial_of_a) = first_ready([&a, &b, &c]).unwrap();
    // An open circuit whose timeout has elapsed has no trials before the first one is admitted.
    assert_eq!((first, states()), (0, [Some(1), None, None]));
    let (second, trial_of_b) = first_ready([&a, &b, &c]).unwrap();
    assert_eq!((second, states()), (1, [Some(1), Some(1), None]));
    drop(trial_of_a);
    let (third, trial) = first_ready([&a, &b, &c]).unwrap();
    assert_eq!((third, states()), (0, [Some(1), Some(1), None]));
    trial.success();
    trial_of_b.failure();
    assert_eq!((a.state(), b.state()), (State::Closed, State::Open));
}

#[test]
fn ramping_circuit_gives_its_other_calls_to_the_next() {
    let ([a, b, _], _) = three();
    let ramp_up = |settings: BreakerBuilder| settings.ramp_up(20 * SECOND);
    a.configure(ramp_up).unwrap();
    a.half_open();
    a.try_acquire().unwrap().success();
    let chosen: Vec<usize> = (0..10)
        .map(|_| {
            let (index, permit) = first_ready([&a, &b]).unwrap();
            permit.success();
            index
        })
        .collect();
    // The first call of a part of the ramp-up, and then a tenth of the calls.
    assert_eq!(chosen, [0, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
    assert_eq!((a.state(), refused(&a)), (State::Closed, 0));
}

#[test]
fn same_breaker_twice_is_asked_twice() {
    let ([a, ..], _) = three();
    a.half_open();
    let (index, _trial) = first_ready([&a, &a]).unwrap();
    assert_eq!(index, 0);
    let all = first_ready([&a, &a]).unwrap_err();
    assert!(all.names().eq(["a", "a"]));
}

#[test]
fn call_inside_trial_joins_its_circuit() {
    let ([a, b, _], _) = three();
    a.half_open();
    let (_, trial) = first_ready([&a, &b]).unwrap();
    let nested = trial.call(|| {
        let (index, permit) = first_ready([&a, &b]).unwrap();
        permit.failure();
        Ok::<_, String>(index)
    });
    assert_eq!(nested, Ok(0));
    assert_eq!(a.state(), State::Closed);
}

#[test]
fn dropped_permit_is_cancelled_at_its_breaker_only() {
    let ([a, b, c], _) = three();
    a.trip();
    drop(first_ready([&a, &b, &c]).unwrap());
    let cancelled = [&a, &b, &c].map(|breaker| breaker.snapshot().totals.cancelled);
    assert_eq!(cancelled, [0, 1, 0]);
}

#[test]
fn retry_after_is_soonest_of_all() {
    let ([a, b, c], clock) = three();
    a.force_open();
    b.trip_for(20 * SECOND);
    c.trip_for(7 * SECOND);
    let all = first_ready([&a, &b, &c]).unwrap_err();
    assert_eq!(all.retry_after(), Some(7 * SECOND));
    assert!(all.names().eq(["a", "b", "c"]));
    let waits: Vec<_> = all
        .refusals()
        .iter()
        .map(CircuitOpen::retry_after)
        .collect();
    assert_eq!(waits, [None, Some(20 * SECOND), Some(7 * SECOND)]);

    clock.advance(7 * SECOND);
    let (index, _trial) = first_ready([&a, &b, &c]).unwrap();
    assert_eq!(index, 2);
    let all = first_ready([&a, &b, &c]).unwrap_err();
    // The lease of the trial of `c` is longer than the rest of the time of `b`.
    assert_eq!(all.retry_after(), Some(13 * SECOND));
}

#[test]
fn retry_after_is_none_if_no_wait_helps() {
    let ([a, b, _], _) = three();
    a.force_open();
    b.force_open();
    assert_eq!(first_ready([&a, &b]).unwrap_err().retry_after(), None);
    let none = first_ready::<&CircuitBreaker>([]).unwrap_err();
    assert_eq!(none.retry_after(), None);
    assert_eq!(none.refusals().len(), 0);

    b.trip_for(Duration::MAX);
    assert_eq!(
        first_ready([&a, &b]).unwrap_err().retry_after(),
        Some(Duration::MAX)
    );
}

#[test]
fn error_describes_moment_of_refusal() {
    let ([a, b, _], clock) = three();
    a.trip();
    b.trip();
    let all = first_ready([&a, &b]).unwrap_err();
    clock.advance(10 * SECOND);
    a.reset();
    let copy = all.clone();
    drop((a, b, all));
    assert_eq!(copy.retry_after(), Some(RECOVERY));
    assert!(copy.names().eq(["a", "b"]));
}

#[test]
fn handles_of_every_kind_are_accepted() {
    let (all, _) = three();
    let chosen = |found: Result<(usize, Permit), AllOpen>| found.map(|(index, _)| index).ok();
    all[0].trip();
    assert_eq!(chosen(first_ready(&all)), Some(1));
    assert_eq!(chosen(first_ready(all.iter().rev())), Some(0));
    assert_eq!(chosen(first_ready(all.clone())), Some(1));
    assert_eq!(chosen(first_ready(vec![&all[0], &all[2]])), Some(1));
    assert_eq!(chosen(first_ready(&all[1..])), Some(0));
    assert_eq!(chosen(first_ready(Some(&all[0]))), None);
}

#[test]
fn later_breakers_are_not_asked() {
    let ([a, _, _], _) = three();
    let breakers = std::iter::once(&a).chain(std::iter::from_fn(|| panic!("asked again")));
    let (index, permit) = first_ready(breakers).unwrap();
    assert_eq!(index, 0);
    permit.success();
}

#[test]
fn panic_of_iterator_leaves_no_slot_taken() {
    let ([a, ..], _) = three();
    a.half_open();
    let trial = a.try_acquire().unwrap();
    let breakers = std::iter::once(&a).chain(std::iter::from_fn(|| panic!("deliberate")));
    assert!(catch_unwind(AssertUnwindSafe(|| first_ready(breakers))).is_err());
    drop(trial);
    assert!(a.try_acquire().is_ok());
}

/// An iterator whose drop panics, after the call was admitted.
struct PanicsWhenDropped<'a>(&'a CircuitBreaker);

impl<'a> Iterator for PanicsWhenDropped<'a> {
    type Item = &'a CircuitBreaker;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0)
    }
}

impl Drop for PanicsWhenDropped<'_> {
    fn drop(&mut self) {
        panic!("deliberate");
    }
}

#[test]
fn panic_in_drop_of_iterator_frees_slot() {
    let ([a, ..], _) = three();
    a.half_open();
    let choose = || first_ready(PanicsWhenDropped(&a));
    assert!(catch_unwind(AssertUnwindSafe(choose)).is_err());
    assert_eq!(a.state(), State::HalfOpen);
    assert!(a.try_acquire().is_ok());
}

#[test]
fn registry_creates_breakers_until_one_admits() {
    let registry = BreakerRegistry::builder()
        .preset_for("llm:", CircuitBreaker::builder().failure_threshold(1))
        .build()
        .unwrap();
    registry.breaker("llm:eu").trip();
    let (index, permit) = registry
        .first_ready(["llm:eu", "llm:us", "llm:asia"])
        .unwrap();
    assert_eq!(index, 1);
    permit.failure();
    assert_eq!(registry.get("llm:us").unwrap().state(), State::Open);
    assert!(registry.get("llm:asia").is_none());
    assert_eq!(refused(&registry.breaker("llm:eu")), 0);
}

#[test]
fn registry_accepts_names_of_every_kind() {
    let registry = BreakerRegistry::new();
    let owned = vec!["a".to_owned(), "b".to_owned()];
    registry.breaker("a").trip();
    let chosen = |found: Result<(usize, Permit), AllOpen>| found.map(|(index, _)| index).ok();
    assert_eq!(chosen(registry.first_ready(&owned)), Some(1));
    assert_eq!(
        chosen(registry.first_ready((0..3).map(|n| format!("n{n}")))),
        Some(0)
    );
    assert_eq!(chosen(registry.first_ready(owned)), Some(1));
    let none = registry.first_ready::<&str>([]).unwrap_err();
    assert_eq!(none.retry_after(), None);
}

#[test]
fn registry_does_not_keep_invalid_name() {
    let registry = BreakerRegistry::new();
    let mut events = registry.subscribe_changes();
    let (index, permit) = registry.first_ready([""]).unwrap();
    assert_eq!(index, 0);
    permit.success();
    assert!(registry.is_empty());
    let event = events.try_next().unwrap();
    assert!(matches!(
        event,
        Event::NotKept {
            reason: NotKept::InvalidName,
            ..
        }
    ));
}
