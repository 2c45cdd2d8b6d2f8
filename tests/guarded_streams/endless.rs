//! `success_after`, for streams that do not end.

use crate::support::{
    Fault, Item, Recorded, breaker, items, next, one_failure, one_success, recorded,
};
use breakerbox::prelude::*;

#[test]
fn success_is_recorded_at_last_of_n_items() {
    for (after, expected) in [(0, 1), (1, 1), (3, 3)] {
        let breaker = breaker();
        let ticks = items([Ok(1), Ok(2), Ok(3), Ok(4)]);
        let mut ticks = ticks.guarded_by(&breaker).success_after(after);
        for item in 1..=4 {
            assert!(next(&mut ticks).is_some());
            let success = u64::from(item >= expected);
            assert_eq!(
                recorded(&breaker).success,
                success,
                "item {item} of {after}"
            );
        }
        assert!(next(&mut ticks).is_none());
        assert_eq!(recorded(&breaker), one_success());
    }
}

#[test]
fn failure_after_success_is_not_counted() {
    let breaker = breaker();
    let mut ticks = items([Ok(1), Err(Fault)])
        .guarded_by(&breaker)
        .success_after(1);
    assert!(next(&mut ticks).is_some() && next(&mut ticks).is_some());
    drop(ticks);
    assert_eq!(recorded(&breaker), one_success());
}

#[test]
fn failure_before_success_decides() {
    let breaker = breaker();
    let mut ticks = items([Ok(1), Err(Fault), Ok(2)])
        .guarded_by(&breaker)
        .success_after(2);
    assert!(next(&mut ticks).is_some() && next(&mut ticks).is_some() && next(&mut ticks).is_some());
    assert_eq!(recorded(&breaker), one_failure());
}

#[test]
fn end_before_n_items_is_a_success() {
    let breaker = breaker();
    let mut ticks = items([Ok(1)]).guarded_by(&breaker).success_after(9);
    assert!(next(&mut ticks).is_some() && next(&mut ticks).is_none());
    assert_eq!(recorded(&breaker), one_success());
}

#[test]
fn classified_items_count_towards_success() {
    let breaker = breaker();
    let judge = |item: &Item| {
        if *item == Ok(0) {
            Outcome::Failure
        } else {
            Outcome::Success
        }
    };
    let ticks = items([Ok(1), Err(Fault), Ok(0)]).guarded_by(&breaker);
    let mut ticks = ticks.success_after(2).classify_item(judge);
    assert!(next(&mut ticks).is_some());
    assert_eq!(recorded(&breaker), Recorded::default());
    assert!(next(&mut ticks).is_some());
    assert_eq!(recorded(&breaker), one_success());
    assert!(next(&mut ticks).is_some());
    assert_eq!(recorded(&breaker), one_success());
}
