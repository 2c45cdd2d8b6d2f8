//! The choice of the first of two breakers that admits a call.

use super::*;

/// Two calls choose among two half-open circuits with one slot each. Each circuit gets one of them, and no
/// refusal is counted.
#[test]
fn half_open_pair_admits_one_call_each() {
    explore("two calls for a half-open pair", |race| {
        let settings = || settings_with_threshold(1);
        let [(first, _), (second, _)] = [recovering(settings()), recovering(settings())];
        let pairs = [(); 2].map(|()| [first.clone(), second.clone()]);
        let [one, other] = pairs.map(|pair| move || first_ready(pair).expect("a free slot"));
        let ((one, one_permit), (other, other_permit)) = race.run(one, other);
        assert_eq!(one.min(other), 0);
        assert_eq!(one.max(other), 1);
        for breaker in [&first, &second] {
            assert_eq!(breaker.snapshot().in_flight, Some(1));
            assert_eq!(totals(breaker).refused, 0);
        }
        drop((one_permit, other_permit));
        assert_eq!(recorded(&first) + recorded(&second), 2);
    });
}

/// A call chooses among two half-open circuits while the trial of the first one is dropped. The call takes a
/// slot of one of them, and the other one keeps its slot.
#[test]
fn dropped_trial_is_chosen_or_passed_over() {
    explore("choice against a dropped trial", |race| {
        let settings = || settings_with_threshold(1);
        let [(first, _), (second, _)] = [recovering(settings()), recovering(settings())];
        let trial = first.try_acquire().expect("a free slot");
        let pair = [first.clone(), second.clone()];
        let ((), chosen) = race.run(
            move || drop(trial),
            move || first_ready(pair).expect("the second circuit has a slot"),
        );
        let (index, permit) = chosen;
        let in_flight = |breaker: &CircuitBreaker| breaker.snapshot().in_flight.unwrap_or(0);
        let expected = if index == 0 { (1, 0) } else { (0, 1) };
        assert_eq!((in_flight(&first), in_flight(&second)), expected);
        assert_eq!(totals(&first).refused + totals(&second).refused, 0);
        drop(permit);
        let (index, _permit) = first_ready([&first, &second]).expect("free slots");
        assert_eq!(index, 0);
    });
}
