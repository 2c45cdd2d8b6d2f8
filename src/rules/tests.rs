//! Ledgers, call by call.

use super::{RuleEvaluator, Sample, TripRule, Window, WindowCounts, without_windows};
use crate::clock::Moment;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Moment {
    Moment::from_nanos(seconds * 1_000_000_000)
}

fn success(now: Moment) -> Sample {
    Sample::success(now)
}

fn failure(now: Moment) -> Sample {
    Sample {
        failed: true,
        ..success(now)
    }
}

fn took(time: Duration) -> Sample {
    Sample {
        elapsed: Some(time),
        ..success(Moment::ORIGIN)
    }
}

fn calls(failures: u32) -> TripRule {
    TripRule::failures(failures).over(Window::calls(10))
}

fn seconds(failures: u32) -> TripRule {
    TripRule::failures(failures).over(Window::time(10 * SECOND))
}

fn slow() -> TripRule {
    let rule = TripRule::slow_calls(1.0).slower_than(SECOND);
    rule.over(Window::calls(10)).minimum_calls(1)
}

fn of(rules: &[TripRule]) -> RuleEvaluator {
    RuleEvaluator::new(rules, Moment::ORIGIN)
}

/// Records a call, and tells how many rules it was the first to trip.
fn news(ledger: &mut RuleEvaluator, sample: &Sample) -> usize {
    ledger.record(sample);
    ledger.newly_met(sample, 0).len()
}

#[test]
fn a_rule_that_held_before_new_settings_is_no_news_after_them() {
    let mut ledger = of(&[calls(1)]);
    let failure = failure(at(1));
    assert_eq!(news(&mut ledger, &failure), 1);
    assert_eq!(news(&mut ledger.with_rules(&[calls(1)]), &failure), 0);
    let mut other = ledger.with_rules(&[calls(2)]);
    assert_eq!(news(&mut other, &failure), 1, "another rule");
}

#[test]
fn a_rule_that_turned_false_by_itself_is_news_again() {
    let mut ledger = of(&[seconds(1)]);
    assert_eq!(news(&mut ledger, &failure(at(1))), 1);
    assert_eq!(news(&mut ledger, &failure(at(2))), 0);
    ledger.refresh(at(3), 0);
    assert_eq!(news(&mut ledger, &failure(at(3))), 0, "it still held");
    ledger.refresh(at(60), 0);
    assert_eq!(news(&mut ledger, &failure(at(60))), 1);
}

#[test]
fn only_slow_call_rules_hear_of_ignored_calls_and_only_of_slow_ones() {
    let mut ledger = of(&[slow(), calls(1)]);
    let recorded = |ledger: &RuleEvaluator| -> Vec<_> {
        let snapshots = ledger.snapshots(Moment::ORIGIN, 0);
        snapshots.iter().map(|rule| rule.recorded).collect()
    };
    for (time, expected) in [(SECOND, [0, 0]), (2 * SECOND, [1, 0])] {
        ledger.record(&Sample {
            ignored: true,
            ..took(time)
        });
        assert_eq!(recorded(&ledger), expected);
    }
}

#[test]
fn quick_successes_fall_into_the_bucket_of_their_interval() {
    let mut ledger = of(&[seconds(1)]);
    assert_eq!(ledger.align_bucket(at(3)), at(4), "ten buckets");
    ledger.add_fast_successes(7, None);
    let recorded = |now| ledger.snapshots(now, 0)[0].recorded;
    assert_eq!(
        (recorded(at(3)), recorded(at(12)), recorded(at(13))),
        (7, 7, 0)
    );
    assert_eq!(of(&[calls(1)]).align_bucket(at(3)), Moment::NEVER);
}

#[test]
fn a_rule_of_slow_calls_says_what_is_quick() {
    assert_eq!(of(&[calls(1)]).min_slow_threshold(), Duration::MAX);
    let two = of(&[slow().slower_than(2 * SECOND), slow(), calls(1)]);
    assert_eq!(two.min_slow_threshold(), SECOND);
}

#[test]
fn successes_change_nothing_once_every_window_of_calls_is_full_of_them() {
    let consecutive_failures = TripRule::consecutive_failures(3);
    assert_eq!(of(&[consecutive_failures]).fill(), Some(0));
    let two = [calls(1), TripRule::failures(1).over(Window::calls(4))];
    assert_eq!(of(&two).fill(), Some(10));
    assert_eq!(of(&[calls(1), slow()]).fill(), None);
    assert_eq!(of(&[calls(1), seconds(1)]).fill(), None);

    assert!(!of(&[consecutive_failures]).wants_successes());
    assert!(of(&[slow()]).wants_successes() && of(&[seconds(1)]).wants_successes());
    let mut ledger = of(&two);
    for _ in 0..10 {
        assert!(ledger.wants_successes());
        ledger.record(&success(at(1)));
    }
    assert!(!ledger.wants_successes());
    ledger.record(&failure(at(1)));
    assert!(ledger.wants_successes());
    ledger.add_fast_successes(10, None);
    assert!(!ledger.wants_successes());
}

#[test]
fn successes_before_the_last_failure_enter_every_window_that_has_it() {
    let mut ledger = of(&[
        calls(1),
        seconds(1),
        slow(),
        TripRule::consecutive_failures(1),
    ]);
    let last = failure(at(1));
    ledger.record(&last);
    ledger.add_fast_successes(3, Some(&last));
    let seen = ledger.snapshots(at(1), 1);
    let seen: Vec<_> = seen
        .iter()
        .map(|rule| (rule.recorded, rule.failed))
        .collect();
    assert_eq!(seen, [(4, 1), (4, 1), (4, 1), (1, 1)]);
    // Nine more push the successes out of the window of calls, and the failure stays.
    ledger.add_fast_successes(9, None);
    assert_eq!(ledger.snapshots(at(1), 0)[0].failed, 1);
    ledger.add_fast_successes(1, None);
    assert_eq!(ledger.snapshots(at(1), 0)[0].failed, 0);
}

#[test]
fn only_a_call_that_counts_against_a_rule_trips_it() {
    let mut ledger = of(&[calls(2)]);
    ledger.record(&failure(at(1)));
    assert_eq!(ledger.tripped(&failure(at(1)), 1), None);
    ledger.record(&failure(at(1)));
    assert!(ledger.tripped(&failure(at(1)), 2).is_some());
    assert_eq!(ledger.tripped(&success(at(1)), 0), None);
}

#[test]
fn a_small_window_of_calls_is_enough_for_its_rate_when_it_is_full() {
    let rule = |calls| TripRule::failure_rate(0.5).over(Window::calls(calls));
    for (window, least) in [(4, 4), (10, 10), (11, 10)] {
        let failed = |recorded| WindowCounts {
            recorded,
            failed: recorded,
            slow: 0,
        };
        assert!(rule(window).holds(failed(least)));
        assert!(!rule(window).holds(failed(least - 1)));
    }
}

#[test]
fn rules_without_windows_look_at_the_failures_in_a_row() {
    let rules = [TripRule::consecutive_failures(3)];
    let shown: Vec<_> = without_windows(&rules, 2).collect();
    assert_eq!(shown, of(&rules).snapshots(at(1), 2));
    assert_eq!((shown[0].failed, shown[0].recorded), (2, 2));
}
